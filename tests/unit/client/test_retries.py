"""When a refused call is made again, and after how long."""

from types import SimpleNamespace

import grpc
import pytest

from phonoscope.client import ResourceExhausted, Unavailable
from phonoscope.client import retries as module
from phonoscope.client.retries import JITTER_RATIO, MIN_DELAY_SECONDS, Attempts, wait_seconds

PLENTY_SECONDS = 1000.0


def refusal(retry_after_seconds: float | None) -> ResourceExhausted:
    return ResourceExhausted(
        "full",
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        target="localhost:1",
        retry_after_seconds=retry_after_seconds,
    )


def waits(asked: float, count: int, *, jitter: float = 0.0) -> list[float | None]:
    return [wait_seconds(refusal(asked), number, PLENTY_SECONDS, jitter) for number in range(count)]


def test_the_first_wait_is_what_the_server_asks_and_doubles_up_to_thirty_seconds():
    assert waits(2.0, 6) == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_no_wait_is_shorter_than_the_server_asks():
    assert waits(40.0, 3) == [40.0, 40.0, 40.0]


def test_a_delay_of_nothing_is_not_a_busy_loop():
    for asked in (0.0, -1.0):
        assert waits(asked, 3) == [MIN_DELAY_SECONDS, 2 * MIN_DELAY_SECONDS, 4 * MIN_DELAY_SECONDS]


def test_a_call_that_was_refused_very_often_still_waits():
    assert wait_seconds(refusal(0.001), 5000, PLENTY_SECONDS, 0.0) == 30.0


@pytest.mark.parametrize("refusals", [0, 2, 10])
def test_jitter_adds_up_to_a_quarter(refusals):
    shortest = wait_seconds(refusal(2.0), refusals, PLENTY_SECONDS, 0.0)
    assert wait_seconds(refusal(2.0), refusals, PLENTY_SECONDS, 0.5) == pytest.approx(shortest * 1.125)
    assert wait_seconds(refusal(2.0), refusals, PLENTY_SECONDS, 1.0) == pytest.approx(shortest * 1.25)


@pytest.mark.parametrize(
    ("refusals", "seconds_left", "expected"),
    [(0, 1.9, None), (0, 2.0, None), (0, 2.1, 2.0), (1, 3.9, None), (1, 4.1, 4.0)],
)
def test_a_delay_that_does_not_end_before_the_deadline_gives_up(refusals, seconds_left, expected):
    assert wait_seconds(refusal(2.0), refusals, seconds_left, 0.0) == expected


def test_jitter_does_not_pass_the_deadline():
    wait = wait_seconds(refusal(2.0), 0, 2.1, 0.99)
    assert 2.0 < wait < 2.1


def test_only_a_refusal_with_a_delay_is_waited_for():
    busy = Unavailable(
        "draining", code=grpc.StatusCode.UNAVAILABLE, target="localhost:1", retry_after_seconds=MIN_DELAY_SECONDS
    )
    assert wait_seconds(refusal(None), 0, PLENTY_SECONDS, 0.0) is None
    assert wait_seconds(busy, 0, PLENTY_SECONDS, 0.0) is None


def test_attempts_count_their_refusals():
    attempts = Attempts(PLENTY_SECONDS, waits_when_busy=True)
    for shortest in (1.0, 2.0, 4.0):
        assert shortest <= attempts.wait_after(refusal(1.0)) <= shortest * (1 + JITTER_RATIO)


def test_callers_that_are_refused_together_do_not_come_back_together():
    first = {Attempts(PLENTY_SECONDS, waits_when_busy=True).wait_after(refusal(1.0)) for _ in range(20)}
    assert len(first) > 1


def test_all_attempts_share_one_deadline(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    attempts = Attempts(10.0, waits_when_busy=True)
    assert attempts.seconds_left() == 10.0
    clock.now += 7.0
    assert attempts.seconds_left() == 3.0
    assert attempts.wait_after(refusal(2.0)) is not None
    clock.now += 2.5
    assert attempts.wait_after(refusal(0.6)) is None


@pytest.mark.parametrize(
    "attempts",
    [
        Attempts(PLENTY_SECONDS, waits_when_busy=False),
        Attempts(PLENTY_SECONDS, waits_when_busy=True, is_repeatable=lambda: False),
    ],
)
def test_a_call_that_must_not_be_repeated_gives_up(attempts):
    assert attempts.wait_after(refusal(1.0)) is None


def test_a_call_whose_reply_has_begun_gives_up():
    attempts = Attempts(PLENTY_SECONDS, waits_when_busy=True)
    attempts.commit()
    assert attempts.wait_after(refusal(1.0)) is None
