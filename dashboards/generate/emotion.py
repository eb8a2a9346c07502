"""Row of the overview about emotions: what the server asks of the emotion service, and how that service does."""

from typing import Final

from dashboards.generate.board import Row
from dashboards.generate.links import to_traces
from dashboards.generate.panels import GREEN, ORANGE, RED, SERVER, About, Query, graph, quantiles

EMOTION: Final = 'job="emotion"'
OUTCOME_COLOURS: Final = {"ok": GREEN, "refused": ORANGE, "timeout|unavailable|overloaded|invalid_answer": RED}

EMOTION_ROW: Final = Row(
    "Emotion: requests with the emotion auto, and the emotion service",
    (
        graph(
            "Emotion calls by outcome",
            "reqps",
            [Query(f"sum by (outcome) (rate(tts_emotion_calls_total{{{SERVER}}}[$__rate_interval]))", "{{outcome}}")],
            About(
                "Calls of the emotion service by the speech server, per second: one for each sentence.",
                "all green. Empty: no request has the emotion auto, or the server has no `--emotion-address`.",
                "red: the service is slow, overloaded or away. Orange: languages that it does not know.",
                "PhonoscopeEmotionFallbacks",
            ),
            stacked=True,
            colours=OUTCOME_COLOURS,
        ),
        graph(
            "Sentences spoken neutrally, by reason",
            "reqps",
            [
                Query(
                    f"sum by (reason) (rate(tts_emotion_fallbacks_total{{{SERVER}}}[$__rate_interval]))", "{{reason}}"
                )
            ],
            About(
                "Sentences per second whose emotion was to be found and was not.",
                "0.",
                "circuit_open: the service failed five times in a row, and is asked again after five seconds.",
                "PhonoscopeEmotionFallbacks",
            ),
            stacked=True,
            links=(to_traces("Traces of neutral sentences", 'span.tts.emotion.fallback != ""'),),
        ),
        graph(
            "Time of an emotion call",
            "s",
            quantiles("tts_emotion_seconds", SERVER),
            About(
                "Time of a call of the emotion service, as the speech server sees it.",
                "p99 below 0.05 s: a first sentence waits no longer.",
                "compare with the time of the model: if that is short, there is a queue, or the network is slow.",
            ),
            lines=((0.05, RED),),
        ),
        graph(
            "Emotion service: time of the model",
            "s",
            quantiles("emotion_model_seconds", EMOTION),
            About(
                "Time that the model takes for a text.",
                "p99 below 0.04 s.",
                "above it the service has too little CPU: give it a core of its own.",
            ),
        ),
        graph(
            "Emotion service: wait for the model",
            "s",
            quantiles("emotion_queue_wait_seconds", EMOTION),
            About(
                "Time from a call to its first batch.",
                "milliseconds.",
                "it grows with the load: add replicas.",
            ),
        ),
        graph(
            "Emotion service: calls held, and capacity",
            "short",
            [
                Query(f"sum by (instance) (emotion_queue_depth{{{EMOTION}}})", "held {{instance}}"),
                Query(f"sum by (instance) (emotion_queue_capacity{{{EMOTION}}})", "capacity {{instance}}"),
            ],
            About(
                "Calls that wait for the model or are in it.",
                "well below the capacity.",
                "at the capacity calls are refused: add replicas, or raise `--max-calls`.",
            ),
        ),
        graph(
            "Emotions found",
            "reqps",
            [Query(f"sum by (emotion) (rate(emotion_texts_total{{{EMOTION}}}[$__rate_interval]))", "{{emotion}}")],
            About(
                "Texts per second by their strongest emotion.",
                "a mixture that fits your texts.",
                "one emotion only: look at the texts, and at the confidence.",
            ),
            stacked=True,
        ),
        graph(
            "Confidence of the emotion model",
            "percentunit",
            quantiles("emotion_confidence", EMOTION),
            About(
                "How sure the model is of the strongest emotion, from 0 to 1.",
                "p50 above 0.6.",
                "it falls: texts unlike those that the model was trained on, such as another kind of text.",
            ),
        ),
        graph(
            "Emotion service: texts of a call",
            "short",
            quantiles("emotion_call_texts", EMOTION),
            About(
                "Texts in one call.",
                "1 from the speech server, which asks sentence by sentence.",
                "large calls are other clients: they take the model from the speech server in batches of eight.",
            ),
        ),
        graph(
            "Emotion service: ready, and replicas by model",
            "short",
            [
                Query(f"min by (instance) (emotion_health_status{{{EMOTION}}})", "ready {{instance}}"),
                Query(
                    f"count by (version, revision, model) (emotion_build_info{{{EMOTION}}})",
                    "{{model}} {{version}} {{revision}}",
                ),
            ],
            About(
                "1 where every service of the process is SERVING; replicas, by model and version.",
                "1, and one model and version.",
                "0 for longer than a start: see its log.",
                "PhonoscopeEmotionDown",
            ),
        ),
        graph(
            "Emotion service: time of the start",
            "s",
            [Query(f"max by (phase) (emotion_startup_seconds{{{EMOTION}}})", "{{phase}}")],
            About(
                "Seconds of each phase of the latest start.",
                "a few seconds in sum.",
                "load_model grew: the disk is slow, or the CPU is busy.",
            ),
        ),
        graph(
            "Emotion service: event loop lag",
            "s",
            quantiles("emotion_event_loop_lag_seconds", EMOTION),
            About(
                "How late the event loop runs its timers.",
                "below 0.01 s.",
                "something blocks the loop, usually too little CPU: every answer is late.",
            ),
        ),
    ),
)
