"""Work for a caller who may leave: it ends when they do.

Used by speech_response.py, routes that wait, and the socket.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

ResultT = TypeVar("ResultT")


class ClientDisconnected(Exception):
    """The caller closed the connection; there is nobody to answer."""


async def run_while_connected(receive: Receive, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns what `work` returns; cancels it when the caller leaves first. The request's body must have been read.

    Raises:
        CallerLeft: they did.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnected
        return working.result()
    finally:
        await end(working, leaving)


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels tasks that may have ended, and waits for their ends; what they fail with then concerns nobody."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: asyncio would log it


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
