"""Ends streams whose caller has stopped reading: it would hold its place, and what lies ready for it, for ever.

Put by a service's `__main__` between CallObserver and ErrorMapper, where messages are bytes. gRPC asks for the next
message of a stream once the message before it has left; a reader that takes nothing stops it there, by flow control.
The status is queued behind what is unread, so a reader that goes on later gets what was sent and then the reason.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from phonoscope.common.errors import StreamNotRead
from phonoscope.common.interceptors import Context, Continuation, Handler, StreamCall, abort, wrapped


class UnreadGuard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Ends a stream with ABORTED and the reason STREAM_NOT_READ once a message has not left for so many seconds."""

    def __init__(self, max_unread_seconds: float) -> None:
        self._max_unread_seconds = max_unread_seconds
        self._endings: set[asyncio.Task[None]] = set()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wraps the call's handler, if its replies are a stream."""
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
        self._endings.add(ending)  # the loop itself holds tasks weakly
        ending.add_done_callback(self._endings.discard)

    async def _abort(self, context: Context, task: "asyncio.Task[Any] | None") -> None:
        """Queues the status, then ends the task that waits for the reader."""
        error = StreamNotRead(
            f"nothing of this stream was read for {self._max_unread_seconds:g} s, so the server ended it; read the "
            "stream as it comes, or cancel the call"
        )
        status = asyncio.ensure_future(abort(context, error))
        await asyncio.sleep(0)
        if task is not None:
            task.cancel()
        await asyncio.gather(status, return_exceptions=True)
