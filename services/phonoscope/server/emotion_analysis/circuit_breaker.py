"""A circuit breaker: a service that keeps failing is left alone for a while, so that nobody waits for it in vain."""

import time
from collections.abc import Callable
from typing import Final

FAILURES_TO_OPEN: Final = 5
OPEN_SECONDS: Final = 5.0


class CircuitBreaker:
    """Opens after FAILURES_TO_OPEN failures in a row; after OPEN_SECONDS it lets one call through as a trial.

    Args:
        clock: seconds, monotonic; tests supply their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_from = 0.0

    def allows_call(self) -> bool:
        """Whether to call now; counts a trial, so that others wait for its result."""
        if self._failures < FAILURES_TO_OPEN:
            return True
        if self._clock() < self._closed_from:
            return False
        self._closed_from = self._clock() + OPEN_SECONDS
        return True

    def succeed(self) -> None:
        """Records a call that was answered."""
        self._failures = 0

    def fail(self) -> None:
        """Records a call that was not answered."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._closed_from = self._clock() + OPEN_SECONDS
