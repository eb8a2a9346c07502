"""The interceptors of a real server: each call is reported once, with the code that its client gets."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_status import rpc_status

from phonoscope.common import interceptors
from phonoscope.common.call_events import (
    OTHER,
    CallEnded,
    CallEvent,
    CallStarted,
    MessageReceived,
    MessageSent,
    Method,
)
from phonoscope.common.errors import (
    DeadlineUnreachable,
    EngineFailed,
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    ServiceError,
    StreamNotRead,
)
from phonoscope.common.interceptors import CallObserver, ErrorMapper

KINDS = {
    "unary_unary": "unary",
    "stream_unary": "client_stream",
    "unary_stream": "server_stream",
    "stream_stream": "bidi_stream",
}
ERRORS = {
    InvalidRequest.of("text", "is empty", reason="TEXT_EMPTY"): grpc.StatusCode.INVALID_ARGUMENT,
    NotServed("not yet", reason="EMOTION_NOT_SERVED"): grpc.StatusCode.UNIMPLEMENTED,
    Overloaded("full", reason="QUEUE_FULL", retry_after_seconds=2): grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotReady("loading", reason="WARMING_UP", retry_after_seconds=1): grpc.StatusCode.UNAVAILABLE,
    DeadlineUnreachable("too late"): grpc.StatusCode.DEADLINE_EXCEEDED,
    StreamNotRead("nobody reads"): grpc.StatusCode.ABORTED,
    EngineFailed("it broke"): grpc.StatusCode.INTERNAL,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def answering(kind: str, act: Any, *, says: int = 0) -> tuple[str, Any]:
    """Returns a method that reads its requests, says so many messages if it streams, and then awaits `act`."""

    async def read(request: Any) -> list[str]:
        if isinstance(request, StringValue):
            return [request.value]
        return [message.value async for message in request]

    async def unary(request: Any, context: Any) -> Any:
        return StringValue(value=await act(await read(request), context))

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        texts = await read(request)
        for number in range(says):
            yield StringValue(value=f"part {number}")
        yield StringValue(value=await act(texts, context))

    return kind, stream if kind.endswith("_stream") else unary


def raising(error: BaseException) -> Any:
    async def act(texts: list[str], context: Any) -> str:
        raise error

    return act


async def echo(texts: list[str], context: Any) -> str:
    return "+".join(texts)


async def wait_for_ever(texts: list[str], context: Any) -> str:
    return await asyncio.get_running_loop().create_future()


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 5)
    return caught.value


@each_kind
async def test_a_good_call_is_reported_once_with_its_messages_and_bytes(serve: Any, kind: str) -> None:
    served = await serve({"Say": answering(kind, echo, says=2)})
    texts = ["hello", "you"] if kind.startswith("stream") else ["hello"]
    replies = ["+".join(texts)]
    if kind.endswith("_stream"):
        replies = ["part 0", "part 1", *replies]
    assert await served.call(kind, *texts) == replies
    method = Method("test.v1.Test", "Say", KINDS[kind])
    end = await served.end()
    (start,) = served.starts
    sizes = [StringValue(value=text).ByteSize() for text in (*texts, *replies)]
    assert served.events == [
        CallStarted(end.call, method, start.metadata),
        *(MessageReceived(method, size) for size in sizes[: len(texts)]),
        *(MessageSent(method, size) for size in sizes[len(texts) :]),
        end,
    ]
    assert end == CallEnded(
        start.call,
        method,
        grpc.StatusCode.OK,
        end.seconds,
        messages_received=len(texts),
        messages_sent=len(replies),
        bytes_received=sum(StringValue(value=text).ByteSize() for text in texts),
        bytes_sent=sum(StringValue(value=text).ByteSize() for text in replies),
    )
    assert end.seconds > 0
    assert not served.unexpected


@each_kind
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_of_the_tree_reaches_caller_and_observer_as_the_same_status(
    serve: Any, kind: str, error: ServiceError
) -> None:
    served = await serve({"Say": answering(kind, raising(error))})
    seen = await failure(served.call(kind, "hello"))
    assert seen.code() is ERRORS[error]
    assert seen.details() == str(error)
    assert (await served.end()).code is ERRORS[error]
    assert not served.unexpected


@each_kind
async def test_a_servicers_own_abort_passes_through(serve: Any, kind: str) -> None:
    async def act(texts: list[str], context: Any) -> str:
        return await context.abort(grpc.StatusCode.NOT_FOUND, "not here")

    served = await serve({"Say": answering(kind, act)})
    seen = await failure(served.call(kind, "hello"))
    assert (seen.code(), seen.details()) == (grpc.StatusCode.NOT_FOUND, "not here")
    assert (await served.end()).code is grpc.StatusCode.NOT_FOUND
    assert not served.unexpected


@each_kind
async def test_an_unexpected_error_becomes_internal_and_tells_the_caller_nothing_of_itself(
    serve: Any, kind: str
) -> None:
    error = RuntimeError("what only the log may hold")
    served = await serve({"Say": answering(kind, raising(error))})
    seen = await failure(served.call(kind, "hello"))
    assert seen.code() is grpc.StatusCode.INTERNAL
    assert seen.details() == "internal error in the server; its log has the traceback"
    assert (await served.end()).code is grpc.StatusCode.INTERNAL
    assert served.unexpected == [("/test.v1.Test/Say", error)]


async def test_what_a_stream_said_before_it_failed_arrives_and_is_counted(serve: Any) -> None:
    served = await serve({"Say": answering("unary_stream", raising(RuntimeError("late")), says=3)})
    heard = []

    async def listen() -> None:
        async for reply in served.method("unary_stream")(StringValue(value="hello")):
            heard.append(reply.value)  # noqa: PERF401  what came before the failure counts

    assert (await failure(listen())).code() is grpc.StatusCode.INTERNAL
    assert heard == ["part 0", "part 1", "part 2"]
    end = await served.end()
    assert (end.code, end.messages_sent) == (grpc.StatusCode.INTERNAL, 3)


@each_kind
async def test_a_cancel_from_inside_the_server_does_not_leave_the_caller_waiting(serve: Any, kind: str) -> None:
    served = await serve({"Say": answering(kind, raising(asyncio.CancelledError()))})
    assert (await failure(served.call(kind, "hello", seconds=None))).code() is grpc.StatusCode.INTERNAL
    assert (await served.end()).code is grpc.StatusCode.INTERNAL
    assert len(served.unexpected) == 1


@each_kind
async def test_a_call_that_its_caller_cancels_is_reported_as_cancelled(serve: Any, kind: str) -> None:
    entered = asyncio.Event()

    async def act(texts: list[str], context: Any) -> str:
        entered.set()
        return await wait_for_ever(texts, context)

    served = await serve({"Say": answering(kind, act)})
    call = asyncio.create_task(served.call(kind, "hello", seconds=60))
    await entered.wait()
    call.cancel()
    assert (await served.end()).code is grpc.StatusCode.CANCELLED
    assert not served.unexpected


async def test_a_caller_that_stops_reading_frees_what_the_servicer_holds(serve: Any) -> None:
    freed = asyncio.Event()

    async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield StringValue(value="x" * 50_000)
        finally:
            freed.set()

    served = await serve({"Say": ("unary_stream", endless)})
    call = served.method("unary_stream")(StringValue(value="hello"))
    await call.read()
    call.cancel()
    assert (await served.end()).code is grpc.StatusCode.CANCELLED
    await asyncio.wait_for(freed.wait(), 5)


@each_kind
async def test_a_deadline_that_passes_is_reported_as_such(serve: Any, kind: str) -> None:
    served = await serve({"Say": answering(kind, wait_for_ever)})
    assert (await failure(served.call(kind, "hello", seconds=0.05))).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await served.end()).code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not served.unexpected


class FakeContext:
    """The part of a call's context that the observer reads; `remaining` changes as time goes by."""

    def __init__(self, remaining: float | None, code: int | grpc.StatusCode = 0) -> None:
        self.remaining = remaining
        self.set_code = code

    def time_remaining(self) -> float | None:
        return self.remaining

    def code(self) -> int | grpc.StatusCode:
        return self.set_code

    def invocation_metadata(self) -> None:
        return None  # what a context without metadata may say


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
@pytest.mark.parametrize(
    ("timeout", "remaining", "code"),
    [
        (None, None, grpc.StatusCode.CANCELLED),
        (10.0, 0.0, grpc.StatusCode.DEADLINE_EXCEEDED),
        (10.0, 0.099, grpc.StatusCode.DEADLINE_EXCEEDED),  # rounded up on the wire, from 9.901 s
        (10.0, 0.2, grpc.StatusCode.CANCELLED),
        (0.5, 0.009, grpc.StatusCode.DEADLINE_EXCEEDED),
        (0.5, 0.1, grpc.StatusCode.CANCELLED),
    ],
)
def test_a_cancel_with_no_time_remaining_is_a_deadline(
    error: BaseException, timeout: float | None, remaining: float | None, code: grpc.StatusCode
) -> None:
    assert interceptors._code_of(error, FakeContext(remaining), timeout) is code


