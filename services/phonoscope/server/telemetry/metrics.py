"""The metrics sink: the Prometheus series. Built by `__main__`; docs/metrics.md lists every series.

Names follow go-grpc-middleware for calls (common/call_metrics.py), and the catalogue of docs/metrics.md for speech.
Labels are bounded: loaded voices; stages, encodings, outcomes and reasons from fixed lists. Series start at 0, so that
the first error is visible to rate(). Latencies of sampled calls carry their trace as an exemplar.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from phonoscope.common.errors import (
    DeadlineUnreachable,
    EngineFailed,
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    StreamNotRead,
)
from phonoscope.common.series import Labelled
from phonoscope.server.events import (
    STAGES,
    AudioEncoded,
    BatchRan,
    ChunkSent,
    Delivery,
    EmotionAnalyzed,
    EmotionFallback,
    EmotionSkipped,
    Event,
    FirstAudio,
    HealthChanged,
    IdleWorkDone,
    LexiconRead,
    LoopLagged,
    Outcome,
    QueueLeft,
    QueueMoved,
    RequestFinished,
    RequestStarted,
    StartupPhaseEnded,
    TextRead,
    UnspokenKind,
    VoiceLoaded,
)
from phonoscope.server.scheduling.cost_model import Estimates
from phonoscope.server.types import Encoding

FIRST_AUDIO_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
FACTOR_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2)
STAGE_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
ENCODE_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
WAIT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
CHUNK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLACK_BUCKETS: Final = (-5, -1, -0.5, -0.1, 0, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
AUDIO_BUCKETS: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
CHARACTER_BUCKETS: Final = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32)
PADDING_BUCKETS: Final = (0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1)
EMOTION_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5)
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
# Refused before there is a request for speech to count: such calls are in grpc_server_handled_total only.
BEFORE_REQUESTS: Final = ("GENDER_UNKNOWN", "MESSAGE_UNREADABLE", "SETTINGS_FIRST", "WARMING_UP")
REASONS: Final[Mapping[Outcome, Sequence[str]]] = {
    "completed": ("",),
    "cancelled": ("", *StreamNotRead.REASONS),
    "rejected": tuple(
        reason
        for error in (InvalidRequest, NotServed, Overloaded, NotReady)
        for reason in error.REASONS
        if reason not in BEFORE_REQUESTS
    ),
    "failed": (*EngineFailed.REASONS, *DeadlineUnreachable.REASONS, "INTERNAL"),
}


class MetricsSink:
    """Records events as metrics of one registry.

    Args:
        registry: holds the metrics; one for each server.
        current_trace_id: returns the trace of the running task's call; "" if it is not sampled.
    """

    def __init__(self, registry: CollectorRegistry, current_trace_id: Callable[[], str]) -> None:
        def counter(name: str, text: str, labels: Sequence[str]) -> Labelled[Counter]:
            return Labelled(Counter(name, text, labels, registry=registry))

        def gauge(name: str, text: str, labels: Sequence[str]) -> Labelled[Gauge]:
            return Labelled(Gauge(name, text, labels, registry=registry))

        def histogram(name: str, text: str, buckets: Sequence[float], labels: Sequence[str]) -> Labelled[Histogram]:
            return Labelled(Histogram(name, text, labels, buckets=buckets, registry=registry))

        voice, staged = ("voice_model",), ("voice_model", "stage")
        self._first_audio = histogram(
            "tts_time_to_first_audio_seconds", "Call to first audio.", FIRST_AUDIO_BUCKETS, (*voice, "delivery")
        )
        self._factor = histogram("tts_real_time_factor", "Engine time over audio time.", FACTOR_BUCKETS, voice)
        self._gaps = histogram("tts_inter_chunk_seconds", "Time between chunks of a stream.", CHUNK_BUCKETS, voice)
        self._slack = histogram("tts_playback_slack_seconds", "How early a chunk came.", SLACK_BUCKETS, voice)
        self._underruns = counter("tts_playback_underruns", "Chunks that came after a player had run dry.", voice)
        self._stages = histogram("tts_stage_seconds", "Time of a request's stages.", STAGE_BUCKETS, staged)
        self._encoding = histogram(
            "tts_encode_seconds", "Time to encode a request.", ENCODE_BUCKETS, (*voice, "encoding")
        )
        self._audio = counter("tts_audio_seconds", "Audio sent.", voice)
        self._characters = counter("tts_characters", "Characters of completed requests.", voice)
        self._request_audio = histogram("tts_request_audio_seconds", "Audio of a request.", AUDIO_BUCKETS, voice)
        self._request_characters = histogram(
            "tts_request_characters", "Characters of a request.", CHARACTER_BUCKETS, voice
        )
        self._unknown = counter("tts_unknown_phonemes", "Phonemes that the voice has no sound for.", voice)
        self._unspoken = counter(
            "tts_characters_unspoken", "Characters of a text that are not spoken.", (*voice, "kind")
        )
        self._requests = counter("tts_requests", "Requests that ended.", (*voice, "outcome", "reason"))
        self._depth = Gauge("tts_queue_depth", "Requests held.", registry=registry)
        self._capacity = Gauge("tts_queue_capacity", "Requests that may be held.", registry=registry)
        self._owed = Gauge("tts_audio_seconds_owed", "Audio owed to the requests held.", registry=registry)
        by_engine = ("engine",)
        self._real_time_factor = gauge(
            "tts_estimated_real_time_factor", "Engine time for a second of audio, expected.", by_engine
        )
        self._first_audio_estimate = gauge(
            "tts_estimated_first_audio_seconds", "Engine time to first audio, expected.", by_engine
        )
        self._slowdown = gauge(
            "tts_engine_slowdown_ratio", "How much slower the engine is than at its best.", by_engine
        )
        self._demand = Gauge(
            "tts_engine_demand_ratio", "Share of the engine's time that the requests held take.", registry=registry
        )
        self._waits = histogram("tts_queue_wait_seconds", "Admission to first batch.", WAIT_BUCKETS, voice)
        self._batches = histogram("tts_batch_size", "Batch sizes.", BATCH_BUCKETS, staged)
        self._padding = histogram("tts_batch_padding_ratio", "Padding of batches.", PADDING_BUCKETS, staged)
        self._busy = counter("tts_engine_busy_seconds", "Time that the engine worked.", staged)
        self._loaded = gauge("tts_model_loaded", "1 for each voice in memory.", (*voice, "device"))
        self._load_seconds = gauge("tts_model_load_seconds", "Time from file to device.", (*voice, "device"))
        self._startup = gauge("tts_startup_seconds", "Time of each phase of the start.", ("phase",))
        self._idle_work = gauge("tts_idle_work_pending", "Preparations left for idle time.", by_engine)
        self._lag = Histogram(
            "tts_event_loop_lag_seconds", "How late the loop runs.", buckets=LAG_BUCKETS, registry=registry
        )
        self._emotion_calls = counter("tts_emotion_calls", "Calls of the emotion service.", ("outcome",))
        self._emotion_fallbacks = counter(
            "tts_emotion_fallbacks", "Sentences that are neutral because there was no answer.", ("reason",)
        )
        self._emotion_seconds = Histogram(
            "tts_emotion_seconds", "Time of a call of the emotion service.", buckets=EMOTION_BUCKETS, registry=registry
        )
        self._health = gauge("tts_health_status", "1 where a service is SERVING.", ("service",))
        self._lexicon = Gauge("tts_lexicon_entries", "Entries of lexicon files in use.", registry=registry)
        self._lexicon_current = Gauge(
            "tts_lexicon_current", "1 where what the lexicon files hold is in use.", registry=registry
        )
        self._lexicon_current.set(1)
        self._build = Info("tts_build", "What runs here.", registry=registry)
        self._current_trace_id = current_trace_id
        self._traces: dict[int, dict[str, str]] = {}  # by request, for exemplars; sampled ones only
        # EngineRaised, LaneLost and utterance events are absent: a failed request is counted with its reason.
        self._takers: dict[type, Callable[[Any], None]] = {
            RequestStarted: self._start_request,
            TextRead: self._count_text,
            EmotionAnalyzed: self._count_emotion,
            EmotionSkipped: lambda _event: self._emotion_fallbacks.labels("circuit_open").inc(),
            QueueLeft: self._count_wait,
            BatchRan: self._count_batch,
            AudioEncoded: self._count_encoding,
            FirstAudio: self._count_first_audio,
            ChunkSent: self._count_chunk,
            RequestFinished: self._count_request,
            QueueMoved: self._set_queue,
            VoiceLoaded: self._set_loaded,
            StartupPhaseEnded: self._set_startup,
            IdleWorkDone: self._set_idle_work,
            LexiconRead: self._set_lexicon,
            HealthChanged: self._set_health,
            LoopLagged: self._count_lag,
        }

    def build(self, **facts: str) -> None:
        """Exports the build information."""
        self._build.info(facts)

    def capacity(self, requests: int) -> None:
        """Exports the maximum number of requests held."""
        self._capacity.set(requests)

    def watch_engines(
        self,
        names: Collection[str],
        estimates: Callable[[], Mapping[str, Estimates]],
        demand_ratio: Callable[[], float],
    ) -> None:
        """Exports admission's estimates, read at the time of a scrape; 0 while unknown.

        Args:
            names: of the engines.
            estimates: returns the estimates of each engine, by name.
            demand_ratio: returns the share of the lane's time that the held requests need.
        """

        def value_of(name: str, read: Callable[[Estimates], float]) -> Callable[[], float]:
            return lambda: read(known) if (known := estimates().get(name)) else 0.0

        for name in names:
            self._real_time_factor.labels(name).set_function(value_of(name, lambda known: known.real_time_factor))
            self._first_audio_estimate.labels(name).set_function(
                value_of(name, lambda known: known.first_audio_seconds)
            )
            self._slowdown.labels(name).set_function(value_of(name, lambda known: known.slowdown))
        self._demand.set_function(demand_ratio)

    def make_emotion_series(self) -> None:
        """Creates the series of calls to the emotion service, at 0."""
        for reason in get_args(EmotionFallback):
            self._emotion_fallbacks.labels(reason)
            if reason != "circuit_open":
                self._emotion_calls.labels(reason)
        self._emotion_calls.labels("ok")

    def make_voice_series(self, voices: Mapping[str, Collection[str]]) -> None:
        """Creates the series of the loaded voices, at 0.

        Args:
            voices: the kinds of the engine's steps, by voice.
        """
        for voice, step_kinds in voices.items():
            self._make_series_of(voice, step_kinds)
        for voice in ("", *voices):  # a request refused for its voice has none
            for outcome, reasons in REASONS.items():
                for reason in reasons:
                    self._requests.labels(voice, outcome, reason)

    def _make_series_of(self, voice: str, step_kinds: Collection[str]) -> None:
        for metric in (
            *(self._factor, self._gaps, self._slack, self._underruns, self._audio, self._characters),
            *(self._request_audio, self._request_characters, self._unknown, self._waits),
        ):
            metric.labels(voice)
        for delivery in get_args(Delivery):
            self._first_audio.labels(voice, delivery)
        for stage in (*STAGES, *step_kinds):
            self._stages.labels(voice, stage)
        for unspoken in get_args(UnspokenKind):
            self._unspoken.labels(voice, unspoken)
        for encoding in Encoding:
            self._encoding.labels(voice, encoding.value)
        for kind in step_kinds:
            for by_stage in (self._batches, self._padding, self._busy):
                by_stage.labels(voice, kind)

    def __call__(self, event: Event) -> None:
        """Takes an event of the core."""
        if take := self._takers.get(type(event)):
            take(event)

    def _start_request(self, event: RequestStarted) -> None:
        if trace_id := self._current_trace_id():
            self._traces[event.request] = {"trace_id": trace_id}

    def _count_text(self, event: TextRead) -> None:
        self._stage(event.request, event.voice, "split", event.split_seconds)
        self._stage(event.request, event.voice, "phonemize", event.phonemize_seconds)
        self._unknown.labels(event.voice).inc(event.unknown_phonemes)
        for kind, characters in event.unspoken.items():
            self._unspoken.labels(event.voice, kind).inc(characters)

    def _count_wait(self, event: QueueLeft) -> None:
        self._stage(event.request, event.voice, "queue", event.seconds)
        self._waits.labels(event.voice).observe(event.seconds, self._traces.get(event.request))

    def _count_batch(self, event: BatchRan) -> None:
        self._batches.labels(event.voice, event.stage).observe(len(event.members))
        self._padding.labels(event.voice, event.stage).observe(event.padding_ratio)
        self._busy.labels(event.voice, event.stage).inc(event.seconds)
        for member in event.members:
            if member.request is not None:
                self._stage(member.request, event.voice, event.stage, member.seconds)

    def _count_emotion(self, event: EmotionAnalyzed) -> None:
        self._emotion_calls.labels(event.fallback or "ok").inc()
        self._emotion_seconds.observe(event.seconds, self._traces.get(event.request))
        if event.fallback is not None:
            self._emotion_fallbacks.labels(event.fallback).inc()

    def _count_encoding(self, event: AudioEncoded) -> None:
        self._stage(event.request, event.voice, "encode", event.seconds)
        exemplar = self._traces.get(event.request)
        self._encoding.labels(event.voice, event.encoding).observe(event.seconds, exemplar)

    def _stage(self, request: int, voice: str, stage: str, seconds: float) -> None:
        self._stages.labels(voice, stage).observe(seconds, self._traces.get(request))

    def _count_first_audio(self, event: FirstAudio) -> None:
        exemplar = self._traces.get(event.request)
        self._first_audio.labels(event.voice, event.delivery).observe(event.seconds, exemplar)

    def _count_chunk(self, event: ChunkSent) -> None:
        exemplar = self._traces.get(event.request)
        self._gaps.labels(event.voice).observe(event.gap_seconds, exemplar)
        self._slack.labels(event.voice).observe(event.slack_seconds, exemplar)
        if event.slack_seconds < 0:
            self._underruns.labels(event.voice).inc()

    def _count_request(self, event: RequestFinished) -> None:
        exemplar = self._traces.pop(event.request, None)
        self._requests.labels(event.voice, event.outcome, event.reason).inc()
        if event.voice:
            self._audio.labels(event.voice).inc(event.audio_seconds)
        if event.outcome == "completed":
            self._characters.labels(event.voice).inc(event.characters)
            self._request_characters.labels(event.voice).observe(event.characters)
            self._request_audio.labels(event.voice).observe(event.audio_seconds)
            if event.audio_seconds:
                self._factor.labels(event.voice).observe(event.engine_seconds / event.audio_seconds, exemplar)

    def _set_queue(self, event: QueueMoved) -> None:
        self._depth.set(event.requests)
        self._owed.set(event.audio_seconds_owed)

    def _set_loaded(self, event: VoiceLoaded) -> None:
        self._loaded.labels(event.voice, event.device).set(1)
        self._load_seconds.labels(event.voice, event.device).set(event.load_seconds)

    def _set_startup(self, event: StartupPhaseEnded) -> None:
        self._startup.labels(event.phase).set(event.seconds)

    def _set_idle_work(self, event: IdleWorkDone) -> None:
        self._idle_work.labels(event.engine).set(event.left)

    def _set_lexicon(self, event: LexiconRead) -> None:
        self._lexicon.set(event.entries)
        self._lexicon_current.set(not event.fault)

    def _set_health(self, event: HealthChanged) -> None:
        self._health.labels(event.service).set(event.is_serving)

    def _count_lag(self, event: LoopLagged) -> None:
        self._lag.observe(event.seconds)
