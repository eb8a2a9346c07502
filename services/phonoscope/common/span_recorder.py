"""Spans of finished work, created at once from recorded times, without a live span object.

Built by tracing.py, used by server/telemetry/spans.py. The SDK's tracer calls the sampler, copies attributes under a
lock and keeps a live object for each span. Finished work of a sampled call needs none of that, and it costs more than
twice as much. The result is the SDK's ReadableSpan, exported like all others.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceFlags

SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
NO_STATUS: Final = Status()


class SpanRecorder:
    """Records spans of one instrumentation scope, all of them sampled.

    Args:
        on_end: receives each span, as a SpanProcessor does.
        resource: of all spans.
        scope: of all spans.
        ids: generates the spans' ids.
    """

    def __init__(
        self,
        on_end: Callable[[ReadableSpan], None],
        resource: Resource,
        scope: InstrumentationScope,
        ids: IdGenerator,
    ) -> None:
        self._on_end = on_end
        self._resource = resource
        self._scope = scope
        self._ids = ids

    def child(self, parent: SpanContext) -> SpanContext:
        """Returns the context of a new child span of `parent`."""
        return SpanContext(parent.trace_id, self._ids.generate_span_id(), False, SAMPLED, parent.trace_state)  # noqa: FBT003

    def root(self) -> SpanContext:
        """Returns the context of a new root span."""
        return SpanContext(self._ids.generate_trace_id(), self._ids.generate_span_id(), False, SAMPLED)  # noqa: FBT003

    def record(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        began_ns: int,
        ended_ns: int,
        attributes: Mapping[str, str | int | float],
        *,
        events: Sequence[Event] = (),
        links: Sequence[Link] = (),
        status: Status = NO_STATUS,
    ) -> None:
        """Records a span; times are nanoseconds since the epoch."""
        self._on_end(
            ReadableSpan(
                name,
                context,
                parent,
                self._resource,
                attributes,
                events,
                links,
                status=status,
                start_time=began_ns,
                end_time=max(began_ns, ended_ns),
                instrumentation_scope=self._scope,
            )
        )
