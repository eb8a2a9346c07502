"""The interceptors of every call: events for sinks, which count, trace and log it, and errors as statuses.

Built by the services' `__main__`, outermost first: CallObserver, then ErrorMapper, then the servicer; so the observer
sees the status that the client gets. CallStarted is emitted first in the call's own task, so that context variables
that a sink sets there apply to the whole call and to no other. Streaming handlers must be async generators: closing
one closes the servicer's generator, so that the end of a call frees its resources at once.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn, Self

import grpc
from google.protobuf.message import DecodeError
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # unknown to the stubs of grpc

from phonoscope.common.call_events import CallEnded, CallEvent, CallStarted, MessageReceived, MessageSent, Method
from phonoscope.common.deadlines import has_passed
from phonoscope.common.errors import DeadlineUnreachable, InvalidRequest, Overloaded, ServiceError
from phonoscope.common.refusals import RefusalPacer
from phonoscope.common.statuses import DETAILS_KEY, STATUS_OF, status_details, status_message

# The stubs of grpc type handlers and contexts for synchronous servers only.
Handler = Any
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]
Context = Any
UnaryCall = Callable[[Any, Context], Awaitable[Any]]
StreamCall = Callable[[Any, Context], AsyncGenerator[Any, None]]


class ErrorMapper(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Maps ServiceErrors to statuses with details, and other exceptions to INTERNAL after `on_unexpected`.

    It decodes and encodes the messages, so that one that cannot be decoded is an error like others. With `refusals`,
    statuses of rejected calls are delayed.
    """

    def __init__(
        self, on_unexpected: Callable[[str, BaseException], None], refusals: RefusalPacer | None = None
    ) -> None:
        self._on_unexpected = on_unexpected
        self._refusals = refusals

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        path = handler_call_details.method
        decode, encode = handler.request_deserializer, handler.response_serializer

        def unary(call: UnaryCall) -> UnaryCall:
            async def answer(request: Any, context: Context) -> bytes:  # noqa: ANN401  bytes, or an iterator of them
                try:
                    return bytes(encode(await call(_decode(decode, request), context)))
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  the error interceptor
                    return await self._abort(path, error, context)

            return answer

        def stream(call: StreamCall) -> StreamCall:
            async def answer(request: Any, context: Context) -> AsyncGenerator[bytes, None]:  # noqa: ANN401  as above
                try:
                    async with aclosing(call(_decode(decode, request), context)) as replies:
                        async for reply in replies:
                            yield encode(reply)
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  the error interceptor
                    await self._abort(path, error, context)

            return answer

        return wrapped(handler, unary, stream)

    async def _abort(self, path: str, error: BaseException, context: Context) -> NoReturn:
        """Ends the call with the error's status; what gRPC itself raised goes on as it is."""
        if isinstance(error, grpc.aio.AbortError) or (isinstance(error, asyncio.CancelledError) and _is_cancelled()):
            raise error
        if isinstance(error, ServiceError):
            if self._refusals and isinstance(error, Overloaded | DeadlineUnreachable):
                await self._refusals.wait()
            await abort(context, error)
        self._on_unexpected(path, error)
        await context.abort(grpc.StatusCode.INTERNAL, "internal error in the server; its log has the traceback")
        raise AssertionError("abort returned") from error


async def abort(context: Context, error: ServiceError) -> None:
    """Ends a call with an error's status, with details in the trailers; raises gRPC's AbortError."""
    code = STATUS_OF[type(error)]
    details = status_details(error, code)
    await context.abort(code, status_message(error), ((DETAILS_KEY, details.SerializeToString()),))


