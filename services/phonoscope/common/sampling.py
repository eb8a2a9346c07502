"""Sampling of events that can be frequent: the first of each second, and how many were skipped."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 1.0


class OncePerSecond:
    """Selects at most one event per second of each kind.

    Args:
        clock: monotonic seconds; tests pass their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, float] = {}
        self._skipped: Counter[str] = Counter()

    def take(self, kind: str) -> int | None:
        """Returns how many events of a kind were skipped since the last selected one; None to skip this one.

        Kinds must be bounded in number.
        """
        now = self._clock()
        latest = self._taken.get(kind)
        if latest is not None and now - latest < INTERVAL_SECONDS:
            self._skipped[kind] += 1
            return None
        self._taken[kind] = now
        return self._skipped.pop(kind, 0)
