"""The first dashboard to open: is it up, who calls, do they hear in time, is there room? From top to bottom."""

from typing import Final

from dashboards.generate.board import INSTANCE, METHOD, VOICE, Board, Row
from dashboards.generate.calls import CALLS_ROW, TRAFFIC_ROW
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
                "Whether Prometheus can scrape every server that is chosen above.",
                "UP.",
                "a process is gone, or its metrics port cannot be reached.",
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
                "What grpc.health.v1 answers, the worst service counting.",
                "SERVING, but for the seconds of a start or a drain.",
                "the server lives and loads voices, or drains; for longer than a minute, look at its log.",
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
                "a voice was skipped at the start: its file is bad or missing, and the log names it (voice_skipped).",
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
                "Version, commit, device and precision of what runs.",
                "one line: every replica runs the same.",
                "several lines outside of a rollout: it has stopped half-way.",
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
                "How many alerts fire now, of all that this Prometheus knows.",
                "0.",
                "the red marks in the graphs name them; each has a page in docs/runbooks.",
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
                "younger: it restarted by itself; the last lines of the log before that say why.",
                "PhonoscopeServerRestarting",
            ),
            links=(to_logs("Log lines of starts and stops", '| event=~"listening|ready|draining|stopped"'),),
        ),
    ),
)

SATURATION_ROW: Final = Row(
    "Saturation: is there room?",
    (
        graph(
            "Requests held, and how many may be",
            "short",
            [
                Query(f"sum(tts_queue_depth{{{SERVER}}})", "held"),
                Query(f"sum(tts_queue_capacity{{{SERVER}}})", "capacity"),
            ],
            About(
                "Requests that wait or are being spoken, and the limit (--max-requests).",
                "far below the limit.",
                "at the limit callers are refused with RESOURCE_EXHAUSTED: add replicas.",
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
                "rises and falls with traffic; divided by the audio made each second, it is the wait.",
                "climbs steadily: more is asked for than the engine can speak.",
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
                "Share of time that each server's engine works.",
                "below 80 %: bursts find room.",
                "above the red line there is no room left, and waiting grows without bound: add replicas.",
            ),
            width=6,
            lines=((0.8, ORANGE), (0.95, RED)),
        ),
        graph(
            "Refused, by reason",
            "reqps",
            [
                Query(
                    "sum by (reason) "
                    f'(rate(tts_requests_total{{{SPEECH}, outcome="rejected"}}[$__rate_interval])) > 0',
                    "{{reason}}",
                )
            ],
            About(
                "Requests refused, each second, by the reason that the caller was told.",
                "nothing.",
                "QUEUE_FULL, AUDIO_OWED_FULL and CAPACITY_FULL: too little room. ENGINE_LOST: restart the server. All "
                "others: a client needs a fix, and its request id is in the log.",
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
    "Is it up, who calls, do they hear in time, is there room? Read from the top; each row leads to a dashboard.",
    (STATUS, CALLS_ROW, SPEECH_ROW, SATURATION_ROW, TRAFFIC_ROW, GATEWAY_ROW),
    variables=(INSTANCE, VOICE, METHOD),
    links=(to_traces("Traces"), to_logs("Logs")),
)
