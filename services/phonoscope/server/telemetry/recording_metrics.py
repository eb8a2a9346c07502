"""The sink of recordings: their checks, and what engines keep of them. Built by `pipeline.py`; see docs/metrics.md."""

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from phonoscope.server.audio.decode import RECORDING_REASONS
from phonoscope.server.events import ACCEPTED, ConditioningKept, Event, RecordingChecked, RecordingUsed

CHECK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# Whether an engine kept a recording ready when it was asked to speak like it.
LOOKUP_RESULTS: Final = ("miss", "hit")


class RecordingMetrics:
    """Counts the checks of recordings and their time, and what engines keep ready to speak like them.

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
        self._kept = Gauge(
            "tts_conditioning_recordings", "Recordings that an engine keeps ready.", ("engine",), registry=registry
        )
        self._memory = Gauge(
            "tts_conditioning_bytes", "Memory of these on the device.", ("engine",), registry=registry
        )
        self._lookups = Counter(
            "tts_conditioning_lookups", "Sentences to speak like a recording.", ("engine", "result"), registry=registry
        )
        self._current_trace_id = current_trace_id
        self._takers: dict[type, Callable[[Any], None]] = {
            RecordingChecked: self._count_check,
            RecordingUsed: self._count_use,
            ConditioningKept: self._set_kept,
        }
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

    def _count_use(self, event: RecordingUsed) -> None:
        self._lookups.labels(event.engine, LOOKUP_RESULTS[event.is_known]).inc()

    def _set_kept(self, event: ConditioningKept) -> None:
        self._kept.labels(event.engine).set(event.recordings)
        self._memory.labels(event.engine).set(event.memory_bytes)
        for result in LOOKUP_RESULTS:
            self._lookups.labels(event.engine, result)
