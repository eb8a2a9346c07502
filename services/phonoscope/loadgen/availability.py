"""Whether the server is SERVING; generator.py requests a check after a call that reached no server, and waits here."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from phonoscope.loadgen.events import ServerAway, ServerBack
from phonoscope.loadgen.target import SERVING

FIRST_PAUSE_SECONDS: Final = 0.2
MAX_PAUSE_SECONDS: Final = 5.0


class Availability:
    """Checks the server's status, at growing intervals, from each request for a check until it is SERVING.

    The server counts as away at the start, and again once a check fails; a requested check alone changes nothing.
    """

    def __init__(
        self, status: Callable[[], Awaitable[str]], on_event: Callable[[ServerAway | ServerBack], None]
    ) -> None:
        self._status = status
        self._on_event = on_event
        self._is_serving = asyncio.Event()
        self._check_requested = asyncio.Event()
        self._check_requested.set()

    @property
    def is_away(self) -> bool:
        """Whether the server was not SERVING in the last check."""
        return not self._is_serving.is_set()

    def request_check(self) -> None:
        """Requests a check of the status."""
        self._check_requested.set()

    async def wait(self) -> None:
        """Returns when the server is SERVING."""
        await self._is_serving.wait()

    async def watch(self) -> None:
        """Carries out the requested checks, until cancelled."""
        while True:
            await self._check_requested.wait()
            self._check_requested.clear()
            await self._check_until_serving()

    async def _check_until_serving(self) -> None:
        """Returns when the server is SERVING; emits events when it is not at first, and when it is again."""
        now = asyncio.get_running_loop().time
        started_at, pause = now(), FIRST_PAUSE_SECONDS
        while (status := await self._status()) != SERVING:
            if pause == FIRST_PAUSE_SECONDS:
                self._is_serving.clear()
                self._on_event(ServerAway(status))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, so that clients do not check in step
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        self._is_serving.set()
        if pause > FIRST_PAUSE_SECONDS:
            self._on_event(ServerBack(now() - started_at))
