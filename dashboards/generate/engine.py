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
from dashboards.generate.recordings import RECORDINGS_ROW

STAGES: Final = Row(
    "Where a request's time goes",
    (
        graph(
            "Requests in each stage, on average",
            "short",
            [Query(f"sum by (stage) (rate(tts_stage_seconds_sum{{{SPEECH}}}[$__rate_interval]))", "{{stage}}")],
            About(
                "Seconds spent in each stage, per second: the number of requests in it. In order: split, "
                "phonemize, queue, prepare, render, encode.",
                "mostly render.",
                "queue (red) is the largest: the engine is saturated, add replicas. phonemize: very long sentences.",
            ),
            stacked=True,
            colours=STAGE_COLOURS,
        ),
        graph(
            "Time of a stage, p50",
            "s",
            quantile_by("tts_stage_seconds", SPEECH, 50, "stage"),
            About(
                "Duration of stages, p50.",
                "steady; milliseconds, except for render and queue.",
                "only one stage grows: compare with a normal day and with the requests.",
            ),
            colours=STAGE_COLOURS,
        ),
        graph(
            "Time of a stage, p99",
            "s",
            quantile_by("tts_stage_seconds", SPEECH, 99, "stage"),
            About(
                "Duration of stages, p99. Each dot is a request: click it for its trace.",
                "a few times the p50.",
                "open the dots at the top; the trace of a request links to its batches.",
            ),
            colours=STAGE_COLOURS,
            links=(to_traces("Traces of slow batches", 'name = "tts.batch" && duration > 100ms'),),
        ),
        graph(
            "Time to encode a request, p99",
            "s",
            quantile_by("tts_encode_seconds", SPEECH, 99, "encoding"),
            About(
                "Encoding time of requests, p99, by encoding. Each dot is a request.",
                "hundredths of a second; MP3, AAC and Opus take the most.",
                "it grows with the audio of a request; if that did not grow, check CPU and event loop lag.",
            ),
            width=12,
        ),
        graph(
            "Time spent on encoding",
            "percentunit",
            [Query(f"sum by (encoding) (rate(tts_encode_seconds_sum{{{SPEECH}}}[$__rate_interval]))", "{{encoding}}")],
            About(
                "Share of time spent on encoding, by encoding.",
                "a few hundredths; it grows with the amount of audio.",
                "above 20 % per server: streams wait for each other's encoding; add replicas, or use WAV.",
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
                "Time from admission to the first batch. Each cell counts requests.",
                "one dark band at the bottom, in milliseconds.",
                "the band rises: the requests exceed the capacity of the engine.",
                "PhonoscopeQueueSaturated",
            ),
            width=8,
        ),
        graph(
            "Wait for the engine, quantiles",
            "s",
            quantiles("tts_queue_wait_seconds", SPEECH),
            About(
                "The same as quantiles.",
                "p95 below 0.1 s, of 0.25 s for first audio.",
                "p50 low and p99 high: bursts. Both high: add replicas.",
                "PhonoscopeQueueSaturated",
            ),
            lines=((0.25, RED),),
        ),
        graph(
            "Requests held, and capacity",
            "short",
            [
                Query(f"sum by (instance) (tts_queue_depth{{{SERVER}}})", "held {{instance}}"),
                Query(f"sum by (instance) (tts_queue_capacity{{{SERVER}}})", "capacity {{instance}}"),
            ],
            About(
                "Requests that wait or are in progress, and the limit (--max-requests), by server.",
                "far below the limit, and similar on all servers.",
                "one server only: the load balancer does not distribute calls, as with one long-lived gRPC channel.",
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
                "Share of time in which the engine is busy, by voice and stage. One engine is at most 100 %.",
                "the sum is below 80 % per engine.",
                "check which voice uses it; prepare depends on sentences, render on seconds of audio.",
            ),
            stacked=True,
            width=6,
        ),
        graph(
            "Audio per second of engine time",
            "s",
            [
                Query(
                    f"sum(rate(tts_audio_seconds_total{{{SPEECH}}}[$__rate_interval])) / (sum({BUSY}) > 0)",
                    "audio seconds",
                )
            ],
            About(
                "Seconds of audio per busy second of the engine, with batches: the streams that it can sustain.",
                "rises with load, because larger batches are more efficient.",
                "below 1, streams cannot keep up. If it falls without load: other processes, or a throttled GPU.",
                "PhonoscopeSlowerThanRealTime",
            ),
            lines=((1, RED),),
            width=6,
        ),
        graph(
            "Estimates of admission",
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
                "Demand: share of the engine's time that the current requests need. Slowdown: latest batches by the "
                "fastest ones. The others: the estimates of admission.",
                "demand below 0.6, slowdown between 1 and 2.",
                "demand at 0.6: saturated, add replicas. Slowdown above 3: other processes use the CPU.",
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
                "not 0 without traffic: a client does not read; see calls in flight on the overview.",
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
                "Loaded voices by server and device, with their load time.",
                "every voice on every server, on the expected device, in about a second.",
                "a voice is missing: the log has the cause. CPU instead of GPU: no driver at the start.",
                "PhonoscopeModelNotReady",
            ),
            columns={"voice_model": "Voice", "device": "Device", "instance": "Server", "Value": "Load time"},
            width=6,
        ),
        graph(
            "Unsupported phonemes",
            "short",
            [
                Query(
                    f"sum by (voice_model) (increase(tts_unknown_phonemes_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{voice_model}}",
                )
            ],
            About(
                "Phonemes that the voice does not support, and that are not spoken.",
                "near 0.",
                "texts in another language than the voice's: load a voice for it, or tell the clients.",
            ),
            width=6,
        ),
        graph(
            "Characters not spoken",
            "short",
            [
                Query(
                    f"sum by (kind) (increase(tts_characters_unspoken_total{{{SPEECH}}}[$__rate_interval]))",
                    "{{kind}}",
                )
            ],
            About(
                "Characters of texts that have no reading in the voice's language, by kind; they are skipped.",
                "emoji and format characters only.",
                "letter: texts in another script; load a voice for it. control or private_use: a client sends bytes "
                "or icons as text.",
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
                "Entries of the lexicon files in use; current is 1 for the content on disk, 0 for older content.",
                "current is 1, with the expected number of entries; 0 entries without a file.",
                "current is 0: a changed file cannot be read; the server's log has the file and line.",
                "PhonoscopeLexiconRefused",
            ),
            width=6,
        ),
        graph(
            "Event loop lag",
            "s",
            quantiles("tts_event_loop_lag_seconds", SERVER),
            About(
                "Delay of the event loop; every call waits for it.",
                "p99 in milliseconds.",
                "above 0.1 s: usually too little CPU for the process; it also delays health checks.",
                "PhonoscopeEventLoopSlow",
            ),
            width=6,
            lines=((0.1, RED),),
        ),
        graph(
            "Start",
            "s",
            [
                Query(f"sum by (phase, instance) (tts_startup_seconds{{{SERVER}}})", "{{phase}} {{instance}}"),
            ],
            About(
                "Time of each phase of the latest start, stacked: the sum is the time to SERVING.",
                "4 s in sum on a CPU with the embedded voice.",
                "long import phases: a slow or cold disk. load_voices: many voices, or a download. warm_up on a GPU: "
                "CUDA graphs.",
                "PhonoscopeModelNotReady",
            ),
            width=6,
            stacked=True,
        ),
        graph(
            "Idle work pending",
            "short",
            [Query(f"max by (engine, instance) (tts_idle_work_pending{{{SERVER}}})", "{{engine}} {{instance}}")],
            About(
                "Preparations that the engine has left for times without requests.",
                "0 some seconds after the start.",
                "above 0 for minutes: requests never pause. Texts of new lengths take up to some tenths of a second "
                "longer.",
            ),
            width=6,
        ),
        graph(
            "Memory of the process",
            "bytes",
            [Query(f"process_resident_memory_bytes{{{SERVER}}}", "{{instance}}")],
            About(
                "Resident memory of the server: libraries, voices, and the code that oneDNN keeps for each length.",
                "constant once no idle work is pending.",
                "rises for hours: a leak; note version and traffic, restart, and report it.",
            ),
            width=6,
        ),
    ),
)

BOARD: Final = Board(
    "engine",
    "Engine",
    "Causes of slow requests: stages, queue, utilisation, batches, streams and the process.",
    (STAGES, QUEUE, UTILISATION, BATCHES_ROW, STREAMS, RECORDINGS_ROW, PROCESS),
    variables=(INSTANCE, VOICE),
    links=(
        to_traces("Traces"),
        to_logs("Logs of the engine", '| event=~"engine_raised|voice_loaded|voice_skipped|lexicon_.*"'),
    ),
)
