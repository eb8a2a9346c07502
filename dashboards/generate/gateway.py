"""Row of the overview about the gateway: HTTP's rate, errors and duration, and the first audio in browsers."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.links import to_traces
from dashboards.generate.panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Query, graph, quantile_by, quantiles

GATEWAY: Final = 'job="gateway"'
ASKED: Final = rf'{GATEWAY}, http_route!~"/metrics|/healthz|/readyz"'
STATUS_COLOURS: Final = {
    "1..|2..": GREEN,
    "499": BLUE,
    "4(0.|1.)": YELLOW,
    "429": ORANGE,
    "5..": RED,
}

GATEWAY_ROW: Final = Row(
    "Gateway: HTTP and WebSocket (without probes and scrapes)",
    (
        graph(
            "Requests by route",
            "reqps",
            [
                Query(
                    f"sum by (http_route) (rate(http_server_request_duration_seconds_count{{{ASKED}}}"
                    "[$__rate_interval]))",
                    "{{http_route}}",
                )
            ],
            About(
                "HTTP requests that ended, per second; a WebSocket counts once, at its end.",
                "follows your traffic.",
                "`_OTHER` is unknown paths: a wrong address, or a scanner.",
            ),
            links=(to_traces("Traces"),),
        ),
        graph(
            "Requests by status",
            "reqps",
            [
                Query(
                    "sum by (http_response_status_code) "
                    f"(rate(http_server_request_duration_seconds_count{{{ASKED}}}[$__rate_interval])) > 0",
                    "{{http_response_status_code}}",
                )
            ],
            About(
                "HTTP requests that ended, per second, by status; 499 is a client that disconnected, 101 a WebSocket.",
                "green; some blue is cancelled by clients.",
                "red is server errors: 503 not available or too many requests, 504 too slow, 500 failed; see the "
                "gateway's log. Orange: the speech server is overloaded. Yellow: invalid requests.",
            ),
            stacked=True,
            bars=True,
            colours=STATUS_COLOURS,
        ),
        graph(
            "First audio over HTTP",
            "s",
            quantiles("gateway_time_to_first_audio_seconds", GATEWAY),
            About(
                "Time from a request to its first audio.",
                "a few milliseconds above the speech server's own, under Speech.",
                "high here and low there: the gateway has too little CPU, or its network to the server is slow.",
            ),
        ),
        graph(
            "Time of requests, p95",
            "s",
            quantile_by("http_server_request_duration_seconds", ASKED, 95, "http_route"),
            About(
                "Time from a request to the end of its response; a stream ends when its client has read it.",
                "about as long as synthesis takes.",
                "long streams with fast first audio: slow clients, which do not affect others.",
            ),
        ),
        graph(
            "Requests and WebSockets open",
            "short",
            [
                Query(
                    f"sum by (http_request_method) (http_server_active_requests{{{GATEWAY}}})",
                    "{{http_request_method}}",
                )
            ],
            About(
                "Open requests; most GETs are WebSockets.",
                "well below `--max-requests`.",
                "at the limit requests get 503 with GATEWAY_FULL: add gateways, or raise the limit.",
            ),
        ),
        graph(
            "Bytes sent per second",
            "Bps",
            [Query(f"sum(rate(http_server_response_body_size_bytes_sum{{{ASKED}}}[$__rate_interval]))", "sent")],
            About(
                "Audio and all other responses, without HTTP's framing.",
                "44 kB for each second of audio at 22 050 Hz without compression.",
                "near the bandwidth of the network: use mp3 or ogg_opus, a fifth of the size.",
            ),
        ),
    ),
)
