"""Between the SDK's tracer and its exporter: a bounded queue, counters, and two log lines for an outage.

Built by tracing.py:

    Span.end ─▶ SpanQueue ─▶ BatchSpanProcessor's thread ─▶ Export ─▶ OTLPSpanExporter ─▶ collector
                 └ dropped: the queue is full                 └ exported, failed ─▶ Outage ─▶ log

The exporter retries with backoff until its timeout; then the batch has failed, and the next one is exported. So the
thread is never blocked for long, and the queue bounds memory, whatever the collector does.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from opentelemetry.exporter.otlp.proto.grpc import exporter as otlp_exporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

ExportResult = Literal["exported", "failed", "dropped"]
OnExport = Callable[[ExportResult, int], None]

HINT: Final = "check that the collector runs and that the endpoint is its OTLP gRPC port, usually 4317"
# A collector that fails every other batch would fill the log; two lines per minute are enough.
QUIET_SECONDS: Final = 60.0
# A cancelled call returns at once; this is for a busy machine.
CANCEL_SECONDS: Final = 0.5


class Log(Protocol):
    """The methods of a structlog logger that are needed; the load generator has no structlog."""

    def info(self, event: str, **fields: object) -> object:
        """Writes a line."""

    def warning(self, event: str, **fields: object) -> object:
        """Writes a line."""


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """Limits of the queue, and timeouts.

    Attributes:
        queue_spans: maximum number of spans in memory, including the batch in flight; a span has a few kilobytes. The
            default is about 300 calls: ten seconds of an outage at 30 calls per second.
        batch_spans: spans per batch. Encoding a batch holds the GIL: 1.7 ms for 128 spans; 6.6 ms for 512, the SDK's
            default, which costs as much per span.
        interval_seconds: maximum delay of a batch that is not full.
        timeout_seconds: maximum time of a batch, with its retries; defaults to OTEL_EXPORTER_OTLP_TIMEOUT, or 10.
    """

    queue_spans: int = 2048
    batch_spans: int = 128
    interval_seconds: float = 5.0
    timeout_seconds: float | None = None


class Outage:
    """Logs when exporting begins to fail and when it has recovered; at most once per minute."""

    def __init__(self, endpoint: str, logger: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()  # spans can be dropped on any thread
        self._lost = 0
        self._logged_at = -QUIET_SECONDS
        self._is_logged = False

    def lost(self, spans: int) -> None:
        """Counts lost spans."""
        with self._lock:
            self._lost += spans

    def failed(self, reason: str) -> None:
        """Handles the failure of a batch; logs the first one."""
        if self._is_logged or self._is_quiet():
            return
        self._is_logged = True
        self._logged_at = self._clock()
        self._logger.warning("trace_export_failed", endpoint=self._endpoint, reason=reason, hint=HINT)

    def passed(self) -> None:
        """Handles the success of a batch; after a logged failure, logs the recovery and the number of lost spans."""
        if self._is_quiet() and not self._is_logged:
            return
        with self._lock:
            lost, self._lost = self._lost, 0
        if self._is_logged:
            self._is_logged = False
            self._logger.info("trace_export_recovered", endpoint=self._endpoint, spans_lost=lost)

    def _is_quiet(self) -> bool:
        return self._clock() - self._logged_at < QUIET_SECONDS


class Capacity:
    """A counter of free places, safe for threads."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Takes one place; returns False if none is free."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def free(self, places: int) -> None:
        """Frees places."""
        with self._lock:
            self._free += places


class ExporterLogFilter(logging.Filter):
    """Drops the log lines of the SDK's exporter, one for every attempt, and stores the last one.

    It applies to the thread that created it only, so that it does not affect other exporters of the process.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.last = "the exporter gave no reason"

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether to log a line: lines of other threads are logged."""
        if record.thread != self._thread:
            return True
        self.last = record.getMessage()
        return False


class Export(SpanExporter):
    """Wraps the SDK's exporter and counts the results; the SDK calls it on one thread."""

    def __init__(self, exporter: SpanExporter, capacity: Capacity, outage: Outage, on_export: OnExport) -> None:
        self._exporter = exporter
        self._capacity = capacity
        self._outage = outage
        self._on_export = on_export
        self._is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Exports a batch; blocks until that has succeeded or failed."""
        log_filter = ExporterLogFilter()
        otlp_exporter.logger.filters.insert(0, log_filter)  # before its own filter of repetitions
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:  # the SDK logs an exception of the exporter
            otlp_exporter.logger.removeFilter(log_filter)
            self._capacity.free(len(spans))
            self._count(result, len(spans), log_filter.last)
        return result

    def _count(self, result: SpanExportResult, spans: int, reason: str) -> None:
        if result is SpanExportResult.SUCCESS:
            self._on_export("exported", spans)
            self._outage.passed()
        else:
            self._on_export("failed", spans)
            self._outage.lost(spans)
            self._outage.failed(reason)

    def dropped(self, spans: int) -> None:
        """Counts spans that the queue dropped."""
        self._on_export("dropped", spans)
        self._outage.lost(spans)

    def shutdown(self) -> None:
        """Cancels a running export and exports no more; a second call does nothing."""
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()


class SpanQueue(SpanProcessor):
    """Queues ended spans until they are exported in batches, and drops spans while it is full.

    The SDK's own processor drops spans too, without reporting it; this queue is full before the SDK's is. Places are
    freed when a batch is complete, so that the limit includes the batch in flight.
    """

    def __init__(self, export: Export, capacity: Capacity, limits: ExportLimits) -> None:
        self._export = export
        self._capacity = capacity
        self._batches = BatchSpanProcessor(
            export,
            max_queue_size=limits.queue_spans,
            schedule_delay_millis=limits.interval_seconds * 1000,
            max_export_batch_size=limits.batch_spans,
        )
        self._is_closed = False

    def on_end(self, span: ReadableSpan) -> None:
        """Queues a span, or drops it."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._is_closed or not self._capacity.take():
            self._export.dropped(1)
            return
        self._batches.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Exports all queued spans; blocks as long as the exporter does."""
        return self._batches.force_flush(timeout_millis)

    def close(self, seconds: float) -> None:
        """Exports queued spans for up to `seconds`, then cancels the running export, and exports no more.

        The SDK's processor waits for half a minute, which is not configurable; so it waits on a thread of its own.
        """
        if self._is_closed:
            return
        self._is_closed = True
        closing = threading.Thread(target=self._batches.shutdown, name="trace-export-closing", daemon=True)
        closing.start()
        closing.join(seconds)
        self._export.shutdown()
        closing.join(CANCEL_SECONDS)
