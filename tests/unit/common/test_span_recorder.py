"""Recorded spans are the SDK's, with the ids, times and links that they were given."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from phonoscope.common.span_recorder import SpanRecorder

PARENT = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b")]))
RESOURCE, SCOPE = Resource({"service.name": "test"}), InstrumentationScope("part", "1")


def recorder(ended: list[ReadableSpan]) -> SpanRecorder:
    return SpanRecorder(ended.append, RESOURCE, SCOPE, RandomIdGenerator())


def test_a_child_is_in_its_parents_trace_and_sampled_and_keeps_the_trace_state() -> None:
    child = recorder([]).child(PARENT)
    assert child.trace_id == PARENT.trace_id
    assert child.span_id not in (0, PARENT.span_id)
    assert child.trace_flags.sampled
    assert child.trace_state == PARENT.trace_state


def test_a_root_begins_a_trace_of_its_own() -> None:
    one, other = recorder([]).root(), recorder([]).root()
    assert len({one.trace_id, other.trace_id, PARENT.trace_id}) == 3
    assert one.is_valid
    assert one.trace_flags.sampled


def test_a_span_has_what_it_was_recorded_with() -> None:
    ended: list[ReadableSpan] = []
    make = recorder(ended)
    context = make.child(PARENT)
    make.record("work", context, PARENT, 10, 20, {"size": 3}, links=[Link(PARENT)])
    [span] = ended
    assert (span.name, span.context, span.parent) == ("work", context, PARENT)
    assert (span.start_time, span.end_time, span.kind) == (10, 20, SpanKind.INTERNAL)
    assert dict(span.attributes or {}) == {"size": 3}
    assert [link.context for link in span.links] == [PARENT]
    assert (span.resource, span.instrumentation_scope) == (RESOURCE, SCOPE)
    assert span.status.status_code is StatusCode.UNSET


def test_a_span_never_ends_before_it_began() -> None:
    ended: list[ReadableSpan] = []
    make = recorder(ended)
    make.record("work", make.root(), None, 20, 10, {})
    assert ended[0].end_time == 20
