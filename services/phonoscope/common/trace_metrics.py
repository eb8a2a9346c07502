"""The metric of trace export. Built by the services' `__main__` if tracing is on."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter

RESULTS: Final = ("exported", "failed", "dropped")


class TraceMetrics:
    """Counts spans in one registry, by the result of their export."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spans = Counter("tts_trace_spans", "Spans by result of their export.", ("result",), registry=registry)
        for result in RESULTS:
            self._spans.labels(result)

    def __call__(self, result: str, count: int) -> None:
        """Counts the result of an export."""
        self._spans.labels(result).inc(count)
