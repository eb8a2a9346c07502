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
    "Calls: rate, errors, duration (probes and reflection left out)",
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
                "Calls that came in, each second.",
                "follows your traffic.",
                "a sudden fall with a healthy server: callers cannot reach it. `_OTHER` is calls to what is not "
                "served: a client with the wrong contract, or a scanner.",
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
                "Calls that ended, each second, by the code that the caller saw.",
                "green; some blue is callers who hang up.",
                "red is ours: follow the link to the traces. Orange: the server is full, see Saturation below. "
                "Yellow: a client sends what the contract does not have.",
            ),
            stacked=True,
            bars=True,
            colours=CODE_COLOURS,
            links=(FAILED_TRACES, BAD_LINES),
        ),
        graph(
            "Calls that got no speech through our fault",
            "percentunit",
            [
                Query(
                    f"{_handled_by_method(BAD_CODES)} / ({_handled_by_method('OK|' + BAD_CODES)} > 0)",
                    "{{grpc_service}}/{{grpc_method}}",
                )
            ],
            About(
                f"Share of calls that ended with {BAD_CODES.replace('|', ', ')}. Mistakes and hang-ups of callers "
                "count neither way.",
                "0; the line is what the SLO allows in the long run, 1 in 1000.",
                "see Phonoscope / SLO for how long the budget lasts, and the traces for the cause.",
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
                "How long half of the calls take at most, from start to end.",
                "steady. It grows with the text: a stream lasts as long as its caller reads.",
                "compare with characters per request below before you blame the server.",
            ),
        ),
        graph(
            "Duration, p99 by method",
            "s",
            quantile_by("grpc_server_handling_seconds", CALLS, 99, "grpc_service", "grpc_method"),
            About(
                "How long 99 of 100 calls take at most. Each dot is a call: click it for its trace.",
                "a few times the p50.",
                "far above the p50: open the dots at the top, and see which stage is long.",
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
                "Calls being handled now.",
                "returns to 0 when traffic stops.",
                "climbs while the rate does not: calls pile up; see the queue below.",
            ),
        ),
    ),
)

TRAFFIC_ROW: Final = Row(
    "What callers send and get",
    (
        graph(
            "Characters in a request",
            "short",
            [*quantiles("tts_request_characters", SPEECH, (50, 99)), *means("tts_request_characters", SPEECH)],
            About(
                "Length of the texts of completed requests.",
                "what your callers usually send.",
                "a jump explains longer calls and a fuller queue.",
            ),
            width=6,
        ),
        graph(
            "Audio in a request",
            "s",
            [*quantiles("tts_request_audio_seconds", SPEECH, (50, 99)), *means("tts_request_audio_seconds", SPEECH)],
            About(
                "Audio of completed requests.",
                "what your callers usually ask for.",
                "a jump explains longer calls. Above 95 s, callers must stream.",
            ),
            width=6,
        ),
        graph(
            "Characters read each second",
            "short",
            [
                Query(
                    f"sum by (voice_model) (rate(tts_characters_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "Characters of completed requests.",
                "follows your traffic; speech is some 15 characters a second.",
                "audio made grows and this does not: requests do not complete.",
            ),
            width=6,
            stacked=True,
        ),
        graph(
            "Messages each second",
            "short",
            [
                Query(f"sum(rate(grpc_server_msg_received_total{{{CALLS}}}[$__rate_interval]))", "received"),
                Query(f"sum(rate(grpc_server_msg_sent_total{{{CALLS}}}[$__rate_interval]))", "sent"),
            ],
            About(
                "gRPC messages in and out.",
                "many more sent than received where callers stream.",
                "as many as received: nobody streams, and everybody waits for all of the audio.",
            ),
            width=6,
        ),
        graph(
            "Bytes each second",
            "Bps",
            [
                Query(f"sum(rate(grpc_server_msg_received_bytes_sum{{{CALLS}}}[$__rate_interval]))", "received"),
                Query(f"sum(rate(grpc_server_msg_sent_bytes_sum{{{CALLS}}}[$__rate_interval]))", "sent"),
            ],
            About(
                "Payload in and out, without framing and TLS.",
                "44 kB a second sent for each voice that speaks at 22 050 Hz.",
                "compare with the network's limit; compressed encodings are cheaper.",
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
                "The largest messages but for 1 of 100.",
                "sent far below 4 MiB, which is what clients accept.",
                "near 4 MiB: long texts by unary calls, which are refused beyond; callers should stream.",
            ),
            width=12,
            lines=((4 * 2**20, RED),),
        ),
    ),
)
