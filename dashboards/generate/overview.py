"""The first dashboard to open: is it up, who calls, do they hear in time, is there room? From top to bottom."""

from typing import Final

from dashboards.generate.board import INSTANCE, METHOD, VOICE, Board, Row
from dashboards.generate.calls import CALLS_ROW, TRAFFIC_ROW
from dashboards.generate.emotion import EMOTION_ROW
from dashboards.generate.gateway import GATEWAY_ROW
from dashboards.generate.links import to_logs, to_traces
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SERVER,
    SPEECH,
    About,
    Query,
    graph,
    stat,
)
from dashboards.generate.slo import budget_left
from dashboards.generate.speech import SPEECH_ROW

STATUS: Final = Row(
    "Status",
    (
        stat(
            "Server",
            "short",
            [Query(f"min(up{{{SERVER}}})", "up")],
            About(
                "Whether Prometheus can scrape all selected servers.",
                "UP.",
                "a process has stopped, or its metrics port cannot be reached.",
                "PhonoscopeServerDown",
            ),
            steps=((None, RED), (1, GREEN)),
            values={"0": ("DOWN", RED), "1": ("UP", GREEN)},
        ),
        stat(
            "Ready",
            "short",
            [Query(f'min(tts_health_status{{{SERVER}, service!="liveness"}})', "health")],
            About(
                "The status of grpc.health.v1; with several services, the worst one.",
                "SERVING, except for seconds during a start or a drain.",
                "the server is loading voices or draining; after more than a minute, check its log.",
                "PhonoscopeModelNotReady",
            ),
            steps=((None, RED), (1, GREEN)),
            values={"0": ("NOT SERVING", RED), "1": ("SERVING", GREEN)},
            links=(to_logs("Log lines about health", '| event=~"health_changed|voice_loaded|voice_skipped|ready"'),),
        ),
        stat(
            "Voices",
            "short",
            [Query(f"count(count by (voice_model) (tts_model_loaded{{{SERVER}}} == 1))", "voices")],
            About(
                "How many voices are in memory.",
                "as many as you deploy.",
                "a voice was skipped at the start because of its file; the log names it (voice_skipped).",
            ),
            steps=((None, RED), (1, GREEN)),
            links=(to_logs("Log lines about voices", '| event=~"voice_loaded|voice_skipped"'),),
        ),
        stat(
            "Version",
            "short",
            [
                Query(
                    f"max by (version, revision, device, precision) (tts_build_info{{{SERVER}}})",
                    "{{version}} · {{revision}} · {{device}} · {{precision}}",
                )
            ],
            About(
                "Version, commit, device and precision of the running servers.",
                "one line: every replica runs the same.",
                "several lines outside of a rollout: the rollout is incomplete.",
            ),
            width=6,
            by_name=True,
        ),
        budget_left(width=4),
        stat(
            "Alerts firing",
            "short",
            [Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts")],
            About(
                "Number of firing alerts in this Prometheus.",
                "0.",
                "the red marks in the graphs name them; docs/runbooks has a page for each.",
            ),
            width=2,
            steps=((None, GREEN), (1, RED)),
        ),
        stat(
            "Up for",
            "s",
            [Query(f"time() - max(process_start_time_seconds{{{SERVER}}})", "uptime")],
            About(
                "The age of the youngest process.",
                "as old as your last deployment.",
                "younger: it restarted; check the last lines of the log before the restart.",
                "PhonoscopeServerRestarting",
            ),
            links=(to_logs("Log lines of starts and stops", '| event=~"listening|ready|draining|stopped"'),),
        ),
    ),
)

SATURATION_ROW: Final = Row(
    "Saturation: is there capacity left?",
    (
        graph(
            "Requests held, and capacity",
            "short",
            [
                Query(f"sum(tts_queue_depth{{{SERVER}}})", "held"),
                Query(f"sum(tts_queue_capacity{{{SERVER}}})", "capacity"),
            ],
            About(
                "Requests that wait or are in progress, and the limit (--max-requests).",
                "far below the limit.",
                "at the limit requests are rejected with RESOURCE_EXHAUSTED: add replicas.",
                "PhonoscopeQueueSaturated",
            ),
            width=6,
            colours={"capacity": RED, "held": BLUE},
        ),
        graph(
            "Audio owed",
            "s",
            [Query(f"sum(tts_audio_seconds_owed{{{SERVER}}})", "owed")],
            About(
                "Seconds of audio still to be made for the requests held.",
                "rises and falls with traffic; divided by the audio rendered per second, it is the waiting time.",
                "rises steadily: the requests exceed the capacity of the engine.",
            ),
            width=6,
        ),
        graph(
            "Engine utilisation",
            "percentunit",
            [
                Query(
                    f"sum by (instance) (rate(tts_engine_busy_seconds_total{{{SERVER}}}[$__rate_interval]))",
                    "{{instance}}",
                )
            ],
            About(
                "Share of time in which each server's engine is busy.",
                "below 80 %, which leaves capacity for bursts.",
                "above the red line the engine is saturated, and waiting times grow without limit: add replicas.",
            ),
            width=6,
            lines=((0.8, ORANGE), (0.95, RED)),
        ),
        graph(
            "Rejected requests, by reason",
            "reqps",
            [
                Query(
                    "sum by (reason) "
                    f'(rate(tts_requests_total{{{SPEECH}, outcome="rejected"}}[$__rate_interval])) > 0',
                    "{{reason}}",
                )
            ],
            About(
                "Rejected requests per second, by reason.",
                "nothing.",
                "QUEUE_FULL, AUDIO_OWED_FULL and CAPACITY_FULL: too little capacity. ENGINE_LOST: restart the server. "
                "Others: a client needs a fix, and its request id is in the log.",
            ),
            width=6,
            stacked=True,
            bars=True,
            colours={"QUEUE_FULL|AUDIO_OWED_FULL|CAPACITY_FULL|ENGINE_LOST": RED, "WARMING_UP|DRAINING": GREY},
            links=(to_logs("Log lines of refusals", '| outcome="rejected"'),),
        ),
    ),
)

BOARD: Final = Board(
    "overview",
    "Overview",
    "Availability, traffic, latency and saturation. Read from the top; the links lead to details.",
    (STATUS, CALLS_ROW, SPEECH_ROW, SATURATION_ROW, TRAFFIC_ROW, GATEWAY_ROW, EMOTION_ROW),
    variables=(INSTANCE, VOICE, METHOD),
    links=(to_traces("Traces"), to_logs("Logs")),
)
