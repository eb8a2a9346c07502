"""The SERVER span of each call, on a real server: one, with the code that the caller saw, current in its own call."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import INVALID_SPAN, NoOpTracerProvider, SpanKind, StatusCode, get_current_span

from phonoscope.common.call_events import OTHER, CallEnded, CallStarted, Method
from phonoscope.common.call_spans import CallSpans
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import CallObserver
from phonoscope.common.tracing import Tracing, current_trace_id

KINDS = ("unary_unary", "stream_unary", "unary_stream", "stream_stream")
each_kind = pytest.mark.parametrize("kind", KINDS)
IN_ERROR = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Traced:
    """A tracing whose spans are kept in memory, and the sink of call events that makes them."""

    def __init__(self, ratio: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider(ParentBasedTraceIdRatio(ratio), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.sink = CallSpans(Tracing(self.provider, "1"))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()


@pytest.fixture(autouse=True)
def _nothing_is_left(caplog: pytest.LogCaptureFixture) -> Any:
    """No span leaks into the test's own context, and OpenTelemetry has nothing to complain of."""
    yield
    assert get_current_span() is INVALID_SPAN
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []


@pytest.fixture
def traced() -> Traced:
    return Traced()


def doing(kind: str, act: Any) -> tuple[str, Any]:
    """Returns a method of that shape which awaits `act(context)`; a stream says something before."""

    async def unary(request: Any, context: Any) -> Any:
        return StringValue(value=await act(context))

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield StringValue(value="first")
        yield StringValue(value=await act(context))

    return kind, stream if kind.endswith("_stream") else unary


async def trace_id(context: Any) -> str:
    return current_trace_id()


def request(kind: str) -> Any:
    return iter([StringValue()]) if kind.startswith("stream") else StringValue()


async def last_reply(served: Any, kind: str, metadata: tuple[tuple[str, str], ...] = ()) -> str:
    """Calls, and returns the last reply once the end has come."""
    call = served.method(kind)(request(kind), metadata=metadata, timeout=5)
    replies = [reply async for reply in call] if kind.endswith("_stream") else [await call]
    await served.end()
    return str(replies[-1].value)


def code_of(span: ReadableSpan) -> object:
    return (span.attributes or {})["rpc.response.status_code"]


@each_kind
async def test_a_call_is_one_server_span_that_is_current_in_the_servicer(
    serve: Any, traced: Traced, kind: str
) -> None:
    served = await serve({"Say": doing(kind, trace_id)}, traced.sink)
    seen = await last_reply(served, kind)
    (span,) = traced.spans
    assert (span.name, span.kind, span.parent) == ("test.v1.Test/Say", SpanKind.SERVER, None)
    assert span.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": "test.v1.Test/Say",
        "rpc.response.status_code": "OK",
    }
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())
    assert span.context is not None
    assert seen == f"{span.context.trace_id:032x}"


@each_kind
@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_an_abort_is_its_code_and_an_error_only_if_the_server_is_at_fault(
    serve: Any, traced: Traced, kind: str, code: grpc.StatusCode
) -> None:
    async def act(context: Any) -> str:
        return str(await context.abort(code, "what only the caller may read"))

    served = await serve({"Say": doing(kind, act)}, traced.sink)
    with pytest.raises(grpc.aio.AioRpcError):
        await last_reply(served, kind)
    assert (await served.end()).code is code
    (span,) = traced.spans
    assert code_of(span) == code.name
    is_error = code.name in IN_ERROR
    assert span.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
    assert (span.attributes or {}).get("error.type") == (code.name if is_error else None)
    assert "only the caller" not in span.to_json()


@each_kind
async def test_a_defect_is_internal_and_its_words_stay_out_of_the_span(serve: Any, traced: Traced, kind: str) -> None:
    async def act(context: Any) -> str:
        raise RuntimeError("what only the log may hold")

    served = await serve({"Say": doing(kind, act)}, traced.sink)
    with pytest.raises(grpc.aio.AioRpcError):
        await last_reply(served, kind)
    await served.end()
    (span,) = traced.spans
    assert (code_of(span), span.status.status_code, span.events) == ("INTERNAL", StatusCode.ERROR, ())
    assert "only the log" not in span.to_json()


