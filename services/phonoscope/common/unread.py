"""Ends streams whose client has stopped reading: they would keep their place and their memory for ever.

Installed by a service's `__main__` between CallObserver and ErrorMapper, where messages are bytes. gRPC requests the
next message of a stream when the previous one has been sent; a client that does not read stops that by flow control.
The status is queued after the unread messages, so a client that reads later gets those and then the status.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from phonoscope.common.errors import StreamNotRead
from phonoscope.common.interceptors import Context, Continuation, Handler, StreamCall, abort, wrapped


class UnreadGuard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Ends a stream with ABORTED and STREAM_NOT_READ if a message could not be sent for `max_unread_seconds`."""

    def __init__(self, max_unread_seconds: float) -> None:
        self._max_unread_seconds = max_unread_seconds
        self._endings: set[asyncio.Task[None]] = set()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler if its replies are a stream."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler

        def stream(call: StreamCall) -> StreamCall:
            async def answer(request: Any, context: Context) -> AsyncGenerator[bytes, None]:  # noqa: ANN401
                loop, task = asyncio.get_running_loop(), asyncio.current_task()
                async with aclosing(call(request, context)) as replies:
                    async for reply in replies:
                        timer = loop.call_later(self._max_unread_seconds, self._end, context, task)
                        try:
                            yield reply
                        finally:
                            timer.cancel()

            return answer

        return wrapped(handler, lambda call: call, stream)

    def _end(self, context: Context, task: "asyncio.Task[Any] | None") -> None:
        ending = asyncio.ensure_future(self._abort(context, task))
        self._endings.add(ending)  # the loop has only a weak reference
        ending.add_done_callback(self._endings.discard)

    async def _abort(self, context: Context, task: "asyncio.Task[Any] | None") -> None:
        """Queues the status, then cancels the task that waits for the client."""
        error = StreamNotRead(
            f"the client did not read the stream for {self._max_unread_seconds:g} s, so the server ended it; read the "
            "stream as it arrives, or cancel the call"
        )
        status = asyncio.ensure_future(abort(context, error))
        await asyncio.sleep(0)
        if task is not None:
            task.cancel()
        await asyncio.gather(status, return_exceptions=True)
