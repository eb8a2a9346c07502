"""The metrics' sink of call events: rate, errors, duration and sizes by method, as go-grpc-middleware names them.

Built by the services' `__main__`. Labels are bounded: served methods and gRPC's codes. Series of every possible code
exist from the start with value 0, so that rate() shows the first error.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from phonoscope.common.call_events import (
    OTHER,
    CallEnded,
    CallEvent,
    CallStarted,
    MessageReceived,
    MessageSent,
    Method,
)
from phonoscope.common.series import Labelled
from phonoscope.common.statuses import STATUS_OF

METHOD_LABELS: Final = ("grpc_type", "grpc_service", "grpc_method")
HANDLING_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BYTES_BUCKETS: Final = tuple(1024 * size for size in (1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16_384))
CODE_NAMES: Final = {
    code: "".join(word.capitalize() for word in code.name.split("_")) if code.name != "OK" else "OK"
    for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled"}
_ENDINGS: Final = (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
# gRPC itself reports UNKNOWN for a defect in the layers above the error mapper.
OUR_CODES: Final = (*dict.fromkeys((*_ENDINGS, *STATUS_OF.values())), grpc.StatusCode.UNKNOWN)
# Health and reflection: an unknown service, a message that cannot be parsed, a defect.
GRPC_CODES: Final = (
    *(*_ENDINGS, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT),
    *(grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN),
)


class CallMetrics:
    """Counts calls in one registry.

    Args:
        registry: holds the metrics.
        methods: the served methods; their series exist from the start.
        current_trace_id: returns the trace id of the current call, "" if it is not sampled.
    """

    def __init__(
        self, registry: CollectorRegistry, methods: Iterable[Method], current_trace_id: Callable[[], str]
    ) -> None:
        def counter(name: str, text: str, *more: str) -> Labelled[Counter]:
            return Labelled(Counter(name, text, (*METHOD_LABELS, *more), registry=registry))

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Labelled[Histogram]:
            return Labelled(Histogram(name, text, METHOD_LABELS, buckets=buckets, registry=registry))

        self._current_trace_id = current_trace_id
        self._started = counter("grpc_server_started", "Calls that were received.")
        self._handled = counter("grpc_server_handled", "Calls that ended.", "grpc_code")
        self._received = counter("grpc_server_msg_received", "Request messages.")
        self._sent = counter("grpc_server_msg_sent", "Reply messages.")
        self._handling = histogram("grpc_server_handling_seconds", "Duration of calls.", HANDLING_BUCKETS)
        self._received_bytes = histogram("grpc_server_msg_received_bytes", "Size of request messages.", BYTES_BUCKETS)
        self._sent_bytes = histogram("grpc_server_msg_sent_bytes", "Size of reply messages.", BYTES_BUCKETS)
        self._in_flight = Labelled(
            Gauge("grpc_server_in_flight", "Calls being handled.", METHOD_LABELS, registry=registry)
        )
        self._takers: dict[type, Callable[[Any], None]] = {
            CallStarted: self._count_start,
            MessageReceived: self._count_received,
            MessageSent: self._count_sent,
            CallEnded: self._count_end,
        }
        for method in methods:
            self._make_series(method, GRPC_CODES if method.service.startswith("grpc.") else OUR_CODES)
        self._make_series(Method(OTHER, OTHER, "unary"), (grpc.StatusCode.UNIMPLEMENTED,))

    def _make_series(self, method: Method, codes: Iterable[grpc.StatusCode]) -> None:
        for metric in (
            *(self._started, self._received, self._sent, self._in_flight),
            *(self._handling, self._received_bytes, self._sent_bytes),
        ):
            metric.labels(*_labels(method))
        for code in codes:
            self._handled.labels(*_labels(method), CODE_NAMES[code])

    def __call__(self, event: CallEvent) -> None:
        """Takes an event of the RPC layer."""
        if take := self._takers.get(type(event)):
            take(event)

    def _count_start(self, event: CallStarted) -> None:
        labels = _labels(event.method)
        self._started.labels(*labels).inc()
        self._in_flight.labels(*labels).inc()

    def _count_received(self, event: MessageReceived) -> None:
        labels = _labels(event.method)
        self._received.labels(*labels).inc()
        self._received_bytes.labels(*labels).observe(event.payload_bytes)

    def _count_sent(self, event: MessageSent) -> None:
        labels = _labels(event.method)
        self._sent.labels(*labels).inc()
        self._sent_bytes.labels(*labels).observe(event.payload_bytes)

    def _count_end(self, event: CallEnded) -> None:
        labels, trace_id = _labels(event.method), self._current_trace_id()
        self._in_flight.labels(*labels).dec()
        self._handled.labels(*labels, CODE_NAMES[event.code]).inc()
        self._handling.labels(*labels).observe(event.seconds, {"trace_id": trace_id} if trace_id else None)


def _labels(method: Method) -> tuple[str, str, str]:
    return method.kind, method.service, method.name
