"""Where a request's time goes, and whether the engine is used well: stages, batches, queue, utilisation, streams."""

from typing import Final

from dashboards.generate.batches import BATCHES_ROW, BUSY, STAGE_COLOURS, STREAMS
from dashboards.generate.board import INSTANCE, VOICE, Board, Row
from dashboards.generate.links import to_logs, to_traces
from dashboards.generate.panels import (
    RED,
    SERVER,
    SPEECH,
    About,
    Query,
    graph,
    heatmap,
    quantile_by,
    quantiles,
    table,
)

STAGES: Final = Row(
    "Where a request's time goes",
    (
        graph(
            "Requests in each stage, on average",
            "short",
            [Query(f"sum by (stage) (rate(tts_stage_seconds_sum{{{SPEECH}}}[$__rate_interval]))", "{{stage}}")],
            About(
                "Seconds spent in each stage, each second: so many requests are in it at a time. In order: split, "
                "phonemize, queue, prepare, render, encode.",
                "mostly render.",
                "queue (red) is the largest: the engine is full, add replicas. phonemize: very long sentences.",
            ),
            stacked=True,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Time of a stage, p50",
            "s",
            quantile_by("tts_stage_seconds", SPEECH, 50, "stage"),
            About(
                "How long half of the stages take at most.",
                "steady; all but render and queue in milliseconds.",
                "one stage grows by itself: compare with a good day and with what callers send.",
            ),
            colours=STAGE_COLOURS,
        ),
        graph(
            "Time of a stage, p99",
            "s",
            quantile_by("tts_stage_seconds", SPEECH, 99, "stage"),
            About(
                "How long 99 of 100 take at most. Each dot is a request: click it for its trace.",
                "a few times the p50.",
                "open the dots at the top; the batch that a request was in is linked from its trace.",
            ),
            colours=STAGE_COLOURS,
            links=(to_traces("Traces of slow batches", 'name = "tts.batch" && duration > 100ms'),),
        ),
        graph(
            "Time to encode a request, p99",
            "s",
            quantile_by("tts_encode_seconds", SPEECH, 99, "encoding"),
            About(
                "How long 99 of 100 requests spend on becoming bytes, by encoding. Each dot is a request.",
                "hundredths of a second; MP3, AAC and Opus take the most.",
                "it grows with a request's audio: if that did not grow, look at the event loop's lag below.",
            ),
            width=12,
        ),
        graph(
            "Time spent on encoding",
            "percentunit",
            [Query(f"sum by (encoding) (rate(tts_encode_seconds_sum{{{SPEECH}}}[$__rate_interval]))", "{{encoding}}")],
            About(
                "Share of time that event loops encode, by encoding. One server has one loop: 100 %.",
                "a few hundredths; it grows with the audio that is made.",
                "above 20 % of a server: streams wait for each other's encoding; add replicas, or ask for WAV.",
            ),
            width=12,
            stacked=True,
        ),
    ),
)

QUEUE: Final = Row(
    "The queue",
    (
        heatmap(
            "Wait for the engine",
            "s",
            "tts_queue_wait_seconds",
            SPEECH,
            About(
                "From admission to the first turn of the engine. Each cell counts requests.",
                "one dark band at the bottom, in milliseconds.",
                "the band climbs: more is asked for than the engine can do.",
                "PhonoscopeQueueSaturated",
            ),
            width=8,
        ),
        graph(
            "Wait for the engine, quantiles",
            "s",
            quantiles("tts_queue_wait_seconds", SPEECH),
            About(
                "The same as lines.",
                "p95 below 0.1 s: first audio has 0.25 s in all.",
                "p50 low and p99 high: bursts. Both high: add replicas.",
                "PhonoscopeQueueSaturated",
            ),
            lines=((0.25, RED),),
        ),
        graph(
            "Requests held, and how many may be",
            "short",
            [
                Query(f"sum by (instance) (tts_queue_depth{{{SERVER}}})", "held {{instance}}"),
                Query(f"sum by (instance) (tts_queue_capacity{{{SERVER}}})", "capacity {{instance}}"),
            ],
            About(
                "Requests that wait or are being spoken, and the limit (--max-requests), for each server.",
                "far below the limit, and alike on all servers.",
                "one server only: the load balancer pins callers to it, as it does with one long-lived gRPC channel.",
                "PhonoscopeQueueSaturated",
            ),
            colours={"capacity.*": RED},
        ),
    ),
)

