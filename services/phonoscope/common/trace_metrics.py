"""The metric of trace export: what became of the spans. Built by the services' `__main__` where traces are on."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter

RESULTS: Final = ("exported", "failed", "dropped")


class TraceMetrics:
    """Counts spans in one registry, by what became of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spans = Counter("tts_trace_spans", "Spans by what became of them.", ("result",), registry=registry)
        for result in RESULTS:
            self._spans.labels(result)

    def __call__(self, result: str, count: int) -> None:
        """Takes the result of an export."""
        self._spans.labels(result).inc(count)