def test_an_error_that_no_one_mapped_is_unknown() -> None:
    assert interceptors._code_of(KeyError(), FakeContext(0.0), 1.0) is grpc.StatusCode.UNKNOWN


@each_kind
async def test_bytes_that_are_not_a_message_are_the_callers_fault_and_are_counted(serve: Any, kind: str) -> None:
    served = await serve({"Say": answering(kind, echo)})
    garbage = b"\xff\xff\xff"
    call = served.method(kind, is_raw=True)(iter([garbage]) if kind.startswith("stream") else garbage)
    seen = await failure(call.read() if kind.endswith("_stream") else call)
    assert seen.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "this server's .proto" in seen.details()
    end = await served.end()
    assert (end.code, end.messages_received, end.bytes_received) == (grpc.StatusCode.INVALID_ARGUMENT, 1, 3)
    status = await rpc_status.aio.from_call(call)
    assert b"MESSAGE_UNREADABLE" in status.details[0].value
    assert not served.unexpected


@each_kind
async def test_a_reply_that_is_not_a_message_is_our_fault_and_is_counted(serve: Any, kind: str) -> None:
    async def unary(request: Any, context: Any) -> Any:
        return "not a message"

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        yield "not a message"

    served = await serve({"Say": (kind, stream if kind.endswith("_stream") else unary)})
    assert (await failure(served.call(kind, "hello"))).code() is grpc.StatusCode.INTERNAL
    assert (await served.end()).code is grpc.StatusCode.INTERNAL
    assert len(served.unexpected) == 1


