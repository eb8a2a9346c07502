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
    "Gateway: HTTP and WebSocket (probes and scrapes left out)",
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
                "HTTP requests that ended, each second; a WebSocket counts once, at its end.",
                "follows your traffic.",
                "`_OTHER` is paths that are not served: a wrong address, or a scanner.",
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
                "HTTP requests that ended, each second, by status; 499 is callers who left, 101 a WebSocket.",
                "green; some blue is people who press stop.",
                "red is ours: 503 the speech server is down or the gateway full, 504 too slow, 500 failed; see the "
                "gateway's log. Orange: the speech server is full. Yellow: a caller sends what cannot be served.",
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
                "From request to its first audio, as handed to HTTP.",
                "a few milliseconds above the speech server's own, under Speech.",
                "high here and low there: the gateway is short of CPU, or its way to the server is slow.",
            ),
        ),
        graph(
            "Time of requests, p95",
            "s",
            quantile_by("http_server_request_duration_seconds", ASKED, 95, "http_route"),
            About(
                "From request to the end of its answer; the end of a stream waits for its reader.",
                "about as long as the speech takes to make.",
                "long streams with a quick first audio: their readers are slow, which costs nobody else.",
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
                "What is being answered now; GET is WebSockets, mostly.",
                "well below `--max-requests`.",
                "at that bound requests are answered 503 with GATEWAY_FULL: more gateways, or a higher bound.",
            ),
        ),
        graph(
            "Bytes sent each second",
            "Bps",
            [Query(f"sum(rate(http_server_response_body_size_bytes_sum{{{ASKED}}}[$__rate_interval]))", "sent")],
            About(
                "Audio and all other answers, without HTTP's framing.",
                "44 kB for each second of audio at 22 050 Hz without compression.",
                "your network's limit: ask for mp3 or ogg_opus, a fifth of it.",
            ),
        ),
    ),
)