def _is_cancelled() -> bool:
    """Returns whether the call itself was cancelled; else gRPC would send no status, and the client would wait."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _decode(decode: Callable[[bytes], Any], request: Any) -> Any:  # noqa: ANN401  a message, or an iterator of them
    """Returns the decoded message, or an iterator of messages for an iterator of bytes."""
    return _decode_message(decode, request) if isinstance(request, bytes) else _decode_stream(decode, request)


async def _decode_stream(decode: Callable[[bytes], Any], requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _decode_message(decode, request)


def _decode_message(decode: Callable[[bytes], Any], request: bytes) -> Any:  # noqa: ANN401  any message
    try:
        return decode(request)
    except DecodeError:
        raise InvalidRequest.of(
            "request",
            "cannot be read as this method's message; make the client's stubs from this server's .proto",
            reason="MESSAGE_UNREADABLE",
        ) from None


class CallObserver(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Calls `on_event` at every call's start and end, exactly once each, with the code that the client gets."""

    def __init__(self, on_event: Callable[[CallEvent], None]) -> None:
        self._on_event = on_event
        self._numbers = itertools.count(1)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler; a call of an unknown method has none, and is counted here."""
        handler = await continuation(handler_call_details)
        method = Method.of(handler_call_details.method, handler)
        if handler is None:
            call = next(self._numbers)
            self._on_event(CallStarted(call, method, handler_call_details.invocation_metadata))
            self._on_event(CallEnded(call, method, grpc.StatusCode.UNIMPLEMENTED, 0.0, 0, 0, 0, 0))
            return None

        def unary(call: UnaryCall) -> UnaryCall:
            async def answer(request: Any, context: Context) -> bytes:  # noqa: ANN401  bytes, or an iterator of them
                with _Tally(self._on_event, next(self._numbers), method, context) as tally:
                    return tally.sent(await call(tally.received(request), context))

            return answer

        def stream(call: StreamCall) -> StreamCall:
            async def answer(request: Any, context: Context) -> AsyncGenerator[bytes, None]:  # noqa: ANN401  as above
                with _Tally(self._on_event, next(self._numbers), method, context) as tally:
                    async with aclosing(call(tally.received(request), context)) as replies:
                        async for reply in replies:
                            yield tally.sent(reply)

            return answer

        return wrapped(handler, unary, stream)


class _Tally:
    """Counts one call's messages; a context manager that emits the events of the call's start and end."""

    def __init__(self, on_event: Callable[[CallEvent], None], number: int, method: Method, context: Context) -> None:
        self._on_event = on_event
        self._number = number
        self._method = method
        self._context = context
        self._received = self._sent = self._bytes_received = self._bytes_sent = 0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._timeout_seconds: float | None = self._context.time_remaining()
        self._on_event(CallStarted(self._number, self._method, self._context.invocation_metadata() or ()))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        code = _set_code(self._context) if error is None else _code_of(error, self._context, self._timeout_seconds)
        seconds = time.perf_counter() - self._started
        self._on_event(
            CallEnded(
                self._number,
                self._method,
                code,
                seconds,
                messages_received=self._received,
                messages_sent=self._sent,
                bytes_received=self._bytes_received,
                bytes_sent=self._bytes_sent,
            )
        )

    def received(self, request: Any) -> Any:  # noqa: ANN401  bytes, or an iterator of them
        """Counts a request, or returns an iterator that counts requests as it is read."""
        if isinstance(request, bytes):
            self._count(request)
            return request
        return self._counting(request)

    async def _counting(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            self._count(request)
            yield request

    def _count(self, request: bytes) -> None:
        self._received += 1
        self._bytes_received += len(request)
        self._on_event(MessageReceived(self._method, len(request)))

    def sent(self, reply: bytes) -> bytes:
        """Counts a reply and returns it."""
        self._sent += 1
        self._bytes_sent += len(reply)
        self._on_event(MessageSent(self._method, len(reply)))
        return reply


def _set_code(context: Context) -> grpc.StatusCode:
    """Returns the code that a handler set, OK if it set none; grpc.aio stores it as a number."""
    number: object = context.code()
    return next((code for code in grpc.StatusCode if number in (code, code.value[0])), grpc.StatusCode.OK)


def _code_of(error: BaseException, context: Context, timeout_seconds: float | None) -> grpc.StatusCode:
    """Returns the code that the client gets for an exception of a handler, in a call with this timeout."""
    if isinstance(error, grpc.aio.AbortError):
        return _set_code(context)
    # ExecuteBatchError: gRPC could not send anything, not even a status, because the call had ended.
    if isinstance(error, asyncio.CancelledError | GeneratorExit | cygrpc.ExecuteBatchError):
        if isinstance(error, GeneratorExit) and (set_code := _set_code(context)) is not grpc.StatusCode.OK:
            return set_code  # another task has ended the call
        has_expired = timeout_seconds is not None and has_passed(timeout_seconds, context.time_remaining())
        return grpc.StatusCode.DEADLINE_EXCEEDED if has_expired else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def wrapped(
    handler: Handler, unary: Callable[[UnaryCall], UnaryCall], stream: Callable[[StreamCall], StreamCall]
) -> Handler:
    """Returns a handler of the same kind, from bytes to bytes, with its behaviour wrapped by `unary` or `stream`."""
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(unary(handler.unary_unary))
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(unary(handler.stream_unary))
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(stream(handler.unary_stream))
    return grpc.stream_stream_rpc_method_handler(stream(handler.stream_stream))