@pytest.mark.parametrize("path", ["/test.v1.Test/Sing", "/no.Such/Say", "/x"])
async def test_a_method_that_nothing_serves_is_counted_as_other(serve: Any, path: str) -> None:
    served = await serve({"Say": answering("unary_unary", echo)})
    seen = await failure(served.channel.unary_unary(path)(b""))
    assert seen.code() is grpc.StatusCode.UNIMPLEMENTED
    method = Method(OTHER, OTHER, "unary")
    (start,) = served.starts
    assert served.events == [
        CallStarted(start.call, method, start.metadata),
        CallEnded(start.call, method, grpc.StatusCode.UNIMPLEMENTED, 0.0, 0, 0, 0, 0),
    ]


async def test_a_status_that_a_servicer_sets_without_an_abort_is_the_one_that_is_reported(serve: Any) -> None:
    async def act(texts: list[str], context: Any) -> str:
        context.set_code(grpc.StatusCode.ABORTED)
        return "done"

    served = await serve({"Say": answering("unary_unary", act)})
    assert (await failure(served.call("unary_unary", "hello"))).code() is grpc.StatusCode.ABORTED
    assert (await served.end()).code is grpc.StatusCode.ABORTED


async def test_closing_a_stream_closes_the_servicer_before_it_returns() -> None:
    """gRPC closes the outermost generator; what waits for the garbage collector would hold the engine."""
    trail: list[object] = []

    async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield StringValue(value="x")
        finally:
            trail.append("servicer closed")

    plain = grpc.unary_stream_rpc_method_handler(endless, StringValue.FromString, StringValue.SerializeToString)
    details = SimpleNamespace(method="/test.v1.Test/Say", invocation_metadata=())

    async def innermost(_details: object) -> Any:
        return plain

    def take(event: CallEvent) -> None:
        trail.append(event)

    async def inner(given: object) -> Any:
        return await ErrorMapper(lambda path, error: None).intercept_service(innermost, given)

    handler = await CallObserver(take).intercept_service(inner, details)
    stream = handler.unary_stream(b"", FakeContext(None))
    await anext(stream)
    await stream.aclose()
    start, received, sent, closed, end = trail
    assert isinstance(start, CallStarted)
    assert (received, sent) == (MessageReceived(start.method, 0), MessageSent(start.method, 3))
    assert closed == "servicer closed"
    assert isinstance(end, CallEnded)
    assert (end.call, end.code, end.messages_sent) == (start.call, grpc.StatusCode.CANCELLED, 1)


