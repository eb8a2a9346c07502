"""The metrics' sink of the gateway: rate, errors and duration by route, named by OpenTelemetry's conventions for HTTP.

Built by telemetry.py. Labels are bounded: paths of routes, HTTP methods, declared statuses. Source:
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

from phonoscope.common.series import Labelled
from phonoscope.gateway.events import Event, FirstAudio, RequestEnded, RequestStarted

METHOD, ROUTE, STATUS = "http_request_method", "http_route", "http_response_status_code"
SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BYTES_BUCKETS: Final = tuple(1024 * 4**power for power in range(8))


class GatewayMetrics:
    """Counts requests in one registry.

    Args:
        registry: holds the metrics.
        endings: all (method, route, status) of requests; their series exist from the start.
        current_trace_id: returns the trace id of the current request, "" if it is not sampled.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        endings: Iterable[tuple[str, str, int]],
        current_trace_id: Callable[[], str],
    ) -> None:
        self._current_trace_id = current_trace_id
        self._duration, self._sent, self._active, self._first_audio = _metrics(registry)
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            RequestStarted: self._start_request,
            RequestEnded: self._end_request,
            FirstAudio: self._observe_first_audio,
        }
        for method, route, status in endings:
            self._duration.labels(method, route, str(status))
            self._sent.labels(method, route)
            self._active.labels(method)

    def __call__(self, event: Event) -> None:
        """Handles an event."""
        self._handlers[type(event)](event)

    def _start_request(self, event: RequestStarted) -> None:
        self._active.labels(event.method).inc()

    def _end_request(self, event: RequestEnded) -> None:
        self._active.labels(event.method).dec()
        self._duration.labels(event.method, event.route, str(event.status)).observe(event.seconds, self._exemplar())
        self._sent.labels(event.method, event.route).observe(event.sent_bytes)

    def _observe_first_audio(self, event: FirstAudio) -> None:
        self._first_audio.labels(event.route).observe(event.seconds, self._exemplar())

    def _exemplar(self) -> dict[str, str] | None:
        trace_id = self._current_trace_id()
        return {"trace_id": trace_id} if trace_id else None


def _metrics(
    registry: CollectorRegistry,
) -> tuple[Labelled[Histogram], Labelled[Histogram], Labelled[Gauge], Labelled[Histogram]]:
    """Returns duration, response size, active requests and time to first audio."""

    def histogram(name: str, text: str, labels: Iterable[str], buckets: Iterable[float]) -> Labelled[Histogram]:
        return Labelled(Histogram(name, text, labels, buckets=tuple(buckets), registry=registry))

    return (
        histogram(
            "http_server_request_duration_seconds",
            "Time from a request to the end of its response.",
            (METHOD, ROUTE, STATUS),
            SECONDS_BUCKETS,
        ),
        histogram("http_server_response_body_size_bytes", "Size of responses.", (METHOD, ROUTE), BYTES_BUCKETS),
        Labelled(Gauge("http_server_active_requests", "Open requests and WebSockets.", (METHOD,), registry=registry)),
        histogram(
            "gateway_time_to_first_audio_seconds",
            "Time from a request to its first audio.",
            (ROUTE,),
            SECONDS_BUCKETS,
        ),
    )
