"""The telemetry pipeline: the sinks of events, their outputs, and the order in which they receive events.

Built once by `__main__`, which passes `emit` to the core and `observe` to the RPC layer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry

from phonoscope import __version__
from phonoscope.common import span_attributes as names
from phonoscope.common.call_events import CallEvent, Method
from phonoscope.common.call_metrics import CallMetrics
from phonoscope.common.call_spans import CallSpans
from phonoscope.common.registry import service_registry
from phonoscope.common.trace_metrics import TraceMetrics
from phonoscope.common.tracing import Tracing, build_tracing, current_trace_id
from phonoscope.server.events import Event
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.logs import LogSink
from phonoscope.server.telemetry.metrics import MetricsSink
from phonoscope.server.telemetry.recording_metrics import RecordingMetrics
from phonoscope.server.telemetry.spans import SpanSink

SERVICE_NAME = "phonoscope-server"
Logger = structlog.typing.FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One server's telemetry.

    Attributes:
        log: also receives defects, by `log.unexpected`.
        metrics: also receives constant facts: voices, build, capacity.
        registry: what the metrics endpoint serves.
        sinks: of the core's events, in the order in which they receive them.
        call_sinks: of the RPC layer's events, in the order in which they receive them.
    """

    log: LogSink
    metrics: MetricsSink
    tracing: Tracing
    registry: CollectorRegistry
    sinks: Sequence[Callable[[Event], None]]
    call_sinks: Sequence[Callable[[CallEvent], None]]

    def emit(self, event: Event) -> None:
        """Sends an event of the core to the sinks."""
        for sink in self.sinks:
            sink(event)

    def observe(self, event: CallEvent) -> None:
        """Sends an event of the RPC layer to the sinks."""
        for sink in self.call_sinks:
            sink(event)


def build_telemetry(settings: ServerSettings, logger: Logger, methods: Iterable[Method]) -> Telemetry:
    """Returns the telemetry of a server that serves `methods`.

    Raises:
        SettingsError: traces cannot be exported to the configured endpoint.
    """
    registry = service_registry()
    log, metrics = LogSink(logger), MetricsSink(registry, current_trace_id)
    recordings = RecordingMetrics(registry, current_trace_id)
    call_metrics = CallMetrics(registry, methods, current_trace_id)
    tracing = build_tracing(
        SERVICE_NAME,
        endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        version=__version__,
        attributes={names.REVISION: settings.revision},
        on_export=TraceMetrics(registry) if settings.otlp_endpoint else _nothing,
        logger=logger,
    )
    if not tracing.is_on:
        return Telemetry(log, metrics, tracing, registry, (metrics, recordings, log), (call_metrics, log.call))
    # Spans first: metrics and log lines use what spans add to the call's context.
    spans, call_spans = SpanSink(tracing.recorder("phonoscope.server")), CallSpans(tracing)
    return Telemetry(
        log, metrics, tracing, registry, (spans, metrics, recordings, log), (call_spans, call_metrics, log.call)
    )


def _nothing(_result: str, _count: int) -> None:
    """Does nothing: without spans there are no exports to report."""