@pytest.mark.parametrize("kept", [5, grpc.StatusCode.NOT_FOUND])
def test_a_code_is_understood_as_a_number_too(kept: int | grpc.StatusCode) -> None:
    """Releases of grpcio differ in how a context keeps it."""
    assert interceptors._set_code(FakeContext(None, kept)) is grpc.StatusCode.NOT_FOUND
    assert interceptors._set_code(FakeContext(None, 0)) is grpc.StatusCode.OK


@each_kind
async def test_what_the_caller_sent_along_comes_with_the_start(serve: Any, kind: str) -> None:
    served = await serve({"Say": answering(kind, echo)})
    sent = (("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"), ("colour-bin", b"\xff"))
    request = iter([StringValue()]) if kind.startswith("stream") else StringValue()
    call = served.method(kind)(request, metadata=sent)
    assert await (call.read() if kind.endswith("_stream") else call)
    await served.end()
    assert set(sent) <= {tuple(pair) for pair in served.starts[0].metadata}


async def test_what_the_caller_of_an_unknown_method_sent_along_comes_with_the_start(serve: Any) -> None:
    served = await serve({"Say": answering("unary_unary", echo)})
    await failure(served.channel.unary_unary("/x/Y")(b"", metadata=(("colour", "red"),)))
    assert ("colour", "red") in {tuple(pair) for pair in served.starts[0].metadata}


async def test_every_call_has_a_number_of_its_own_that_its_end_repeats(serve: Any) -> None:
    held, together = asyncio.Event(), asyncio.Barrier(9)

    async def act(texts: list[str], context: Any) -> str:
        await together.wait()
        await held.wait()
        return texts[0]

    served = await serve({"Say": answering("unary_unary", act)})
    calls = [asyncio.create_task(served.call("unary_unary", str(number))) for number in range(8)]
    await together.wait()
    assert len({start.call for start in served.starts}) == 8
    assert served.ends == []
    held.set()
    await asyncio.gather(*calls)
    await served.until(lambda: len(served.ends) == 8)
    assert {end.call for end in served.ends} == {start.call for start in served.starts}


NOTE: ContextVar[str] = ContextVar("note", default="none")


@each_kind
async def test_what_a_sink_puts_into_the_context_at_the_start_holds_for_its_call_alone(serve: Any, kind: str) -> None:
    """Spans and request ids live there: two calls at once must not see each other's."""
    together, seen = asyncio.Barrier(2), {}

    async def act(texts: list[str], context: Any) -> str:
        before = NOTE.get()
        await together.wait()  # both calls have begun
        seen[texts[0]] = (before, NOTE.get(), await asyncio.create_task(noted()))
        return texts[0]

    async def noted() -> str:
        return NOTE.get()

    def sink(event: CallEvent) -> None:
        if isinstance(event, CallStarted):
            NOTE.set(next(value for key, value in event.metadata if key == "name"))
        elif isinstance(event, CallEnded):
            ended.append(NOTE.get())

    ended: list[str] = []
    served = await serve({"Say": answering(kind, act, says=1)}, sink)
    names = ["one", "two"]

    async def call(name: str) -> None:
        request = StringValue(value=name)
        call = served.method(kind)(
            iter([request]) if kind.startswith("stream") else request, metadata=(("name", name),), timeout=5
        )
        assert [reply async for reply in call] if kind.endswith("_stream") else await call

    await asyncio.gather(*map(call, names))
    await served.until(lambda: len(served.ends) == 2)
    assert seen == {name: (name, name, name) for name in names}
    assert sorted(ended) == names
    assert NOTE.get() == "none"


async def test_an_error_that_comes_too_late_to_be_sent_counts_as_what_the_caller_saw(serve: Any) -> None:
    async def say(_request: StringValue, _context: Any) -> StringValue:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise InvalidRequest.of("text", "is late", reason="TEXT_EMPTY") from None
        raise AssertionError

    served = await serve({"Say": ("unary_unary", say)})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.call("unary_unary", "", seconds=0.05)
    assert caught.value.code() == (await served.end()).code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_error_after_the_caller_hung_up_counts_as_cancelled(serve: Any) -> None:
    has_begun = asyncio.Event()

    async def say(_request: StringValue, _context: Any) -> StringValue:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise InvalidRequest.of("text", "is late", reason="TEXT_EMPTY") from None
        raise AssertionError

    served = await serve({"Say": ("unary_unary", say)})
    call = served.method("unary_unary")(StringValue())
    await has_begun.wait()
    call.cancel()
    assert (await served.end()).code == grpc.StatusCode.CANCELLED
