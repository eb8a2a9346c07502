"""Work for clients that may disconnect: it is cancelled when they do. Used by routes and by speech_response.py."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

ResultT = TypeVar("ResultT")


class ClientDisconnected(Exception):
    """The client closed the connection; nobody receives a response."""


async def run_while_connected(receive: Receive, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns the result of `work`; cancels it if the client disconnects. The request body must have been read.

    Raises:
        ClientDisconnected: the client disconnected first.
    """
    working, disconnecting = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, disconnecting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnected
        return working.result()
    finally:
        await cancel(working, disconnecting)


async def cancel(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels tasks and waits until they have ended; exceptions that they raise meanwhile are dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio logs it


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
