"""What stands between the SDK's tracer and its exporter: a bound, counts, and two lines of the log for an outage.

tracing.py puts the parts together:

    Span.end ─▶ SpanQueue ─▶ BatchSpanProcessor's thread ─▶ Export ─▶ OTLPSpanExporter ─▶ collector
                 └ dropped: it is full                        └ exported, failed ─▶ Outage ─▶ log

The exporter tries again by itself, with growing pauses, until its timeout; then the batch has failed and the next is
tried. So the thread is never blocked for long, and memory is bounded by the queue, whatever the collector does.
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
# A collector that fails every other batch would fill the log; two lines a minute say enough.
QUIET_SECONDS: Final = 60.0
# A cancelled call returns at once; this is for a machine that is busy.
CANCEL_SECONDS: Final = 0.5


class Log(Protocol):
    """What is needed of a structlog logger; the load generator has no structlog."""

    def info(self, event: str, **fields: object) -> object:
        """Writes a line."""

    def warning(self, event: str, **fields: object) -> object:
        """Writes a line."""


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """How much is held, and how long is waited.

    Attributes:
        queue_spans: held at most, the batch in flight included; at a few kilobytes a span, this bounds memory. About
            300 calls' spans: ten seconds of an outage at 30 calls a second.
        batch_spans: sent at once. Encoding a batch keeps other threads waiting, those of calls too: 1.7 ms for 128
            spans; 6.6 ms for 512, the SDK's default, which is no cheaper a span.
        interval_seconds: a batch that is not full goes after so long; one can look at a trace soon after its call.
        timeout_seconds: what a batch may take, tries and pauses together; None for OTEL_EXPORTER_OTLP_TIMEOUT, or 10.
    """

    queue_spans: int = 2048
    batch_spans: int = 128
    interval_seconds: float = 5.0
    timeout_seconds: float | None = None


class Outage:
    """Tells the log when exporting begins to fail and when it works again; at most once a minute."""

    def __init__(self, endpoint: str, logger: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()  # spans are dropped on any thread
        self._lost = 0
        self._told_at = -QUIET_SECONDS
        self._is_told = False

    def lost(self, spans: int) -> None:
        """Takes spans that nobody will see."""
        with self._lock:
            self._lost += spans

    def failed(self, reason: str) -> None:
        """Takes the failure of a batch; the first one is told."""
        if self._is_told or self._is_quiet():
            return
        self._is_told = True
        self._told_at = self._clock()
        self._logger.warning("trace_export_failed", endpoint=self._endpoint, reason=reason, hint=HINT)

    def passed(self) -> None:
        """Takes the success of a batch; after a failure that was told, it is told with all that was lost."""
        if self._is_quiet() and not self._is_told:
            return
        with self._lock:
            lost, self._lost = self._lost, 0
        if self._is_told:
            self._is_told = False
            self._logger.info("trace_export_recovered", endpoint=self._endpoint, spans_lost=lost)

    def _is_quiet(self) -> bool:
        return self._clock() - self._told_at < QUIET_SECONDS


class Room:
    """Counts what is held, up to a bound."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Takes one place; returns False when none is left."""
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            return True

    def free(self, places: int) -> None:
        """Gives places back."""
        with self._lock:
            self._left += places


class ExporterWords(logging.Filter):
    """Keeps out of the log what the SDK's exporter says, a line for every try, and remembers the last of it.

    It hears the thread that made it, so that other exporters of this process, in tests perhaps, are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.last = "the exporter gave no reason"

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets lines of other threads pass."""
        if record.thread != self._thread:
            return True
        self.last = record.getMessage()
        return False


class Export(SpanExporter):
    """An exporter around the SDK's, which counts what becomes of spans; the SDK calls it on one thread."""

    def __init__(self, exporter: SpanExporter, room: Room, outage: Outage, on_export: OnExport) -> None:
        self._exporter = exporter
        self._room = room
        self._outage = outage
        self._on_export = on_export
        self._is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch; blocks until it has been taken or has failed."""
        words = ExporterWords()
        otlp_exporter.logger.filters.insert(0, words)  # its own filter, of repetitions, is to come after
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:  # an error of the exporter's own is logged by the SDK, with its traceback
            otlp_exporter.logger.removeFilter(words)
            self._room.free(len(spans))
            self._count(result, len(spans), words.last)
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
        """Counts spans for which there was no room."""
        self._on_export("dropped", spans)
        self._outage.lost(spans)

    def shutdown(self) -> None:
        """Cancels what is under way and sends no more; the second time does nothing."""
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()


class SpanQueue(SpanProcessor):
    """Holds ended spans until they are sent in batches, and drops those that find no room.

    The SDK's own processor drops as well, the oldest, but tells nobody; so it is never let come to that. Places are
    free again when a batch is over, so that the bound holds for the batch under way, too.
    """

    def __init__(self, export: Export, room: Room, limits: ExportLimits) -> None:
        self._export = export
        self._room = room
        self._batches = BatchSpanProcessor(
            export,
            max_queue_size=limits.queue_spans,
            schedule_delay_millis=limits.interval_seconds * 1000,
            max_export_batch_size=limits.batch_spans,
        )
        self._is_closed = False

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span, or drops it."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._is_closed or not self._room.take():
            self._export.dropped(1)
            return
        self._batches.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends what is held; blocks for as long as the exporter does."""
        return self._batches.force_flush(timeout_millis)

    def close(self, seconds: float) -> None:
        """Sends what is held, for `seconds` at most, then cancels what is under way; sends no more.

        The SDK's processor would wait for half a minute, and has no say in it; so it waits on a thread of its own.
        """
        if self._is_closed:
            return
        self._is_closed = True
        closing = threading.Thread(target=self._batches.shutdown, name="trace-export-closing", daemon=True)
        closing.start()
        closing.join(seconds)
        self._export.shutdown()
        closing.join(CANCEL_SECONDS)
