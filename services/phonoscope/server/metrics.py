"""The metrics' sink: what Prometheus sees. Built by `__main__`; docs/metrics.md lists every series.

Names follow go-grpc-middleware for calls, and the catalogue of docs/metrics.md for speech. Labels are bounded: methods
that are served, voices that are loaded, codes and reasons of fixed lists. Series exist from the start at 0, so that
the first error is visible to rate().
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, get_args

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from phonoscope.common.errors import InvalidRequest, NotReady, NotServed, Overloaded
from phonoscope.common.interceptors import OTHER, CallEnded, CallEvent, CallStarted, Method
from phonoscope.server.events import (
    BatchRan,
    EngineStage,
    Event,
    FirstAudio,
    HealthChanged,
    Outcome,
    QueueMoved,
    RequestFinished,
    Stage,
    StageTimed,
    VoiceLoaded,
)

METHOD_LABELS: Final = ("grpc_type", "grpc_service", "grpc_method")
HANDLING_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
FIRST_AUDIO_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
FACTOR_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2)
STAGE_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32)
CODE_NAMES: Final = {
    code: "".join(word.capitalize() for word in code.name.split("_")) if code.name != "OK" else "OK"
    for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled"}
REASONS: Final[Mapping[Outcome, Sequence[str]]] = {
    "completed": ("",),
    "cancelled": ("",),
    "rejected": (*InvalidRequest.REASONS, *NotServed.REASONS, *Overloaded.REASONS, *NotReady.REASONS),
    "failed": ("ENGINE_FAILED", "DEADLINE_UNREACHABLE", "INTERNAL"),
}


class MetricsSink:
    """Turns events into metrics of one registry.

    Args:
        registry: where they live; one for each server.
        methods: the methods that are served, each of which gets its series at once.
    """

    def __init__(self, registry: CollectorRegistry, methods: Iterable[Method]) -> None:
        def counter(name: str, text: str, labels: Sequence[str]) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        def histogram(name: str, text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        by_voice = ("voice_model",)
        self._started = counter("grpc_server_started", "Calls that came in.", METHOD_LABELS)
        self._handled = counter("grpc_server_handled", "Calls that ended.", (*METHOD_LABELS, "grpc_code"))
        self._handling = histogram(
            "grpc_server_handling_seconds", "Time from call to end.", METHOD_LABELS, HANDLING_BUCKETS
        )
        self._in_flight = gauge("grpc_server_in_flight", "Calls being handled.", METHOD_LABELS)
        self._first_audio = histogram(
            "tts_time_to_first_audio_seconds", "Time from call to first audio.", by_voice, FIRST_AUDIO_BUCKETS
        )
        self._factor = histogram(
            "tts_real_time_factor", "Engine time over audio time, queue excluded.", by_voice, FACTOR_BUCKETS
        )
        self._stages = histogram(
            "tts_stage_seconds", "Time of a request's stages.", (*by_voice, "stage"), STAGE_BUCKETS
        )
        self._audio = counter("tts_audio_seconds", "Audio sent.", by_voice)
        self._characters = counter("tts_characters", "Characters of completed requests.", by_voice)
        self._requests = counter("tts_requests", "Requests that ended.", (*by_voice, "outcome", "reason"))
        self._depth = gauge("tts_queue_depth", "Requests held.")
        self._owed = gauge("tts_audio_seconds_owed", "Audio owed to the requests held.")
        self._batches = histogram("tts_batch_size", "Batch sizes.", (*by_voice, "stage"), BATCH_BUCKETS)
        self._busy = counter("tts_engine_busy_seconds", "Time that the engine worked.", (*by_voice, "stage"))
        self._loaded = gauge("tts_model_loaded", "1 for each voice in memory.", (*by_voice, "device"))
        self._load_seconds = gauge("tts_model_load_seconds", "Time from file to device.", (*by_voice, "device"))
        self._health = gauge("tts_health_status", "1 where a service is SERVING.", ("service",))
        self._build = Info("tts_build", "What runs here.", registry=registry)
        for method in (*methods, Method(OTHER, OTHER, "unary")):
            self._make_method_series(method)

    def build(self, **facts: str) -> None:
        """States what runs here."""
        self._build.info(facts)

    def _make_method_series(self, method: Method) -> None:
        labels = (method.kind, method.service, method.name)
        self._started.labels(*labels)
        self._handling.labels(*labels)
        self._in_flight.labels(*labels)
        for code in CODE_NAMES.values():
            self._handled.labels(*labels, code)

    def make_voice_series(self, voices: Sequence[str]) -> None:
        """Makes the series of the loaded voices, at 0."""
        for voice in voices:
            self._first_audio.labels(voice)
            self._factor.labels(voice)
            self._audio.labels(voice)
            self._characters.labels(voice)
            for stage in get_args(Stage):
                self._stages.labels(voice, stage)
            for engine_stage in get_args(EngineStage):
                self._batches.labels(voice, engine_stage)
                self._busy.labels(voice, engine_stage)
        for voice in ("", *voices):  # a request refused for its voice has none
            for outcome, reasons in REASONS.items():
                for reason in reasons:
                    self._requests.labels(voice, outcome, reason)

    def call(self, event: CallEvent) -> None:
        """Takes an event of the RPC layer."""
        labels = (event.method.kind, event.method.service, event.method.name)
        if isinstance(event, CallStarted):
            self._started.labels(*labels).inc()
            self._in_flight.labels(*labels).inc()
        elif isinstance(event, CallEnded):
            self._in_flight.labels(*labels).dec()
            self._handled.labels(*labels, CODE_NAMES[event.code]).inc()
            self._handling.labels(*labels).observe(event.seconds)

    def __call__(self, event: Event) -> None:
        """Takes an event of the core."""
        match event:
            case RequestFinished():
                self._count_request(event)
            case FirstAudio():
                self._first_audio.labels(event.voice).observe(event.seconds)
            case StageTimed():
                self._stages.labels(event.voice, event.stage).observe(event.seconds)
            case BatchRan():
                self._batches.labels(event.voice, event.stage).observe(event.size)
                self._busy.labels(event.voice, event.stage).inc(event.seconds)
            case QueueMoved():
                self._depth.set(event.requests)
                self._owed.set(event.audio_seconds_owed)
            case VoiceLoaded():
                self._loaded.labels(event.voice, event.device).set(1)
                self._load_seconds.labels(event.voice, event.device).set(event.load_seconds)
            case HealthChanged():
                self._health.labels(event.service).set(event.is_serving)
            case _:
                pass  # EngineRaised: the request that fails of it is counted with its reason

    def _count_request(self, event: RequestFinished) -> None:
        self._requests.labels(event.voice, event.outcome, event.reason).inc()
        self._audio.labels(event.voice).inc(event.audio_seconds)
        if event.outcome == "completed":
            self._characters.labels(event.voice).inc(event.characters)
        if event.outcome == "completed" and event.audio_seconds:
            self._factor.labels(event.voice).observe(event.engine_seconds / event.audio_seconds)
