"""The SERVER span of every call: a sink of the call events, so its code is that of metrics and log, and of the caller.

Built by the services' `__main__`, before the other sinks, so that their output has the span's ids. The span is current
in the call's task; the parent comes from W3C Trace Context headers (https://www.w3.org/TR/trace-context/). Health,
reflection and unknown methods have no span. Calls rejected for overload have at most one span per second and
code: otherwise a flood of them would displace the spans of other calls.

The span is never detached. CallStarted is emitted first in the call's own task, whose context is a copy that ends with
the task, so there is nothing to restore. CallEnded can be emitted elsewhere: the event loop can close a stream in
another context, where detaching fails. So CallEnded finds its span by the call's number.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
from opentelemetry.context import Context, attach
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from phonoscope.common import span_attributes as names
from phonoscope.common.call_events import OTHER, CallEnded, CallEvent, CallStarted, Method
from phonoscope.common.errors import NotReady, Overloaded
from phonoscope.common.sampling import OncePerSecond
from phonoscope.common.statuses import STATUS_OF
from phonoscope.common.tracing import Tracing

W3C: Final = TraceContextTextMapPropagator()
# By the gRPC conventions only these codes are errors of a server's span; the others are the client's errors.
ERRORS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


REFUSALS: Final = frozenset({STATUS_OF[Overloaded], STATUS_OF[NotReady]})


class CallSpans:
    """Starts a span at the start of each call and ends it, with the status code, at its end."""

    def __init__(self, tracing: Tracing) -> None:
        self._is_on = tracing.is_on
        self._tracer = tracing.tracer(__name__)
        self._refused = OncePerSecond()
        self._spans: dict[int, Span] = {}  # of the sampled calls in flight, by number
        self._takers: dict[type, Callable[[Any], None]] = {CallStarted: self._start, CallEnded: self._end}

    def __call__(self, event: CallEvent) -> None:
        """Takes an event of the RPC layer."""
        if self._is_on and (take := self._takers.get(type(event))):
            take(event)

    def _start(self, event: CallStarted) -> None:
        if not _is_traced(event.method):
            return
        parent = _remote_parent(event.metadata)
        path = f"{event.method.service}/{event.method.name}"
        attributes = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: path}
        span = self._tracer.start_span(path, parent, SpanKind.SERVER, attributes)
        attach(set_span_in_context(span, parent))  # also if it is not sampled: its children follow the decision
        if span.is_recording():
            self._spans[event.call] = span

    def _end(self, event: CallEnded) -> None:
        span = self._spans.pop(event.call, None)
        if span is None:
            return
        if event.code in REFUSALS and not event.bytes_sent and self._refused.take(event.code.name) is None:
            return  # never ended, so never exported
        span.set_attribute(names.RPC_STATUS_CODE, event.code.name)
        if event.code in ERRORS:
            span.set_attribute(names.ERROR_TYPE, event.code.name)
            span.set_status(StatusCode.ERROR)
        span.end()


def _is_traced(method: Method) -> bool:
    return method.service != OTHER and not method.service.startswith("grpc.")


def _remote_parent(metadata: Sequence[tuple[str, str | bytes]]) -> Context:
    """Returns a context with the caller's span, or an empty one if the headers are missing or not valid.

    Never the current context: a span that was current when the server started is not the parent of its calls.
    """
    carrier: dict[str, list[str]] = {}
    for key, value in metadata:
        if key in W3C.fields and isinstance(value, str):
            carrier.setdefault(key, []).append(value)
    if len(carrier.get("traceparent", ())) != 1:  # two of them are ambiguous
        return Context()
    return W3C.extract(carrier, Context())
