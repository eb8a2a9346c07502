"""When the calls of an open loop are due: as independent callers come, by a Poisson process."""

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
    raise ValueError("the calls of a closed loop are due when those before them have ended")


def poisson_arrivals(per_second: float, seed: int) -> Iterator[float]:
    """Yields seconds from the start, ascending and without end; the same seed gives the same ones."""
    chance = random.Random(f"arrivals {seed}")  # noqa: S311 - a load, not a secret
    due = 0.0
    while True:
        due += chance.expovariate(per_second)
        yield due


def ramp_arrivals(first_per_second: float, last_per_second: float, seconds: float, seed: int) -> Iterator[float]:
    """Returns seconds from the start, ascending, at a rate that changes evenly over `seconds`, where they end.

    Lewis and Shedler's thinning: arrivals at the higher rate, of which each stays with the chance that the rate of
    its moment has of the higher one. Raises ValueError unless one rate and the duration are above 0.
    """
    if min(first_per_second, last_per_second) < 0 or max(first_per_second, last_per_second) <= 0 or seconds <= 0:
        raise ValueError("a ramp needs a duration, and rates of which one is above 0 and none below")
    return _thinned(first_per_second, last_per_second, seconds, seed)


def _thinned(first_per_second: float, last_per_second: float, seconds: float, seed: int) -> Iterator[float]:
    chance = random.Random(f"ramp {seed}")  # noqa: S311 - a load, not a secret
    highest = max(first_per_second, last_per_second)
    for due in poisson_arrivals(highest, seed):
        if due >= seconds:
            return
        rate = first_per_second + (last_per_second - first_per_second) * due / seconds
        if chance.random() * highest < rate:
            yield due
