"""Rows of the overview about calls: rate, errors and duration; and what they carry."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.links import BAD_LINES, FAILED_TRACES, to_traces
from dashboards.generate.panels import (
    BLUE,
    CALLS,
    GREEN,
    ORANGE,
    RED,
    SPEECH,
    YELLOW,
    About,
    Query,
    graph,
    means,
    quantile_by,
    quantiles,
)
from dashboards.generate.slo import BAD_CODES

CODE_COLOURS: Final = {
    "OK": GREEN,
    "Canceled": BLUE,
    "InvalidArgument|NotFound|Unimplemented|FailedPrecondition|OutOfRange": YELLOW,
    "ResourceExhausted": ORANGE,
    "DeadlineExceeded|Internal|Unavailable|Unknown|DataLoss": RED,
}


def _handled_by_method(codes: str) -> str:
    matchers = f'{CALLS}, grpc_code=~"{codes}"'
    return f"sum by (grpc_service, grpc_method) (rate(grpc_server_handled_total{{{matchers}}}[$__rate_interval]))"


CALLS_ROW: Final = Row(
    "Calls: rate, errors, duration (without probes and reflection)",
    (
        graph(
            "Calls by method",
            "reqps",
            [
                Query(
                    "sum by (grpc_service, grpc_method) "
                    f"(rate(grpc_server_started_total{{{CALLS}}}[$__rate_interval]))",
                    "{{grpc_service}}/{{grpc_method}}",
                )
            ],
            About(
                "Calls started, per second.",
                "follows your traffic.",
                "a sudden drop with a healthy server: clients cannot reach it. `_OTHER` is calls of unknown "
                "methods: a client with the wrong API, or a scanner.",
            ),
            links=(to_traces("Traces"),),
        ),
        graph(
            "Calls ended, by code",
            "reqps",
            [
                Query(
                    f"sum by (grpc_code) (rate(grpc_server_handled_total{{{CALLS}}}[$__rate_interval])) > 0",
                    "{{grpc_code}}",
                )
            ],
            About(
                "Calls that ended, per second, by status code.",
                "green; some blue is cancelled by clients.",
                "red is server errors: follow the link to the traces. Orange: overload, see Saturation below. "
                "Yellow: clients send invalid requests.",
            ),
            stacked=True,
            bars=True,
            colours=CODE_COLOURS,
            links=(FAILED_TRACES, BAD_LINES),
        ),
        graph(
            "Ratio of failed calls",
            "percentunit",
            [
                Query(
                    f"{_handled_by_method(BAD_CODES)} / ({_handled_by_method('OK|' + BAD_CODES)} > 0)",
                    "{{grpc_service}}/{{grpc_method}}",
                )
            ],
            About(
                f"Share of calls that ended with {BAD_CODES.replace('|', ', ')}. Invalid and cancelled calls "
                "are not counted.",
                "0; the line is the objective of the SLO, 1 in 1000.",
                "see Phonoscope / SLO for the error budget, and the traces for the cause.",
                "PhonoscopeErrorBudgetBurn",
            ),
            lines=((0.001, ORANGE),),
            links=(FAILED_TRACES, BAD_LINES),
        ),
        graph(
            "Duration, p50 by method",
            "s",
            quantile_by("grpc_server_handling_seconds", CALLS, 50, "grpc_service", "grpc_method"),
            About(
                "Duration of calls, p50.",
                "steady. It depends on the length of texts, and a stream lasts until its client has read it.",
                "compare with the characters per request below first.",
            ),
        ),
        graph(
            "Duration, p99 by method",
            "s",
            quantile_by("grpc_server_handling_seconds", CALLS, 99, "grpc_service", "grpc_method"),
            About(
                "Duration of calls, p99. Each dot is a call: click it for its trace.",
                "a few times the p50.",
                "far above the p50: open the dots at the top, and check which stage is long.",
            ),
        ),
        graph(
            "Calls in flight",
            "short",
            [
                Query(
                    f"sum by (grpc_service, grpc_method) (grpc_server_in_flight{{{CALLS}}})",
                    "{{grpc_service}}/{{grpc_method}}",
                )
            ],
            About(
                "Calls in progress.",
                "returns to 0 when traffic stops.",
                "rises while the rate does not: calls accumulate; see the queue below.",
            ),
        ),
    ),
)

TRAFFIC_ROW: Final = Row(
    "Requests and responses",
    (
        graph(
            "Characters in a request",
            "short",
            [*quantiles("tts_request_characters", SPEECH, (50, 99)), *means("tts_request_characters", SPEECH)],
            About(
                "Length of the texts of completed requests.",
                "the usual texts of your clients.",
                "an increase explains longer calls and a longer queue.",
            ),
            width=6,
        ),
        graph(
            "Audio in a request",
            "s",
            [*quantiles("tts_request_audio_seconds", SPEECH, (50, 99)), *means("tts_request_audio_seconds", SPEECH)],
            About(
                "Audio of completed requests.",
                "the usual requests of your clients.",
                "an increase explains longer calls. Above 95 s, clients must use streams.",
            ),
            width=6,
        ),
        graph(
            "Characters per second",
            "short",
            [
                Query(
                    f"sum by (voice_model) (rate(tts_characters_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "Characters of completed requests.",
                "follows your traffic; speech has about 15 characters per second.",
                "if audio increases and this does not, requests do not complete.",
            ),
            width=6,
            stacked=True,
        ),
        graph(
            "Messages per second",
            "short",
            [
                Query(f"sum(rate(grpc_server_msg_received_total{{{CALLS}}}[$__rate_interval]))", "received"),
                Query(f"sum(rate(grpc_server_msg_sent_total{{{CALLS}}}[$__rate_interval]))", "sent"),
            ],
            About(
                "gRPC messages in and out.",
                "many more sent than received, if clients use streams.",
                "as many as received: no client uses streams, so all wait for the whole audio.",
            ),
            width=6,
        ),
        graph(
            "Bytes per second",
            "Bps",
            [
                Query(f"sum(rate(grpc_server_msg_received_bytes_sum{{{CALLS}}}[$__rate_interval]))", "received"),
                Query(f"sum(rate(grpc_server_msg_sent_bytes_sum{{{CALLS}}}[$__rate_interval]))", "sent"),
            ],
            About(
                "Payload in and out, without framing and TLS.",
                "44 kB per second for each utterance at 22 050 Hz.",
                "compare with the bandwidth of the network; compressed encodings are smaller.",
            ),
            width=12,
        ),
        graph(
            "Size of a message, p99",
            "bytes",
            [
                *(
                    Query(query.expr, f"{direction} p99")
                    for direction in ("received", "sent")
                    for query in quantiles(f"grpc_server_msg_{direction}_bytes", CALLS, (99,))
                ),
            ],
            About(
                "Size of messages, p99.",
                "sent far below 4 MiB, the default limit of clients.",
                "near 4 MiB: unary calls with long texts, which are rejected above; clients should use streams.",
            ),
            width=12,
            lines=((4 * 2**20, RED),),
        ),
    ),
)
