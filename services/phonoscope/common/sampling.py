"""What is written down about events that may come in floods: the first of each second, and how many were left out."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 1.0


class OncePerSecond:
    """Picks at most one event a second of each kind.

    Args:
        clock: seconds, monotonic; tests bring their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, float] = {}
        self._left_out: Counter[str] = Counter()

    def take(self, kind: str) -> int | None:
        """Returns how many events of a kind were left out since the last one that was picked; None to leave it out.

        Kinds must be bounded in number.
        """
        now = self._clock()
        latest = self._taken.get(kind)
        if latest is not None and now - latest < INTERVAL_SECONDS:
            self._left_out[kind] += 1
            return None
        self._taken[kind] = now
        return self._left_out.pop(kind, 0)
