"""Percentiles in constant memory, for runs of any length. Used by tally.py.

Buckets are log-linear, as in HdrHistogram (Gil Tene, hdrhistogram.org): values are whole steps of a millionth;
each step below 256 has its own bucket, and each octave above has 128 buckets of equal width.
"""

import array
import math
from typing import Final, Self

STEPS_PER_UNIT: Final = 1_000_000
OCTAVE_BITS: Final = 7
OCTAVE: Final = 1 << OCTAVE_BITS
MAX_STEPS: Final = (1 << 32) - 1
"""A little over an hour, in seconds; larger values count as this. The maximum is exact."""
BUCKETS: Final = (32 - OCTAVE_BITS + 1) * OCTAVE

RELATIVE_ERROR: Final = 0.5 / OCTAVE
"""Maximum relative error of a percentile, beyond half a millionth: a bucket is reported as its middle."""


class Histogram:
    """Counts values of 0 or more, such as seconds or ratios; takes 26 KiB."""

    def __init__(self) -> None:
        self._counts = array.array("Q", bytes(8 * BUCKETS))
        self.count = 0
        self.total = 0.0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """Counts one value; a negative one, from a clock that was set back, counts as 0."""
        value = max(value, 0.0)
        self._counts[bucket_of(min(round(value * STEPS_PER_UNIT), MAX_STEPS))] += 1
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)

    def merge(self, other: Self) -> None:
        """Adds the counts of `other`."""
        for bucket, count in enumerate(other._counts):
            if count:
                self._counts[bucket] += count
        self.count += other.count
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def percentile(self, percent: float) -> float:
        """Returns the value that `percent` of the values do not exceed; NaN when there are none."""
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return min(middle_of(bucket) / STEPS_PER_UNIT, self.largest)
        return math.nan

    @property
    def mean(self) -> float:
        """The exact mean; NaN when nothing was counted."""
        return self.total / self.count if self.count else math.nan


def bucket_of(steps: int) -> int:
    """Returns the number of the bucket that holds `steps`."""
    shift = max(0, steps.bit_length() - OCTAVE_BITS - 1)
    return shift * OCTAVE + (steps >> shift)


def middle_of(bucket: int) -> float:
    """Returns the middle of a bucket, in steps."""
    shift = max(0, bucket // OCTAVE - 1)
    lowest = (bucket - shift * OCTAVE) << shift
    return lowest + ((1 << shift) - 1) / 2
