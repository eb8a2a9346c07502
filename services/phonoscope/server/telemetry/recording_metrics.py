"""The sink of what becomes of the recordings that requests bring. Built by `pipeline.py`; see docs/metrics.md."""

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from phonoscope.server.audio.decode import RECORDING_REASONS
from phonoscope.server.events import ACCEPTED, Event, RecordingChecked

CHECK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class RecordingMetrics:
    """Counts the checks of recordings, and their time.

    Args:
        registry: holds the metrics; one for each server.
        current_trace_id: returns the trace of the running task's call; "" if it is not sampled.
    """

    def __init__(self, registry: CollectorRegistry, current_trace_id: Callable[[], str]) -> None:
        self._checks = Counter(
            "tts_reference_checks", "Recordings that requests brought.", ("outcome",), registry=registry
        )
        self._seconds = Histogram(
            "tts_reference_check_seconds",
            "Time to decode and check a recording.",
            buckets=CHECK_BUCKETS,
            registry=registry,
        )
        self._current_trace_id = current_trace_id
        self._takers: dict[type, Callable[[Any], None]] = {RecordingChecked: self._count_check}
        for outcome in (ACCEPTED, *RECORDING_REASONS):
            self._checks.labels(outcome)

    def __call__(self, event: Event) -> None:
        """Takes an event of the core."""
        if take := self._takers.get(type(event)):
            take(event)

    def _count_check(self, event: RecordingChecked) -> None:
        trace_id = self._current_trace_id()
        self._checks.labels(event.outcome).inc()
        self._seconds.observe(event.seconds, {"trace_id": trace_id} if trace_id else None)
