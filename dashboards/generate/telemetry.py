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
                "Whether Prometheus can scrape each component; components that do not run are not listed.",
                "all UP.",
                "the dashboards lack the metrics of that component: check `docker compose ps`.",
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
                "Duration of scrapes.",
                "phonoscope below 20 ms.",
                "seconds: the machine has too little CPU, or there are too many series; above 10 s the scrape fails.",
            ),
        ),
        graph(
            "Series per server",
            "short",
            [Query(f"max by (instance) (scrape_samples_scraped{{{SERVER}}})", "{{instance}}")],
            About(
                "Samples per scrape: the cardinality of the metrics.",
                "constant from the start: labels are bounded by voices, methods and codes.",
                "rises: a label has unbounded values; find it with topk(10, count by (__name__) "
                '({job="phonoscope"})).',
            ),
        ),
        graph(
            "Series added",
            "short",
            [Query("sum by (job) (sum_over_time(scrape_series_added[$__rate_interval]))", "{{job}}", scraped=SELDOM)],
            About(
                "New series per scrape.",
                "a peak at each start, then near 0.",
                "continuously above 0: new series fill the memory of Prometheus.",
            ),
            width=12,
        ),
        graph(
            "Series in Prometheus",
            "short",
            [Query("sum by (instance) (prometheus_tsdb_head_series)", "{{instance}}")],
            About(
                "Series in the memory of Prometheus, about 3 KB each.",
                "flat.",
                "rises: the panel on the left shows which target adds them.",
            ),
            width=12,
        ),
    ),
)

TRACES: Final = Row(
    "Trace export",
    (
        graph(
            "Spans leaving the server, by result",
            "ops",
            [Query(f"sum by (result) (rate(tts_trace_spans_total{{{SERVER}}}[$__rate_interval]))", "{{result}}")],
            About(
                "Spans that the server sent to the collector (exported), could not send (failed), or dropped because "
                "its queue was full (dropped). No data without an OTLP endpoint.",
                "only exported.",
                "failed: the collector is down or rejects them; speech is not affected. Dropped: sample less, or add "
                "CPU.",
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
                "Spans that the collector accepted and refused.",
                "accepted equals the exported spans of all servers; none refused.",
                "refused: the collector has too little memory (memory_limiter), or its exporter is blocked.",
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
                "Spans that the collector sent to Tempo, failed to send, or could not queue.",
                "only sent, as many as accepted.",
                "failed: check Tempo. Not queued: these spans are lost.",
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
                "Batches that wait for Tempo, and the capacity of the queue.",
                "near 0.",
                "at capacity, further batches are lost: check Tempo.",
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
                "CPU cores that the process uses.",
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
                "constant some minutes after the start; bursts of new lengths add a little.",
                "rises for hours: a leak; note version and traffic, restart, and report it.",
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
                "Open files and connections, and the limit.",
                "far below the limit.",
                "rises with calls in flight: clients do not close their channels.",
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
                "Garbage collections of Python, by generation.",
                "generation 2 rarely: each stops all Python threads for some milliseconds.",
                "generation 2 many times a minute: code creates reference cycles; compare with event loop lag.",
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
| `engine_raised` | a batch failed; has the traceback | one: an invalid input. Many: restart, report |
| `trace_export_failed`, `trace_export_recovered` | the collector failed, recovered; once each | check the collector |
| `gpu_telemetry_lost` | the driver does not respond | check the GPU; speech may continue |
| `voice_skipped` | a voice file cannot be loaded | replace the file, restart |
| `health_changed`, `draining`, `stopped` | a start or a stop | nothing, if it was planned |
"""

LOGS: Final = Row("The log", (words("What to look for in the log", LOG_EVENTS.strip(), height=8),))

BOARD: Final = Board(
    "telemetry",
    "Telemetry",
    "Health of the telemetry itself: scrapes, traces, rules, cardinality, the process and its log.",
    (SCRAPES, TRACES, RULES, PROCESS, LOGS),
    links=(
        to_logs("Warnings and errors", '| level=~"warning|error|critical"'),
        to_traces("Traces"),
    ),
)
