"""Rate limit for rejections: clients that retry at once must not take the processor from other calls.

A rejection takes about a millisecond, most of it in gRPC, and holds the GIL, for which the engine's thread waits after
each operation. So rejections beyond a rate are delayed, which slows down clients that wait for a response before they
retry. Built by a service's `__main__`, used by ErrorMapper.
"""

import asyncio
from typing import Final

# Average rejections per second without delay: 2 % of the interpreter's time.
PER_SECOND: Final = 20.0
# Rejections without delay in a burst.
BURST: Final = 20
# Maximum delay: a client that could call another server waits for it.
MAX_DELAY_SECONDS: Final = 2.5


class RefusalPacer:
    """Delays rejections beyond `PER_SECOND`, after a burst, by up to `MAX_DELAY_SECONDS`. Not thread-safe."""

    def __init__(self) -> None:
        self._full_at = 0.0  # when the backlog of rejections is worked off, on the loop's clock

    def delay_seconds(self, now: float) -> float:
        """Returns the delay of a rejection at `now`, and counts it."""
        free_since = now - BURST / PER_SECOND
        self._full_at = min(max(self._full_at, free_since) + 1 / PER_SECOND, now + MAX_DELAY_SECONDS)
        return max(0.0, self._full_at - now)

    async def wait(self) -> None:
        """Waits until a call may be rejected."""
        if delay_seconds := self.delay_seconds(asyncio.get_running_loop().time()):
            await asyncio.sleep(delay_seconds)
