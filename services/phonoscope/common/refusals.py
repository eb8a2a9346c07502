"""How often calls are refused: callers that retry at once must not take the processor from those who are served.

A refusal costs about a millisecond, most of it gRPC's own, and holds the interpreter, for which the engine's thread
waits after each operation. Answers beyond a rate are therefore delayed: callers that wait for an answer before they
call again come as often as they are answered. Built by a service's `__main__`, used by ErrorMapper.
"""

import asyncio
from typing import Final

# Refusals a second that are answered at once, on average: a fiftieth of the interpreter's time.
PER_SECOND: Final = 20.0
# So many may come together.
BURST: Final = 20
# No refusal is delayed longer: a caller that goes elsewhere waits for it.
MAX_DELAY_SECONDS: Final = 2.5


class RefusalPacer:
    """Delays refusals beyond `PER_SECOND`, after a burst, by up to `MAX_DELAY_SECONDS`. Use it on the event loop."""

    def __init__(self) -> None:
        self._full_at = 0.0  # when as many as allowed will have been answered, on the loop's clock

    def delay_seconds(self, now: float) -> float:
        """Returns how long the answer to a refused call waits, and counts it."""
        free_since = now - BURST / PER_SECOND
        self._full_at = min(max(self._full_at, free_since) + 1 / PER_SECOND, now + MAX_DELAY_SECONDS)
        return max(0.0, self._full_at - now)

    async def wait(self) -> None:
        """Returns once a refused call may be answered."""
        if delay_seconds := self.delay_seconds(asyncio.get_running_loop().time()):
            await asyncio.sleep(delay_seconds)
