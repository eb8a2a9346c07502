"""How late the asyncio event loop runs its timers: the wait that every call on this loop feels.

Used by the services' `__main__`, which turns each measurement into an event.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

INTERVAL_SECONDS: Final = 0.25


class Timer(Protocol):
    """What a loop gives for a call that is yet to come."""

    def cancel(self) -> object:
        """Takes the call back."""


class Timers(Protocol):
    """The part of an event loop that is measured."""

    def time(self) -> float:
        """Returns the loop's clock, in seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Calls back at `when`, or as soon after it as the loop can."""


class LoopLag:
    """Sets a timer every quarter of a second and tells `on_lag` how many seconds late each ran; 0 or more.

    Timers are due at fixed instants. While the loop stands still, those that should have run are counted when it goes
    on, each with its own lateness: a stall of a second counts as four late timers. Were it one, the histogram would
    have the fewest samples of the worst moments.

    Start it where the loop runs, by `with` or by `start()`; the end of the `with`, or `close()`, ends it.
    """

    def __init__(
        self,
        on_lag: Callable[[float], None],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        timers: Timers | None = None,
    ) -> None:
        self._on_lag = on_lag
        self._interval_seconds = interval_seconds
        self._timers = timers
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begins to measure `timers`, by default the running loop."""
        timers = self._timers or asyncio.get_running_loop()
        self._set(timers, timers.time() + self._interval_seconds)

    def close(self) -> None:
        """Ends the measurement; nothing is told after it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, timers: Timers, due: float) -> None:
        self._timer = timers.call_at(due, lambda: self._run(timers, due))

    def _run(self, timers: Timers, due: float) -> None:
        now = timers.time()
        missed = max(0, int((now - due) // self._interval_seconds))
        self._set(timers, due + (missed + 1) * self._interval_seconds)  # first, so that a failing sink ends nothing
        for index in range(missed + 1):
            self._on_lag(max(0.0, now - due - index * self._interval_seconds))
