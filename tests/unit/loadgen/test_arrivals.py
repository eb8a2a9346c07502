"""The arrivals of an open loop."""

import itertools
import statistics

import pytest

from phonoscope.loadgen.arrivals import arrivals_of, poisson_arrivals, ramp_arrivals
from phonoscope.loadgen.plan import LoadPlan


def first(count: int, per_second: float, seed: int) -> list[float]:
    return list(itertools.islice(poisson_arrivals(per_second, seed), count))


def test_the_same_seed_gives_the_same_arrivals_and_another_seed_others():
    assert first(50, 10, 1) == first(50, 10, 1)
    assert first(50, 10, 1) != first(50, 10, 2)


def test_the_gaps_are_those_of_a_poisson_process():
    arrivals = [0.0, *first(20_000, 8, 3)]
    gaps = [after - before for before, after in itertools.pairwise(arrivals)]
    assert min(gaps) >= 0
    assert statistics.fmean(gaps) == pytest.approx(1 / 8, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(1 / 8, rel=0.03)  # as its mean: exponential
    # no memory: a gap says nothing of the next
    assert abs(statistics.correlation(gaps[:-1], gaps[1:])) < 0.03


@pytest.mark.parametrize(("first_rate", "last_rate"), [(0, 40), (40, 0), (10, 30), (20, 20)])
def test_a_ramp_changes_its_rate_evenly_and_ends_with_its_duration(first_rate, last_rate):
    arrivals = list(ramp_arrivals(first_rate, last_rate, 1000, seed=4))
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < 1000
    for quarter in range(4):
        rate = first_rate + (last_rate - first_rate) * (quarter + 0.5) / 4
        count = sum(250 * quarter <= due < 250 * (quarter + 1) for due in arrivals)
        assert count == pytest.approx(250 * rate, abs=4 * (250 * rate) ** 0.5)  # Poisson: within four deviations


def test_the_same_seed_gives_the_same_ramp_and_another_seed_another():
    assert list(ramp_arrivals(1, 9, 50, 1)) == list(ramp_arrivals(1, 9, 50, 1)) != list(ramp_arrivals(1, 9, 50, 2))


@pytest.mark.parametrize(("rates", "seconds"), [((0, 0), 10), ((-1, 5), 10), ((1, 5), 0)])
def test_a_ramp_of_nothing_is_refused(rates, seconds):
    with pytest.raises(ValueError, match="a ramp needs"):
        ramp_arrivals(*rates, seconds, seed=0)


def test_a_plan_has_the_arrivals_of_its_kind():
    steady = arrivals_of(LoadPlan(arrivals_per_second=5, seed=3))
    assert list(itertools.islice(steady, 9)) == first(9, 5, 3)
    ramp = arrivals_of(LoadPlan(ramp_per_second=(1, 9), duration_seconds=20, seed=3))
    assert list(ramp) == list(ramp_arrivals(1, 9, 20, 3))
    with pytest.raises(ValueError, match="closed loop"):
        arrivals_of(LoadPlan())
