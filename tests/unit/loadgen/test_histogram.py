"""The histogram against exact percentiles."""

import math
import random

import pytest

from phonoscope.loadgen.histogram import BUCKETS, MAX_STEPS, RELATIVE_ERROR, Histogram, bucket_of, middle_of

STEP = 1e-6
PERCENTS = (0, 1, 25, 50, 90, 95, 99, 99.9, 100)


def exact_percentile(values: list[float], percent: float) -> float:
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda chance: chance.lognormvariate(-3, 1.5),
        lambda chance: chance.expovariate(20),
        lambda chance: chance.uniform(0, 3000),
        lambda chance: chance.choice([0.0001, 0.05, 40.0]),
        lambda chance: chance.uniform(0, 300) * STEP,
    ],
    ids=["log-normal", "exponential", "to an hour", "three values", "few steps"],
)
def test_percentiles_are_within_the_stated_error(draw):
    chance = random.Random(3)
    values = [draw(chance) for _ in range(5000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for percent in PERCENTS:
        exact = exact_percentile(values, percent)
        assert abs(histogram.percentile(percent) - exact) <= RELATIVE_ERROR * exact + STEP
    assert histogram.mean == pytest.approx(math.fsum(values) / len(values))
    assert (histogram.count, histogram.largest) == (5000, max(values))


def test_the_buckets_follow_each_other_without_gap_or_overlap():
    edges = [(1 << octave) + near for octave in range(13, 32) for near in (-1, 0, 1)]
    buckets = [bucket_of(step) for step in (*range(5000), *edges)]
    assert buckets == sorted(buckets)
    assert set(buckets[:5000]) == set(range(bucket_of(4999) + 1))
    assert bucket_of(MAX_STEPS) == BUCKETS - 1
    assert all(bucket_of(round(middle_of(bucket))) == bucket for bucket in range(BUCKETS))


def test_two_merged_are_as_one():
    chance = random.Random(5)
    one, other, both = Histogram(), Histogram(), Histogram()
    for number in range(1000):
        value = chance.expovariate(5)
        (one if number % 3 else other).add(value)
        both.add(value)
    one.merge(other)
    assert [one.percentile(p) for p in PERCENTS] == [both.percentile(p) for p in PERCENTS]
    assert (one.count, one.largest, one.mean) == (both.count, both.largest, pytest.approx(both.mean))


def test_one_that_is_empty_has_no_percentiles_and_no_mean():
    assert math.isnan(Histogram().percentile(50))
    assert math.isnan(Histogram().mean)


def test_values_beyond_the_range_are_counted_at_its_ends_and_the_maximum_is_exact():
    histogram = Histogram()
    histogram.add(-1.0)
    histogram.add(1e9)
    assert histogram.percentile(50) == 0.0
    assert histogram.percentile(100) == pytest.approx(MAX_STEPS * STEP, rel=RELATIVE_ERROR)
    assert histogram.largest == 1e9


def test_no_percentile_is_above_the_maximum():
    histogram = Histogram()
    histogram.add(0.100001)
    assert histogram.percentile(99) <= histogram.largest
