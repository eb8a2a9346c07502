"""LoopLag on a loop whose clock the test turns, and on a real one. Instants are sums of powers of two, so exact."""

import asyncio
from collections.abc import Callable

import pytest

from phonoscope.common.loop_lag import LoopLag


class FakeTimers:
    """An event loop that runs what is due when the test lets time pass."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pending: dict[object, tuple[float, Callable[[], None]]] = {}

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "FakeTimer":
        timer = FakeTimer(self)
        self.pending[timer] = (when, callback)
        return timer

    @property
    def due(self) -> list[float]:
        return [when for when, _callback in self.pending.values()]

    def run_at(self, now: float) -> None:
        """Goes on at an instant, having stood still until then."""
        self.now = now
        for timer, (when, callback) in list(self.pending.items()):
            if when <= now + 1e-9:  # asyncio, too, counts what is due within its clock's resolution
                del self.pending[timer]
                callback()


class FakeTimer:
    def __init__(self, timers: FakeTimers) -> None:
        self.timers = timers

    def cancel(self) -> None:
        self.timers.pending.pop(self, None)


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


@pytest.fixture
def lags() -> list[float]:
    return []


@pytest.fixture
def lag(timers: FakeTimers, lags: list[float]) -> LoopLag:
    return LoopLag(lags.append, timers=timers)


def test_a_loop_that_is_on_time_is_reported_four_times_a_second(
    timers: FakeTimers, lags: list[float], lag: LoopLag
) -> None:
    with lag:
        for now in (100.25, 100.5, 100.75, 101.0):
            assert timers.due == [now]
            timers.run_at(now)
    assert lags == [0.0, 0.0, 0.0, 0.0]


def test_a_late_timer_is_reported_and_does_not_move_those_that_follow(
    timers: FakeTimers, lags: list[float], lag: LoopLag
) -> None:
    with lag:
        timers.run_at(100.25 + 0.0625)
        assert timers.due == [100.5]
        timers.run_at(100.5 + 0.125)
        assert timers.due == [100.75]
    assert lags == [0.0625, 0.125]


def test_a_stall_counts_as_all_the_timers_that_it_held_up(timers: FakeTimers, lags: list[float], lag: LoopLag) -> None:
    with lag:
        timers.run_at(101.125)
        assert timers.due == [101.25]
    assert lags == [0.875, 0.625, 0.375, 0.125]


def test_a_timer_that_runs_a_hair_early_is_on_time(timers: FakeTimers, lags: list[float], lag: LoopLag) -> None:
    with lag:
        timers.run_at(100.25 - 1e-10)
        assert timers.due == [100.5]
    assert lags == [0.0]


def test_after_the_end_nothing_is_due_and_it_can_begin_again(
    timers: FakeTimers, lags: list[float], lag: LoopLag
) -> None:
    with lag:
        pass
    assert timers.due == []
    lag.close()
    timers.now = 200.0
    lag.start()
    assert timers.due == [200.25]
    lag.close()
    assert timers.due == []
    assert lags == []


def test_a_sink_that_fails_does_not_end_the_measurement(timers: FakeTimers) -> None:
    def fail(seconds: float) -> None:
        raise RuntimeError

    with LoopLag(fail, timers=timers):
        with pytest.raises(RuntimeError):
            timers.run_at(100.25)
        assert timers.due == [100.5]


async def test_it_measures_the_running_loop() -> None:
    told = asyncio.Queue[float]()
    with LoopLag(told.put_nowait, interval_seconds=0.001):
        async with asyncio.timeout(5):
            lags = [await told.get() for _ in range(5)]
    assert min(lags) >= 0.0