async def wait_for_ever(context: Any) -> str:
    return str(await asyncio.get_running_loop().create_future())


@each_kind
async def test_a_call_that_its_caller_cancels_is_cancelled_and_no_error(serve: Any, traced: Traced, kind: str) -> None:
    entered = asyncio.Event()

    async def act(context: Any) -> str:
        entered.set()
        return await wait_for_ever(context)

    served = await serve({"Say": doing(kind, act)}, traced.sink)
    call = served.method(kind)(request(kind), timeout=60)
    await entered.wait()
    call.cancel()
    await served.end()
    (span,) = traced.spans
    assert (code_of(span), span.status.status_code) == ("CANCELLED", StatusCode.UNSET)


@each_kind
async def test_a_deadline_that_passes_is_an_error(serve: Any, traced: Traced, kind: str) -> None:
    served = await serve({"Say": doing(kind, wait_for_ever)}, traced.sink)
    with pytest.raises(grpc.aio.AioRpcError):
        await served.call(kind, "hello", seconds=0.05)
    await served.end()
    (span,) = traced.spans
    assert (code_of(span), span.status.status_code) == ("DEADLINE_EXCEEDED", StatusCode.ERROR)


async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
    while True:
        yield StringValue(value="x" * 50_000)


async def test_a_stream_whose_reader_leaves_early_ends_its_span(serve: Any, traced: Traced) -> None:
    served = await serve({"Say": ("unary_stream", endless)}, traced.sink)
    call = served.method("unary_stream")(StringValue())
    await call.read()
    call.cancel()
    await served.end()
    (span,) = traced.spans
    assert code_of(span) == "CANCELLED"


def started(call: int, method: Method, *metadata: tuple[str, str]) -> CallStarted:
    return CallStarted(call, method, metadata)


def ended(call: int, method: Method, code: grpc.StatusCode = grpc.StatusCode.OK) -> CallEnded:
    return CallEnded(call, method, code, 0.1, 1, 1, 10, 10)


SAY = Method("test.v1.Test", "Say", "unary")


def test_an_end_in_another_context_ends_its_own_span(traced: Traced) -> None:
    """The event loop closes a generator that was left, wherever it happens to be."""
    one, two = contextvars.copy_context(), contextvars.copy_context()
    one.run(traced.sink, started(1, SAY))
    two.run(traced.sink, started(2, SAY))
    two.run(traced.sink, ended(1, SAY, grpc.StatusCode.CANCELLED))
    (span,) = traced.spans
    assert span.context is not None
    assert code_of(span) == "CANCELLED"
    assert one.run(current_trace_id) == f"{span.context.trace_id:032x}"
    two.run(traced.sink, ended(2, SAY))
    assert [code_of(span) for span in traced.spans] == ["CANCELLED", "OK"]


def test_nothing_is_kept_of_calls_that_have_ended(traced: Traced) -> None:
    for call in range(3):
        contextvars.copy_context().run(traced.sink, started(call, SAY))
    assert len(traced.sink._spans) == 3
    for call in range(3):
        traced.sink(ended(call, SAY))
    assert traced.sink._spans == {}


