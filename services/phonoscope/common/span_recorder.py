"""Spans of what is over: made in one go, from times that were noted, without the life of a span that is under way.

Made by tracing.py, used by server/telemetry/spans.py. The SDK's tracer asks the sampler, copies attributes under a
lock and keeps a live object for each span. For what belongs to a sampled call, and is recorded when it is over, none
of that is needed, and it costs more than twice as much. The result is the SDK's ReadableSpan, sent like all others.
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
    """Records spans of one part of the program, all of them sampled.

    Args:
        on_end: takes each span, as a SpanProcessor does.
        resource: of all spans.
        scope: the part of the program.
        ids: makes the spans' ids.
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
        """Returns the context of a new span below `parent`."""
        return SpanContext(parent.trace_id, self._ids.generate_span_id(), False, SAMPLED, parent.trace_state)  # noqa: FBT003

    def root(self) -> SpanContext:
        """Returns the context of a new span that begins a trace of its own."""
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
        """Records a span from its context on; times are nanoseconds since the epoch."""
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
