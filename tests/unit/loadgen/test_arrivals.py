"""The arrivals of an open loop."""

import itertools
import statistics

import pytest

from phonoscope.loadgen.arrivals import poisson_arrivals


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
