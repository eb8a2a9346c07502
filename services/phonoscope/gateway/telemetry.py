"""Everything that watches the gateway: metrics, spans, log. Built once by `__main__`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from phonoscope import __version__
from phonoscope.common import span_attributes as names
from phonoscope.common.registry import service_registry
from phonoscope.common.trace_metrics import TraceMetrics
from phonoscope.common.tracing import Tracing, build_tracing, current_trace_id
from phonoscope.gateway.events import Event, RequestEnded
from phonoscope.gateway.metrics import GatewayMetrics
from phonoscope.gateway.settings import GatewaySettings

SERVICE_NAME: Final = "phonoscope-gateway"
SERVER_ERROR_STATUS: Final = 500
# Asked for every few seconds by machines: no news.
QUIET_ROUTES: Final = ("/healthz", "/readyz", "/metrics")
Logger = structlog.typing.FilteringBoundLogger


class LogSink:
    """One line for each request that ended; probes and scrapes at level debug."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        if not isinstance(event, RequestEnded):
            return
        write = self._logger.debug if event.route in QUIET_ROUTES else self._logger.info
        if event.status >= SERVER_ERROR_STATUS and event.route not in QUIET_ROUTES:
            write = self._logger.warning
        write(
            "http_request",
            method=event.method,
            route=event.route,
            status=event.status,
            seconds=round(event.seconds, 4),
            sent_bytes=event.sent_bytes,
            reason=event.reason,
        )


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One gateway's telemetry; `registry` is what /metrics serves."""

    logger: Logger
    tracing: Tracing
    registry: CollectorRegistry
    sinks: Sequence[Callable[[Event], None]]

    def emit(self, event: Event) -> None:
        """Tells the sinks of an event."""
        for sink in self.sinks:
            sink(event)


def build_telemetry(settings: GatewaySettings, logger: Logger, endings: Iterable[tuple[str, str, int]]) -> Telemetry:
    """Returns the telemetry of a gateway whose requests can end as in `endings`.

    Raises:
        SettingsError: traces cannot go where the settings say.
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
    """No spans are made, so none are exported."""
