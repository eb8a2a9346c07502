"""What happens around every call: it is counted and logged, and its errors become statuses.

Put in order by the services' `__main__`, outermost first: CallObserver, then ErrorMapper, then the servicer; so the
observer sees the status that the caller sees.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from phonoscope.common.errors import ServiceError
from phonoscope.common.statuses import STATUS_OF, status_details

OTHER: Final = "_OTHER"

# The stubs of grpc type handlers and contexts for synchronous servers only.
Handler = Any
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]
Context = Any
UnaryCall = Callable[[Any, Context], Awaitable[Any]]
StreamCall = Callable[[Any, Context], AsyncIterator[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method as metrics name it."""

    service: str
    name: str
    kind: str  # unary, client_stream, server_stream or bidi_stream

    @classmethod
    def of(cls, path: str, handler: Handler) -> "Method":
        """Returns the method of a call's path; calls that nothing serves are all one."""
        if handler is None:
            return cls(OTHER, OTHER, "unary")
        service, _, name = path.lstrip("/").rpartition("/")
        kinds = {
            (False, False): "unary",
            (True, False): "client_stream",
            (False, True): "server_stream",
            (True, True): "bidi_stream",
        }
        return cls(service, name, kinds[bool(handler.request_streaming), bool(handler.response_streaming)])


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call has come in."""

    method: Method


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended with `code`, as its caller sees it."""

    method: Method
    code: grpc.StatusCode
    seconds: float
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int


CallEvent = CallStarted | CallEnded


class ErrorMapper(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Turns errors of the tree into statuses with details, and any other into INTERNAL, told to `on_unexpected`."""

    def __init__(self, on_unexpected: Callable[[str, Exception], None]) -> None:
        self._on_unexpected = on_unexpected

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        path = handler_call_details.method

        def unary(call: UnaryCall) -> UnaryCall:
            async def answer(request: Any, context: Context) -> Any:  # noqa: ANN401  any message
                try:
                    return await call(request, context)
                except Exception as error:  # noqa: BLE001  the error interceptor: everything ends here
                    await self._abort(path, error, context)

            return answer

        def stream(call: StreamCall) -> StreamCall:
            async def answer(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401  any message
                try:
                    async for message in call(request, context):
                        yield message
                except Exception as error:  # noqa: BLE001  the error interceptor: everything ends here
                    await self._abort(path, error, context)

            return answer

        return _wrapped(handler, unary, stream)

    async def _abort(self, path: str, error: Exception, context: Context) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, ServiceError):
            code = STATUS_OF[type(error)]
            details = status_details(error, code)
            await context.abort(code, str(error), (("grpc-status-details-bin", details.SerializeToString()),))
        self._on_unexpected(path, error)
        await context.abort(grpc.StatusCode.INTERNAL, "the server failed on this call; its log says how")


class CallObserver(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Tells `on_event` of every call's start and end, exactly once each, with the code that the caller sees."""

    def __init__(self, on_event: Callable[[CallEvent], None]) -> None:
        self._on_event = on_event

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler; a call that nothing serves is counted here, since it has none."""
        handler = await continuation(handler_call_details)
        method = Method.of(handler_call_details.method, handler)
        if handler is None:
            self._on_event(CallStarted(method))
            self._on_event(CallEnded(method, grpc.StatusCode.UNIMPLEMENTED, 0.0, 0, 0, 0, 0))
            return None

        def unary(call: UnaryCall) -> UnaryCall:
            async def answer(request: Any, context: Context) -> Any:  # noqa: ANN401  any message
                tally = _Tally(self._on_event, method)
                try:
                    reply = await call(tally.received(request), context)
                    tally.sent(reply)
                except BaseException as error:
                    tally.end(_code_of(error, context))
                    raise
                tally.end(_set_code(context))
                return reply

            return answer

        def stream(call: StreamCall) -> StreamCall:
            async def answer(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401  any message
                tally = _Tally(self._on_event, method)
                try:
                    async for reply in call(tally.received(request), context):
                        tally.sent(reply)
                        yield reply
                except BaseException as error:
                    tally.end(_code_of(error, context))
                    raise
                tally.end(_set_code(context))

            return answer

        return _wrapped(handler, unary, stream)


class _Tally:
    """Counts one call's messages and tells of its start and end."""

    def __init__(self, on_event: Callable[[CallEvent], None], method: Method) -> None:
        self._on_event = on_event
        self._method = method
        self._started = time.perf_counter()
        self._received = self._sent = self._bytes_received = self._bytes_sent = 0
        on_event(CallStarted(method))

    def received(self, request: Any) -> Any:  # noqa: ANN401  one message, or an iterator of them
        """Counts a request, or returns an iterator that counts as it is read."""
        if isinstance(request, Message):
            self._count(request)
            return request
        return self._counting(request)

    async def _counting(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            self._count(request)
            yield request

    def _count(self, request: Message) -> None:
        self._received += 1
        self._bytes_received += request.ByteSize()

    def sent(self, reply: Message) -> None:
        """Counts a reply."""
        self._sent += 1
        self._bytes_sent += reply.ByteSize()

    def end(self, code: grpc.StatusCode) -> None:
        """Tells how the call ended."""
        seconds = time.perf_counter() - self._started
        self._on_event(
            CallEnded(self._method, code, seconds, self._received, self._sent, self._bytes_received, self._bytes_sent)
        )


def _set_code(context: Context) -> grpc.StatusCode:
    """Returns the code that a handler set, OK when it set none; grpc.aio keeps it as a number."""
    number: object = context.code()
    return next((code for code in grpc.StatusCode if number in (code, code.value[0])), grpc.StatusCode.OK)


def _code_of(error: BaseException, context: Context) -> grpc.StatusCode:
    """Returns the code that the caller sees for what a handler raised."""
    if isinstance(error, grpc.aio.AbortError):
        return _set_code(context)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        remaining: float | None = context.time_remaining()
        has_expired = remaining is not None and remaining <= 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if has_expired else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def _wrapped(
    handler: Handler, unary: Callable[[UnaryCall], UnaryCall], stream: Callable[[StreamCall], StreamCall]
) -> Handler:
    """Returns the handler with its one behaviour wrapped; the four shapes differ in how they are built only."""
    coders = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(unary(handler.unary_unary), **coders)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(unary(handler.stream_unary), **coders)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(stream(handler.unary_stream), **coders)
    return grpc.stream_stream_rpc_method_handler(stream(handler.stream_stream), **coders)
