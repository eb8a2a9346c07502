"""Is the server there? generator.py doubts it when a call found none, and waits here until it is back."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from phonoscope.loadgen.events import ServerAway, ServerBack
from phonoscope.loadgen.target import SERVING

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0


class Availability:
    """Asks for the server's status, at growing intervals, from each doubt until it is SERVING.

    A server is taken to be away from the start, and again once a check says so: not by the doubt alone.
    """

    def __init__(
        self, status: Callable[[], Awaitable[str]], on_event: Callable[[ServerAway | ServerBack], None]
    ) -> None:
        self._status = status
        self._on_event = on_event
        self._is_there = asyncio.Event()
        self._is_in_doubt = asyncio.Event()
        self._is_in_doubt.set()

    @property
    def is_away(self) -> bool:
        """Whether the last check found no server that serves."""
        return not self._is_there.is_set()

    def doubt(self) -> None:
        """Has the status checked."""
        self._is_in_doubt.set()

    async def wait(self) -> None:
        """Returns when the server is there."""
        await self._is_there.wait()

    async def watch(self) -> None:
        """Settles one doubt after the other, until cancelled."""
        while True:
            await self._is_in_doubt.wait()
            self._is_in_doubt.clear()
            await self._find()

    async def _find(self) -> None:
        """Returns when the server is SERVING; tells when it is not at once, and when it is."""
        now = asyncio.get_running_loop().time
        doubted_at, pause = now(), FIRST_PAUSE_SECONDS
        while (status := await self._status()) != SERVING:
            if pause == FIRST_PAUSE_SECONDS:
                self._is_there.clear()
                self._on_event(ServerAway(status))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that clients do not march in step
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self._is_there.set()
        if pause > FIRST_PAUSE_SECONDS:
            self._on_event(ServerBack(now() - doubted_at))
