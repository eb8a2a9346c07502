"""The telemetry pipeline: the sinks of events, and the order in which they receive them. Built once by `__main__`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry

from phonoscope import __version__
from phonoscope.common import span_attributes as names
from phonoscope.common.call_events import CallEvent, Method
from phonoscope.common.call_log import CallLog
from phonoscope.common.call_metrics import CallMetrics
from phonoscope.common.call_spans import CallSpans
from phonoscope.common.registry import service_registry
from phonoscope.common.trace_metrics import TraceMetrics
from phonoscope.common.tracing import Tracing, build_tracing, current_trace_id
from phonoscope.emotion.events import Event
from phonoscope.emotion.settings import EmotionSettings
from phonoscope.emotion.telemetry.metrics import MetricsSink
from phonoscope.emotion.telemetry.spans import describe_span

SERVICE_NAME = "phonoscope-emotion"
Logger = structlog.typing.FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The telemetry of one emotion service.

    Attributes:
        log: the access log; also receives defects, by `log.unexpected`.
        metrics: also receives constant facts.
        registry: what the metrics endpoint serves.
        sinks: of the service's events.
        call_sinks: of the RPC layer's events.
    """

    log: CallLog
    metrics: MetricsSink
    tracing: Tracing
    registry: CollectorRegistry
    sinks: Sequence[Callable[[Event], None]]
    call_sinks: Sequence[Callable[[CallEvent], None]]

    def emit(self, event: Event) -> None:
        """Sends an event of the service to the sinks."""
        for sink in self.sinks:
            sink(event)

    def observe(self, event: CallEvent) -> None:
        """Sends an event of the RPC layer to the sinks."""
        for sink in self.call_sinks:
            sink(event)


def build_telemetry(settings: EmotionSettings, logger: Logger, methods: Iterable[Method]) -> Telemetry:
    """Returns the telemetry of a service that serves `methods`.

    Raises:
        SettingsError: traces cannot be exported to the configured endpoint.
    """
    registry = service_registry()
    log, metrics = CallLog(logger), MetricsSink(registry)
    tracing = build_tracing(
        SERVICE_NAME,
        endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        version=__version__,
        attributes={names.REVISION: settings.revision},
        on_export=TraceMetrics(registry) if settings.otlp_endpoint else _nothing,
        logger=logger,
    )
    call_metrics = CallMetrics(registry, methods, current_trace_id)
    # Spans first: metrics and log lines use what spans add to the call's context.
    call_sinks = (CallSpans(tracing), call_metrics, log.call)
    return Telemetry(log, metrics, tracing, registry, (metrics, describe_span), call_sinks)


def _nothing(_result: str, _count: int) -> None:
    """Does nothing: without spans there are no exports to report."""
