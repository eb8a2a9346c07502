"""RefusalPacer: refusals are answered at once until they come too often."""

import pytest

from phonoscope.common.refusals import BURST, MAX_DELAY_SECONDS, PER_SECOND, RefusalPacer


def test_a_burst_is_answered_at_once() -> None:
    pacer = RefusalPacer()
    assert [pacer.delay_seconds(100.0) for _ in range(BURST)] == [0.0] * BURST
    assert pacer.delay_seconds(100.0) > 0


def test_at_the_rate_or_below_nobody_waits() -> None:
    pacer = RefusalPacer()
    assert max(pacer.delay_seconds(100.0 + number / PER_SECOND) for number in range(1000)) == 0.0


def test_callers_that_come_back_as_soon_as_they_are_answered_come_at_the_rate() -> None:
    pacer, answered = RefusalPacer(), 0
    ready = [100.0] * 48
    while (now := min(ready)) < 160.0:
        caller = ready.index(now)
        ready[caller] = now + pacer.delay_seconds(now) + 0.01
        answered += 1
    assert answered == pytest.approx(60 * PER_SECOND, rel=0.1)


def test_no_refusal_waits_longer_than_the_bound_however_many_there_are() -> None:
    pacer = RefusalPacer()
    assert max(pacer.delay_seconds(100.0) for _ in range(10_000)) == pytest.approx(MAX_DELAY_SECONDS)
    assert pacer.delay_seconds(100.0 + MAX_DELAY_SECONDS + BURST / PER_SECOND) == 0.0, "a flood leaves nothing behind"


async def test_waiting_waits() -> None:
    pacer = RefusalPacer()
    for _ in range(BURST + 1):
        await pacer.wait()
