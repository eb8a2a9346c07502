"""Who watches the watchers: scrapes, traces on their way, Prometheus itself, cardinality, the process, the log."""

from typing import Final

from dashboards.generate.board import Board, Row
from dashboards.generate.links import to_logs, to_traces
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SERVER,
    About,
    Query,
    graph,
    stat,
    words,
)
from dashboards.generate.rules import RULES, SELDOM

COLLECTOR: Final = 'job="otel-collector"'
RESULT_COLOURS: Final = {"exported": GREEN, "failed": RED, "dropped": ORANGE}


def _collected(name: str) -> str:
    """Returns the spans of one counter of the collector, each second; its releases differ in the suffix."""
    return f'sum(rate({{__name__=~"otelcol_{name}_spans(_total)?", {COLLECTOR}}}[$__rate_interval]))'


SCRAPES: Final = Row(
    "Scrapes",
    (
        stat(
            "Targets",
            "short",
            [Query("min by (job) (up)", "{{job}}")],
            About(
                "Whether Prometheus reaches each part of the stack; parts that do not run are not listed.",
                "all UP.",
                "what a part would tell is missing from the dashboards until it is back: `docker compose ps`.",
                "PhonoscopeServerDown",
            ),
            width=8,
            height=8,
            steps=((None, RED), (1, GREEN)),
            values={"0": ("DOWN", RED), "1": ("UP", GREEN)},
        ),
        graph(
            "Duration of a scrape",
            "s",
            [Query("max by (job) (scrape_duration_seconds)", "{{job}}")],
            About(
                "How long a target takes to tell its metrics.",
                "phonoscope below 20 ms.",
                "seconds: the machine has too little CPU, or there are too many series; past 10 s the scrape fails.",
            ),
        ),
        graph(
            "Series told by a server",
            "short",
            [Query(f"max by (instance) (scrape_samples_scraped{{{SERVER}}})", "{{instance}}")],
            About(
                "Samples in one scrape: the cardinality of our metrics.",
                "flat from the start on: labels are bounded by voices, methods and codes.",
                "climbs: something unbounded has become a label; find it with topk(10, count by (__name__) "
                '({job="phonoscope"})).',
            ),
        ),
        graph(
            "Series added",
            "short",
            [Query("sum by (job) (sum_over_time(scrape_series_added[$__rate_interval]))", "{{job}}", scraped=SELDOM)],
            About(
                "Series that a scrape brought which were not there before.",
                "a peak at each start, then nearly 0.",
                "keeps coming: series are made anew all the time, and Prometheus fills its memory.",
            ),
            width=12,
        ),
        graph(
            "Series in Prometheus",
            "short",
            [Query("sum by (instance) (prometheus_tsdb_head_series)", "{{instance}}")],
            About(
                "Series that Prometheus holds in memory, at some 3 KB each.",
                "flat.",
                "climbs: see who adds them, to the left.",
            ),
            width=12,
        ),
    ),
)

TRACES: Final = Row(
    "Traces on their way",
    (
        graph(
            "Spans leaving the server, by result",
            "ops",
            [Query(f"sum by (result) (rate(tts_trace_spans_total{{{SERVER}}}[$__rate_interval]))", "{{result}}")],
            About(
                "Spans that the server sent to the collector (exported), could not send (failed), or dropped since "
                "its queue was full (dropped). No data where no OTLP endpoint is set.",
                "exported alone.",
                "failed: the collector is gone or refuses; speech is not affected. Dropped: sample less, or give the "
                "server more CPU.",
                "PhonoscopeTelemetryExportFailing",
            ),
            width=6,
            stacked=True,
            colours=RESULT_COLOURS,
            links=(
                to_logs("Log lines of the exporter", '| event=~"trace_export_failed|trace_export_recovered"'),
                to_traces("Traces"),
            ),
        ),
        graph(
            "Spans into the collector",
            "ops",
            [
                Query(_collected("receiver_accepted"), "accepted", scraped=SELDOM),
                Query(_collected("receiver_refused"), "refused", scraped=SELDOM),
            ],
            About(
                "Spans that the collector took and refused.",
                "accepted is what all servers export; no refused.",
                "refused: the collector is short of memory (memory_limiter) or its exporter is stuck.",
                "PhonoscopeTelemetryExportFailing",
            ),
            width=6,
            colours={"accepted": GREEN, "refused": RED},
        ),
        graph(
            "Spans out of the collector",
            "ops",
            [
                Query(_collected("exporter_sent"), "sent", scraped=SELDOM),
                Query(_collected("exporter_send_failed"), "failed", scraped=SELDOM),
                Query(_collected("exporter_enqueue_failed"), "not queued", scraped=SELDOM),
            ],
            About(
                "Spans that the collector passed on to Tempo, failed to, and had no room for.",
                "sent alone, as many as accepted.",
                "failed: look at Tempo. Not queued: they are lost.",
                "PhonoscopeTelemetryExportFailing",
            ),
            width=6,
            colours={"sent": GREEN, "failed": RED, "not queued": ORANGE},
        ),
        graph(
            "The collector's queue",
            "short",
            [
                Query(f"sum by (exporter) (otelcol_exporter_queue_size{{{COLLECTOR}}})", "{{exporter}}"),
                Query(f"sum by (exporter) (otelcol_exporter_queue_capacity{{{COLLECTOR}}})", "capacity {{exporter}}"),
            ],
            About(
                "Batches that wait for Tempo, and how many may.",
                "near 0.",
                "at capacity, what comes next is lost: look at Tempo.",
            ),
            width=6,
            colours={"capacity.*": RED},
        ),
    ),
)

