"""The gateway's telemetry: metrics, spans and log. Built once by `__main__`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from phonoscope import __version__
from phonoscope.common import span_attributes as names
from phonoscope.common.registry import service_registry
from phonoscope.common.trace_metrics import TraceMetrics
from phonoscope.common.tracing import Tracing, build_tracing, current_trace_id
from phonoscope.gateway.events import Event
from phonoscope.gateway.logs import Logger, LogSink
from phonoscope.gateway.metrics import GatewayMetrics
from phonoscope.gateway.settings import GatewaySettings

SERVICE_NAME: Final = "phonoscope-gateway"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The telemetry of one gateway; /metrics serves `registry`."""

    logger: Logger
    tracing: Tracing
    registry: CollectorRegistry
    sinks: Sequence[Callable[[Event], None]]

    def emit(self, event: Event) -> None:
        """Passes an event to every sink."""
        for sink in self.sinks:
            sink(event)


def build_telemetry(settings: GatewaySettings, logger: Logger, endings: Iterable[tuple[str, str, int]]) -> Telemetry:
    """Returns the telemetry of a gateway; `endings` are all (method, route, status) of its requests.

    Raises:
        SettingsError: the address for traces is not valid.
    """
    registry = service_registry()
    tracing = build_tracing(
        SERVICE_NAME,
        endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        version=__version__,
        attributes={names.REVISION: settings.revision},
        on_export=TraceMetrics(registry) if settings.otlp_endpoint else _ignore_export,
        logger=logger,
    )
    sinks = (GatewayMetrics(registry, endings, current_trace_id), LogSink(logger))
    return Telemetry(logger, tracing, registry, sinks)


def _ignore_export(_result: str, _count: int) -> None:
    """Does nothing: without an endpoint there are no spans to export."""
