"""FailureStreak: when an engine's failures make it suspect."""

import pytest

from phonoscope.server.scheduling.failure_streak import MAX_FAILURES, FailureStreak
from phonoscope.server.types import Utterance

ERROR = RuntimeError("out of order")
BAD = [Utterance("a", (number, 1)) for number in range(MAX_FAILURES)]


@pytest.fixture
def streak() -> FailureStreak:
    return FailureStreak()


def fail(streak: FailureStreak, *utterances: Utterance) -> None:
    for utterance in utterances:
        streak.add(utterance, ERROR)


def test_one_failure_less_than_the_limit_makes_no_suspect(streak: FailureStreak) -> None:
    fail(streak, *BAD[1:])
    assert not streak.is_suspect
    fail(streak, BAD[0])
    assert streak.is_suspect
    assert (streak.count, streak.error) == (MAX_FAILURES, ERROR)


def test_one_bad_utterance_that_is_sent_again_and_again_makes_no_suspect(streak: FailureStreak) -> None:
    fail(streak, *[BAD[0]] * 100)
    assert not streak.is_suspect


def test_any_failures_make_a_suspect_of_an_engine_that_can_prove_itself(streak: FailureStreak) -> None:
    streak.end(Utterance("a", (1, 2, 3)))
    fail(streak, *[BAD[0]] * MAX_FAILURES)
    assert streak.is_suspect


def test_a_spoken_utterance_ends_the_streak(streak: FailureStreak) -> None:
    fail(streak, *BAD)
    streak.end(BAD[0])
    assert (streak.is_suspect, streak.count, streak.error) == (False, 0, None)
    fail(streak, *BAD[1:])
    assert not streak.is_suspect


def test_the_shortest_utterance_is_the_one_to_repeat(streak: FailureStreak) -> None:
    said = [Utterance("a", symbols) for symbols in ((1, 2), (3,), (4, 5))]
    for utterance in said:
        streak.end(utterance)
    assert streak.proven is said[1]
