"""What becomes of spans, as a metric."""

from typing import get_args

from prometheus_client import CollectorRegistry

from phonoscope.common.trace_export import ExportResult
from phonoscope.common.trace_metrics import RESULTS, TraceMetrics


def spans(registry: CollectorRegistry) -> dict[str, float | None]:
    return {result: registry.get_sample_value("tts_trace_spans_total", {"result": result}) for result in RESULTS}


def test_every_result_is_there_at_0_from_the_start() -> None:
    registry = CollectorRegistry()
    TraceMetrics(registry)
    assert spans(registry) == {"exported": 0, "failed": 0, "dropped": 0}


def test_spans_are_counted_by_what_became_of_them() -> None:
    registry = CollectorRegistry()
    sink = TraceMetrics(registry)
    for result, count in (("exported", 7), ("failed", 2), ("exported", 5), ("dropped", 1)):
        sink(result, count)
    assert spans(registry) == {"exported": 12, "failed": 2, "dropped": 1}


def test_every_result_that_an_export_can_have_is_known() -> None:
    assert set(get_args(ExportResult)) == set(RESULTS)