UTILISATION: Final = Row(
    "Utilisation",
    (
        graph(
            "Engine time by voice and stage",
            "percentunit",
            [Query(f"sum by (voice_model, stage) ({BUSY})", "{{voice_model}} {{stage}}")],
            About(
                "Share of time that the engine works, by what it works on. One engine gives 100 %.",
                "the sum stays below 80 % of the engines that you run.",
                "see which voice takes it; prepare grows with sentences, render with seconds of audio.",
            ),
            stacked=True,
            width=6,
        ),
        graph(
            "Audio made in a second of engine time",
            "s",
            [
                Query(
                    f"sum(rate(tts_audio_seconds_total{{{SPEECH}}}[$__rate_interval])) / (sum({BUSY}) > 0)",
                    "audio seconds",
                )
            ],
            About(
                "How fast the engine is while it works, batches included: voices that one engine could speak at once.",
                "rises with load, since larger batches are cheaper.",
                "falls below 1: no stream keeps up. By itself: other work on the machine, or a GPU that throttles.",
                "PhonoscopeSlowerThanRealTime",
            ),
            lines=((1, RED),),
            width=6,
        ),
        graph(
            "What admission expects",
            "short",
            [
                Query(f"max by (instance) (tts_engine_demand_ratio{{{SERVER}}})", "demand {{instance}}"),
                Query(f"max by (instance) (tts_engine_slowdown_ratio{{{SERVER}}})", "slowdown {{instance}}"),
                Query(
                    f"max by (instance) (tts_estimated_real_time_factor{{{SERVER}}})", "real-time factor {{instance}}"
                ),
                Query(
                    f"max by (instance) (tts_estimated_first_audio_seconds{{{SERVER}}})", "first audio, s {{instance}}"
                ),
            ],
            About(
                "Demand: share of the engine's time that the requests held need. Slowdown: the latest turns by the "
                "best ones. The others: what admission expects of the next request.",
                "demand below 0.6, slowdown between 1 and 2.",
                "demand at 0.6: full, add replicas. Slowdown above 3: something else uses the processor.",
                "PhonoscopeRefusingWhileIdle",
            ),
            lines=((0.6, RED),),
            width=6,
        ),
        graph(
            "Audio owed",
            "s",
            [Query(f"sum by (instance) (tts_audio_seconds_owed{{{SERVER}}})", "{{instance}}")],
            About(
                "Seconds of audio still to be made for the requests held.",
                "returns to 0 when traffic stops.",
                "stays up with no traffic: a reader that does not read; see calls in flight in the overview.",
            ),
            width=6,
        ),
    ),
)

PROCESS: Final = Row(
    "Voices and process",
    (
        table(
            "Voices in memory",
            "s",
            Query(f"sum by (voice_model, device, instance) (tts_model_load_seconds{{{SPEECH}}})", "{{voice_model}}"),
            About(
                "What is loaded where, and how long that took at the start.",
                "every voice on every server, on the device that you expect, in a second or so.",
                "a voice is missing: the log says why. A CPU where you expect a GPU: no driver at the start.",
                "PhonoscopeModelNotReady",
            ),
            columns={"voice_model": "Voice", "device": "Device", "instance": "Server", "Value": "Load time"},
            width=6,
        ),
        graph(
            "Phonemes without a sound",
            "short",
            [
                Query(
                    f"sum by (voice_model) (increase(tts_unknown_phonemes_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "Phonemes of texts that the voice has no sound for: they are left out of the speech.",
                "0 or nearly.",
                "texts in another language than the voice's: tell the callers, or load a voice for it.",
            ),
            width=6,
        ),
        graph(
            "Lexicon",
            "short",
            [
                Query(f"max by (instance) (tts_lexicon_entries{{{SERVER}}})", "entries, {{instance}}"),
                Query(f"min by (instance) (tts_lexicon_current{{{SERVER}}})", "current, {{instance}}"),
            ],
            About(
                "Entries of the lexicon files in use, and whether they are those on disk (1) or older ones (0).",
                "current at 1, entries as many as you wrote; 0 entries where no file is set.",
                "current at 0: a file was changed and cannot be read; the server's log says which, and at what line.",
                "PhonoscopeLexiconRefused",
            ),
            width=6,
        ),
        graph(
            "Event loop lag",
            "s",
            quantiles("tts_event_loop_lag_seconds", SERVER),
            About(
                "How late the event loop comes to its next turn; every call waits for it.",
                "p99 in milliseconds.",
                "above 0.1 s: too little CPU for the process, most often; health checks suffer too.",
                "PhonoscopeEventLoopSlow",
            ),
            width=6,
            lines=((0.1, RED),),
        ),
    ),
)

BOARD: Final = Board(
    "engine",
    "Engine",
    "Why is it slow? Stages first, then the queue, utilisation, batches, streams and the process.",
    (STAGES, QUEUE, UTILISATION, BATCHES_ROW, STREAMS, PROCESS),
    variables=(INSTANCE, VOICE),
    links=(
        to_traces("Traces"),
        to_logs("Logs of the engine", '| event=~"engine_raised|voice_loaded|voice_skipped|lexicon_.*"'),
    ),
)
