"""The metrics' sink of the gateway: rate, errors, duration by route, as OpenTelemetry's conventions name them.

Built by telemetry.py. Labels are bounded: routes that are served, HTTP's methods, statuses that are declared. Source:
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

from phonoscope.common.series import Labelled
from phonoscope.gateway.events import Event, FirstAudio, RequestEnded, RequestStarted

SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class GatewayMetrics:
    """Counts requests in one registry.

    Args:
        registry: where the metrics live.
        endings: (method, route, status) that can happen, each of which gets its series at once.
        current_trace_id: the trace of the running request, "" where it is not sampled.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        endings: Iterable[tuple[str, str, int]],
        current_trace_id: Callable[[], str],
    ) -> None:
        labels = ("http_request_method", "http_route", "http_response_status_code")
        self._current_trace_id = current_trace_id
        self._duration = Labelled(
            Histogram(
                "http_server_request_duration_seconds",
                "Time from request to the end of its answer.",
                labels,
                buckets=SECONDS_BUCKETS,
                registry=registry,
            )
        )
        self._sent = Labelled(
            Histogram(
                "http_server_response_body_size_bytes",
                "Sizes of answers.",
                labels[:2],
                buckets=tuple(1024 * 4**power for power in range(8)),
                registry=registry,
            )
        )
        self._active = Labelled(
            Gauge("http_server_active_requests", "Requests and WebSockets open.", labels[:1], registry=registry)
        )
        self._first_audio = Labelled(
            Histogram(
                "gateway_time_to_first_audio_seconds",
                "Time from request to its first audio.",
                labels[1:2],
                buckets=SECONDS_BUCKETS,
                registry=registry,
            )
        )
        for method, route, status in endings:
            self._duration.labels(method, route, str(status))
            self._sent.labels(method, route)
            self._active.labels(method)

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        match event:
            case RequestStarted():
                self._active.labels(event.method).inc()
            case RequestEnded():
                self._active.labels(event.method).dec()
                self._duration.labels(event.method, event.route, str(event.status)).observe(
                    event.seconds, self._exemplar()
                )
                self._sent.labels(event.method, event.route).observe(event.sent_bytes)
            case FirstAudio():
                self._first_audio.labels(event.route).observe(event.seconds, self._exemplar())

    def _exemplar(self) -> dict[str, str] | None:
        trace_id = self._current_trace_id()
        return {"trace_id": trace_id} if trace_id else None
