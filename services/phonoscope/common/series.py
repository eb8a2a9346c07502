"""A cache of a metric's series by label values.

Used by the metrics' sinks. prometheus_client's `labels` takes a lock and converts every value to text each time. A
call needs about thirty series, always the same ones: here that is one lookup in a dictionary.
"""

from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)


class Labelled(Generic[MetricT]):
    """A metric with labels."""

    def __init__(self, metric: MetricT) -> None:
        self._metric: MetricT = metric
        self._series: dict[tuple[str, ...], MetricT] = {}

    def labels(self, *values: str) -> MetricT:
        """Returns the series with these label values, in the order of the label names."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = self._metric.labels(*values)
        return series
