"""The metrics of the emotion service; docs/metrics.md lists every series. Series start at 0, labels are bounded."""

from collections.abc import Callable, Collection
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from phonoscope.common.series import Labelled
from phonoscope.emotion.events import (
    BatchAnalyzed,
    Event,
    HealthChanged,
    LoopLagged,
    QueueMoved,
    StartupPhaseEnded,
    TextsAnalyzed,
)
from phonoscope.emotion.types import CLASSES

SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5)
TEXTS_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)
RATIO_BUCKETS: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class MetricsSink:
    """Records events as metrics of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._texts = Labelled(
            Counter("emotion_texts", "Texts by strongest emotion.", ("language", "emotion"), registry=registry)
        )
        self._confidence = Labelled(
            Histogram("emotion_confidence", "Confidence.", ("language",), buckets=RATIO_BUCKETS, registry=registry)
        )
        self._per_call = Histogram("emotion_call_texts", "Texts of a call.", buckets=TEXTS_BUCKETS, registry=registry)
        self._per_text = Histogram(
            "emotion_model_seconds", "Model time of a text.", buckets=SECONDS_BUCKETS, registry=registry
        )
        self._waits = Histogram(
            "emotion_queue_wait_seconds", "Call to the model.", buckets=SECONDS_BUCKETS, registry=registry
        )
        self._depth = Gauge("emotion_queue_depth", "Calls waiting or in the model.", registry=registry)
        self._capacity = Gauge("emotion_queue_capacity", "Calls that may wait.", registry=registry)
        self._startup = Labelled(
            Gauge("emotion_startup_seconds", "Time of each phase of the start.", ("phase",), registry=registry)
        )
        self._health = Labelled(
            Gauge("emotion_health_status", "1 where a service is SERVING.", ("service",), registry=registry)
        )
        self._lag = Histogram(
            "emotion_event_loop_lag_seconds", "How late the loop runs.", buckets=LAG_BUCKETS, registry=registry
        )
        self._build = Info("emotion_build", "What runs here.", registry=registry)
        self._takers: dict[type, Callable[[Any], None]] = {
            StartupPhaseEnded: lambda event: self._startup.labels(event.phase).set(event.seconds),
            HealthChanged: lambda event: self._health.labels(event.service).set(event.is_serving),
            LoopLagged: lambda event: self._lag.observe(event.seconds),
            QueueMoved: lambda event: self._depth.set(event.calls),
            BatchAnalyzed: self._count_batch,
            TextsAnalyzed: self._count_texts,
        }

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        self._takers[type(event)](event)

    def build(self, **facts: str) -> None:
        """Exports the build information."""
        self._build.info(facts)

    def capacity(self, calls: int) -> None:
        """Exports the maximum number of calls held."""
        self._capacity.set(calls)

    def make_series(self, languages: Collection[str]) -> None:
        """Creates the series of a model's languages, at 0."""
        for language in languages:
            self._confidence.labels(language)
            for emotion in CLASSES:
                self._texts.labels(language, emotion)

    def _count_batch(self, event: BatchAnalyzed) -> None:
        for _ in range(event.texts):
            self._per_text.observe(event.seconds / event.texts)

    def _count_texts(self, event: TextsAnalyzed) -> None:
        self._per_call.observe(len(event.results))
        self._waits.observe(event.wait_seconds)
        for language, emotion, confidence in event.results:
            self._texts.labels(language, emotion).inc()
            self._confidence.labels(language).observe(confidence)
