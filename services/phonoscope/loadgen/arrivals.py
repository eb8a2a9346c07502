"""When the calls of an open loop are due: a Poisson process, as independent callers make."""

import random
from collections.abc import Iterator

from phonoscope.loadgen.plan import LoadPlan


def arrivals_of(plan: LoadPlan) -> Iterator[float]:
    """Returns the arrivals of an open loop, in seconds from the start.

    Raises ValueError for a closed loop, and for a ramp without a duration.
    """
    if plan.ramp_per_second is not None:
        return ramp_arrivals(*plan.ramp_per_second, plan.duration_seconds, plan.seed)
    if plan.arrivals_per_second is not None:
        return poisson_arrivals(plan.arrivals_per_second, plan.seed)
    raise ValueError("a closed loop has no arrival times: each call starts when an earlier one has ended")


def poisson_arrivals(per_second: float, seed: int) -> Iterator[float]:
    """Yields seconds from the start, ascending and without end; the same seed gives the same times."""
    rng = random.Random(f"arrivals {seed}")  # noqa: S311 - a load, not a secret
    due = 0.0
    while True:
        due += rng.expovariate(per_second)
        yield due


def ramp_arrivals(first_per_second: float, last_per_second: float, seconds: float, seed: int) -> Iterator[float]:
    """Returns seconds from the start, ascending, at a rate that changes linearly over `seconds`.

    Lewis and Shedler's thinning: arrivals at the higher rate, each kept with the probability current rate / higher
    rate. Raises ValueError unless the duration and at least one rate are above 0.
    """
    if min(first_per_second, last_per_second) < 0 or max(first_per_second, last_per_second) <= 0 or seconds <= 0:
        raise ValueError("a ramp needs a duration above 0 and two rates of 0 or more, at least one above 0")
    return _thinned(first_per_second, last_per_second, seconds, seed)


def _thinned(first_per_second: float, last_per_second: float, seconds: float, seed: int) -> Iterator[float]:
    rng = random.Random(f"ramp {seed}")  # noqa: S311 - a load, not a secret
    highest = max(first_per_second, last_per_second)
    for due in poisson_arrivals(highest, seed):
        if due >= seconds:
            return
        rate = first_per_second + (last_per_second - first_per_second) * due / seconds
        if rng.random() * highest < rate:
            yield due