@pytest.mark.parametrize("service", ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", OTHER])
def test_probes_and_what_nothing_serves_have_no_span(traced: Traced, service: str) -> None:
    method = Method(service, "Any", "unary")
    traced.sink(started(1, method, ("traceparent", SAMPLED)))  # in this very context: see _nothing_is_left
    assert get_current_span() is INVALID_SPAN
    traced.sink(ended(1, method))
    assert traced.spans == ()


async def test_an_unknown_method_has_no_span(serve: Any, traced: Traced) -> None:
    served = await serve({"Say": doing("unary_unary", trace_id)}, traced.sink)
    with pytest.raises(grpc.aio.AioRpcError):
        await served.channel.unary_unary("/test.v1.Test/Sing")(b"")
    await served.end()
    assert traced.spans == ()


@each_kind
async def test_the_parent_is_the_callers_span_and_its_tracestate_is_kept(
    serve: Any, traced: Traced, kind: str
) -> None:
    served = await serve({"Say": doing(kind, trace_id)}, traced.sink)
    sent = (("traceparent", SAMPLED), ("tracestate", "vendor=opaque,other=1"))
    assert await last_reply(served, kind, sent) == TRACE
    (span,) = traced.spans
    assert span.parent is not None
    assert span.context is not None
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (PARENT, True)
    assert dict(span.context.trace_state) == {"vendor": "opaque", "other": "1"}


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize(("traceparent", "is_kept"), [(SAMPLED, True), (NOT_SAMPLED, False)])
async def test_the_caller_decides_whether_its_trace_is_kept(
    serve: Any, ratio: float, traceparent: str, is_kept: bool
) -> None:
    traced = Traced(ratio)

    async def act(context: Any) -> str:
        assert len(traced.sink._spans) == is_kept  # one that is not kept needs no end
        traced.provider.get_tracer("child").start_span("child").end()
        return current_trace_id()

    served = await serve({"Say": doing("unary_unary", act)}, traced.sink)
    assert await last_reply(served, "unary_unary", (("traceparent", traceparent),)) == (TRACE if is_kept else "")
    assert [span.name for span in traced.spans] == (["child", "test.v1.Test/Say"] if is_kept else [])


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 0), (1.0, 1)])
async def test_a_trace_that_begins_here_is_kept_by_ratio(serve: Any, ratio: float, kept: int) -> None:
    traced = Traced(ratio)
    served = await serve({"Say": doing("unary_unary", trace_id)}, traced.sink)
    assert bool(await last_reply(served, "unary_unary")) is bool(kept)
    assert len(traced.spans) == kept


@pytest.mark.parametrize(
    "metadata",
    [
        [("traceparent", "")],
        [("traceparent", "garbage")],
        [("traceparent", SAMPLED.upper())],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
        [("traceparent", f"00-{TRACE}-{'0' * 16}-01")],
        [("traceparent", f"ff-{TRACE}-{PARENT}-01")],
        [("traceparent", f"{SAMPLED}-more")],
        [("traceparent", SAMPLED[:-1])],
        [("traceparent", SAMPLED), ("traceparent", SAMPLED)],
        [("tracestate", "vendor=opaque")],
    ],
)
def test_a_traceparent_that_cannot_be_read_is_ignored(traced: Traced, metadata: list[tuple[str, str]]) -> None:
    call = contextvars.copy_context()
    call.run(traced.sink, started(1, SAY, *metadata))
    assert call.run(current_trace_id) not in ("", TRACE)
    traced.sink(ended(1, SAY))
    (span,) = traced.spans
    assert span.parent is None


def test_what_is_current_where_the_server_was_started_is_not_a_parent(traced: Traced) -> None:
    def start() -> None:
        with traced.provider.get_tracer("starter").start_as_current_span("start-up"):
            contextvars.copy_context().run(traced.sink, started(1, SAY))
            traced.sink(ended(1, SAY))

    contextvars.copy_context().run(start)
    assert [(span.name, span.parent) for span in traced.spans] == [("test.v1.Test/Say", None), ("start-up", None)]


async def test_the_span_of_an_instrumented_client_is_the_parent(traced: Traced) -> None:
    async def behaviour(request: bytes, context: Any) -> bytes:
        return current_trace_id().encode()

    caller = Traced()
    async with serving(CallObserver(traced.sink), "unary_unary", behaviour) as target:
        interceptors = aio_client_interceptors(tracer_provider=caller.provider)
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            seen = await channel.unary_unary("/test.v1.Test/Say")(b"")
    (client_span,), (span,) = caller.spans, traced.spans
    assert client_span.context is not None
    assert span.parent is not None
    assert seen.decode() == f"{client_span.context.trace_id:032x}"
    assert (span.parent.trace_id, span.parent.span_id) == (client_span.context.trace_id, client_span.context.span_id)