PROCESS: Final = Row(
    "The server's process",
    (
        graph(
            "CPU",
            "short",
            [
                Query(f"rate(process_cpu_seconds_total{{{SERVER}}}[$__rate_interval])", "{{instance}}"),
            ],
            About(
                "Cores that the process keeps busy.",
                "follows the engine's utilisation, times its threads.",
                "at the container's limit: the event loop is late too; see Phonoscope / Engine.",
                "PhonoscopeEventLoopSlow",
            ),
            width=6,
        ),
        graph(
            "Memory",
            "bytes",
            [Query(f"process_resident_memory_bytes{{{SERVER}}}", "{{instance}}")],
            About(
                "Resident memory of the process.",
                "flat some minutes after the start; bursts of new lengths add a little.",
                "climbs for hours: a leak; note version and traffic, restart, and report it.",
            ),
            width=6,
        ),
        graph(
            "Open files",
            "short",
            [
                Query(f"process_open_fds{{{SERVER}}}", "open {{instance}}"),
                Query(f"process_max_fds{{{SERVER}}}", "limit {{instance}}"),
            ],
            About(
                "Files and connections, and the limit.",
                "far below the limit.",
                "climbs with calls in flight: clients that do not close their channels.",
            ),
            width=6,
            colours={"limit.*": RED, "open.*": BLUE},
        ),
        graph(
            "Garbage collections",
            "ops",
            [
                Query(
                    f"sum by (generation) (rate(python_gc_collections_total{{{SERVER}}}[$__rate_interval]))",
                    "generation {{generation}}",
                )
            ],
            About(
                "Python's collector of cycles, by generation.",
                "generation 2 seldom: each stops all Python threads for some milliseconds.",
                "generation 2 many times a minute: something makes cycles; compare with event loop lag.",
            ),
            width=6,
        ),
    ),
)

LOG_EVENTS: Final = """
The server writes one JSON line for each event, with `trace_id`, `span_id` and `request_id`. The links above the panels
lead to them in Loki; without it: `docker compose logs server | grep EVENT`.

| event | when | what to do |
| --- | --- | --- |
| `request_finished` | each request; `outcome`, `reason`, `audio_seconds` | filter by `outcome="failed"` first |
| `engine_raised` | a batch failed; has the traceback | one: a bad input. Many: restart, report |
| `trace_export_failed`, `trace_export_recovered` | the collector went, came back; once each | look at the collector |
| `gpu_telemetry_lost` | the driver stopped to answer | look at the GPU; speech may go on |
| `voice_skipped` | a voice file is bad | replace the file, restart |
| `health_changed`, `draining`, `stopped` | a start or a stop | nothing, if you asked for it |
"""

LOGS: Final = Row("The log", (words("What to look for in the log", LOG_EVENTS.strip(), height=8),))

BOARD: Final = Board(
    "telemetry",
    "Telemetry",
    "Can you trust the other dashboards? Scrapes, traces, rules, cardinality, the process and its log.",
    (SCRAPES, TRACES, RULES, PROCESS, LOGS),
    links=(
        to_logs("Warnings and errors", '| level=~"warning|error|critical"'),
        to_traces("Traces"),
    ),
)
