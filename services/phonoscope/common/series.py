"""The series of a metric by its label values, remembered.

Used by the metrics' sinks. prometheus_client's own `labels` takes a lock and turns every value into text each time; a
call needs some thirty series, always the same ones, so here it is one look into a dictionary.
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
        """Returns the series with these label values, in the order of the labels' names."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = self._metric.labels(*values)
        return series
