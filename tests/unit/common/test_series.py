"""Series are found again, and are those of the metric."""

import pytest
from prometheus_client import CollectorRegistry, Counter

from phonoscope.common.series import Labelled


def test_a_series_is_that_of_the_metric_and_the_same_the_next_time() -> None:
    registry = CollectorRegistry()
    counted = Labelled(Counter("calls", "Calls.", ("method", "code"), registry=registry))
    counted.labels("say", "OK").inc()
    counted.labels("say", "OK").inc()
    counted.labels("OK", "say").inc()
    assert counted.labels("say", "OK") is counted.labels("say", "OK")
    assert registry.get_sample_value("calls_total", {"method": "say", "code": "OK"}) == 2
    assert registry.get_sample_value("calls_total", {"method": "OK", "code": "say"}) == 1


def test_a_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        Labelled(Counter("calls", "Calls.", ("method",), registry=CollectorRegistry())).labels("say", "OK")
