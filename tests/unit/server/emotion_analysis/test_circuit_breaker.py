"""The circuit breaker: open after failures in a row, one trial after a while."""

from phonoscope.server.emotion_analysis.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS, CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_stays_closed_while_failures_are_not_in_a_row() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.fail()
        breaker.succeed()
    assert breaker.allows_call()


def test_it_opens_and_lets_one_trial_through_after_a_while() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        breaker.fail()
    assert not breaker.allows_call()
    clock.now += OPEN_SECONDS
    assert [breaker.allows_call(), breaker.allows_call()] == [True, False]
    breaker.fail()
    assert not breaker.allows_call()
    clock.now += OPEN_SECONDS
    assert breaker.allows_call()
    breaker.succeed()
    assert [breaker.allows_call(), breaker.allows_call()] == [True, True]