@each_kind
async def test_calls_at_once_see_their_own_trace_each(serve: Any, traced: Traced, kind: str) -> None:
    calls = 50
    together = asyncio.Barrier(calls)
    seen: dict[str, list[str]] = {}

    async def act(context: Any) -> str:
        own = dict(context.invocation_metadata())["own"]
        seen[own] = [current_trace_id()]
        for _ in range(3):
            await together.wait()  # every other call is under way
            seen[own].append(current_trace_id())
            seen[own].append(await asyncio.create_task(trace_id(context)))
        return own

    served = await serve({"Say": doing(kind, act)}, traced.sink)

    async def call(number: int) -> None:
        own = f"{number + 1:032x}"
        sent = (("traceparent", f"00-{own}-{PARENT}-01"), ("own", own))
        made = served.method(kind)(request(kind), metadata=sent, timeout=10)
        assert [reply async for reply in made] if kind.endswith("_stream") else await made

    await asyncio.gather(*map(call, range(calls)))
    await served.until(lambda: len(served.ends) == calls)
    assert seen == {own: [own] * 7 for own in (f"{number + 1:032x}" for number in range(calls))}
    assert {f"{span.context.trace_id:032x}" for span in traced.spans if span.context} == set(seen)
    assert len(traced.spans) == calls


async def test_without_tracing_nothing_is_made_and_nothing_is_current(serve: Any) -> None:
    sink = CallSpans(Tracing(NoOpTracerProvider(), "1"))

    async def act(context: Any) -> str:
        assert get_current_span() is INVALID_SPAN
        return current_trace_id()

    served = await serve({"Say": doing("unary_unary", act)}, sink)
    assert await last_reply(served, "unary_unary", (("traceparent", SAMPLED),)) == ""
    assert sink._spans == {}


@asynccontextmanager
async def serving(interceptor: Any, kind: str, behaviour: Any) -> AsyncIterator[str]:
    """Serves one method of bytes under `interceptor`; yields the address."""
    server = build_server([interceptor])
    handler = getattr(grpc, f"{kind}_rpc_method_handler")(behaviour)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.v1.Test", {"Say": handler}),))
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_the_instrumentations_own_interceptor_calls_a_cancelled_call_ok(traced: Traced) -> None:
    """Why CallSpans exists: if this fails, the package has learnt it, and may be looked at again."""
    entered, left = asyncio.Event(), asyncio.Event()

    async def behaviour(request: bytes, context: Any) -> bytes:
        context.add_done_callback(lambda _: left.set())
        entered.set()
        return (await wait_for_ever(context)).encode()

    theirs = aio_server_interceptor(tracer_provider=traced.provider)
    async with serving(theirs, "unary_unary", behaviour) as target, grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary("/test.v1.Test/Say")(b"")
        await asyncio.wait_for(entered.wait(), 5)
        call.cancel()
        await asyncio.wait_for(left.wait(), 5)
    (span,) = traced.spans
    assert (span.attributes or {})["rpc.grpc.status_code"] == 0
    assert span.status.status_code is StatusCode.UNSET


class Details:
    method, invocation_metadata = "/test.v1.Test/Say", ()


class Call:
    def invocation_metadata(self) -> tuple[()]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"


async def test_the_instrumentations_own_interceptor_leaves_its_span_current_in_whoever_reads(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """Why CallSpans attaches at the head of a task, and never detaches: a generator has no context of its own."""

    async def behaviour(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def innermost(_details: object) -> Any:
        return grpc.unary_stream_rpc_method_handler(behaviour)

    async def read_one() -> Any:
        theirs = aio_server_interceptor(tracer_provider=traced.provider)
        replies = (await theirs.intercept_service(innermost, Details())).unary_stream(b"", Call())
        await anext(replies)
        assert get_current_span().is_recording()  # the reader is in the servicer's span
        return replies

    replies = await asyncio.create_task(read_one())
    await replies.aclose()  # as the event loop would, in another context
    assert [record.getMessage() for record in caplog.records] == ["Failed to detach context"]
    caplog.clear()
    assert (traced.spans[0].attributes or {})["rpc.grpc.status_code"] == 0


async def test_of_refused_calls_at_most_one_a_second_is_a_span(serve: Any, traced: Traced) -> None:
    async def act(context: Any) -> str:
        return str(await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full"))

    served = await serve({"Say": doing("unary_unary", act)}, traced.sink)
    for count in range(1, 4):
        with pytest.raises(grpc.aio.AioRpcError):
            await served.call("unary_unary", "a")
        await served.until(lambda count=count: len(served.ends) == count)
    assert len(traced.spans) < 3
    assert {code_of(span) for span in traced.spans} == {"RESOURCE_EXHAUSTED"}
