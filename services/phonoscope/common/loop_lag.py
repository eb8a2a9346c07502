"""The lag of the asyncio event loop: how late it runs its timers, and so how late it serves every call.

Used by the services' `__main__`, which turns each measurement into an event.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

INTERVAL_SECONDS: Final = 0.25


class Timer(Protocol):
    """The handle of a scheduled callback."""

    def cancel(self) -> object:
        """Cancels the callback."""


class Timers(Protocol):
    """The part of an event loop that LoopLag needs."""

    def time(self) -> float:
        """Returns the loop's clock, in seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Schedules a callback for `when`."""


class LoopLag:
    """Sets a timer every quarter of a second and calls `on_lag` with the seconds that each one was late; 0 or more.

    Timers are due at fixed times. After the loop was blocked, each timer that it missed is reported with its own
    lateness: a second counts as four late timers. Otherwise the histogram would have the fewest samples for the worst
    moments.

    Start it in the loop, as a context manager or by `start()`; the end of the context, or `close()`, stops it.
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
        """Starts measuring `timers`; defaults to the running loop."""
        timers = self._timers or asyncio.get_running_loop()
        self._set(timers, timers.time() + self._interval_seconds)

    def close(self) -> None:
        """Stops measuring; `on_lag` is not called any more."""
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
        self._set(timers, due + (missed + 1) * self._interval_seconds)  # before a sink can raise
        for index in range(missed + 1):
            self._on_lag(max(0.0, now - due - index * self._interval_seconds))
