"""What each event does to the metrics, which series are there from the start, and which requests get exemplars."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics

from phonoscope.common.errors import InvalidRequest, NotReady, NotServed, Overloaded, StreamNotRead
from phonoscope.server.events import (
    STAGES,
    AudioEncoded,
    BatchRan,
    ChunkSent,
    Delivery,
    EmotionAnalyzed,
    EmotionSkipped,
    EngineRaised,
    Event,
    FirstAudio,
    HealthChanged,
    IdleWorkDone,
    LexiconRead,
    LoopLagged,
    Member,
    Outcome,
    QueueLeft,
    QueueMoved,
    RequestFinished,
    RequestStarted,
    StartupPhaseEnded,
    TextRead,
    UnspokenKind,
    UtteranceQueued,
    UtteranceSpoken,
    VoiceLoaded,
)
from phonoscope.server.scheduling.cost_model import Estimates
from phonoscope.server.telemetry.metrics import BEFORE_REQUESTS, REASONS, MetricsSink
from phonoscope.server.types import Encoding

JOE = {"voice_model": "joe"}
STEP_KINDS = {"joe": ("prepare", "render"), "eva": ("decode",)}  # two engines, each with its own
TRACE, OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c", "f" * 32

Series = tuple[str, tuple[tuple[str, str], ...]]


def series(registry: CollectorRegistry) -> dict[Series, float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


class Traces:
    """The trace that is current, as a test sets it."""

    current = ""

    def __call__(self) -> str:
        return self.current


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def sink(registry: CollectorRegistry, traces: Traces) -> MetricsSink:
    sink = MetricsSink(registry, traces)
    sink.make_voice_series(STEP_KINDS)
    return sink


@pytest.fixture
def change(sink: MetricsSink, registry: CollectorRegistry) -> Callable[..., dict[Series, float]]:
    """Feeds events and returns the series that changed, buckets apart, by how much."""

    def change(*events: Event) -> dict[Series, float]:
        before = series(registry)
        for event in events:
            sink(event)
        return {
            name: value - before.get(name, 0)
            for name, value in series(registry).items()
            if value != before.get(name, 0) and not name[0].endswith("_bucket")
        }

    return change


def named(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


BY_VOICE = (
    "tts_real_time_factor_count",
    "tts_inter_chunk_seconds_count",
    "tts_playback_slack_seconds_count",
    "tts_playback_underruns_total",
    "tts_audio_seconds_total",
    "tts_characters_total",
    "tts_request_audio_seconds_count",
    "tts_request_characters_count",
    "tts_unknown_phonemes_total",
    "tts_queue_wait_seconds_count",
)
BY_ENGINE_STAGE = ("tts_batch_size_count", "tts_batch_padding_ratio_count", "tts_engine_busy_seconds_total")


@pytest.mark.parametrize("voice", ["joe", "eva"])
def test_every_series_of_a_voice_is_there_at_0_from_the_start(
    sink: MetricsSink, registry: CollectorRegistry, voice: str
) -> None:
    own = {"voice_model": voice}
    expected = {named(name, **own) for name in BY_VOICE}
    expected |= {named(name, **own, stage=stage) for name in BY_ENGINE_STAGE for stage in STEP_KINDS[voice]}
    expected |= {named("tts_stage_seconds_count", **own, stage=stage) for stage in (*STAGES, *STEP_KINDS[voice])}
    expected |= {named("tts_encode_seconds_count", **own, encoding=encoding.value) for encoding in Encoding}
    expected |= {named("tts_characters_unspoken_total", **own, kind=kind) for kind in get_args(UnspokenKind)}
    expected |= {named("tts_time_to_first_audio_seconds_count", **own, delivery=d) for d in get_args(Delivery)}
    assert {name: value for name, value in series(registry).items() if name in expected} == dict.fromkeys(expected, 0)


def test_what_has_no_voice_is_there_at_0_from_the_start(sink: MetricsSink, registry: CollectorRegistry) -> None:
    value = registry.get_sample_value
    assert value("tts_queue_depth") == value("tts_audio_seconds_owed") == value("tts_queue_capacity") == 0
    assert value("tts_event_loop_lag_seconds_count") == 0


def test_every_outcome_and_reason_is_there_at_0_for_each_voice_and_for_none(
    sink: MetricsSink, registry: CollectorRegistry
) -> None:
    assert set(REASONS) == set(get_args(Outcome))
    for voice in ("", "joe", "eva"):
        for outcome, reasons in REASONS.items():
            for reason in reasons:
                labels = {"voice_model": voice, "outcome": outcome, "reason": reason}
                assert registry.get_sample_value("tts_requests_total", labels) == 0


def test_every_reason_that_a_request_can_end_with_is_known_and_no_other() -> None:
    refused = {*InvalidRequest.REASONS, *NotServed.REASONS, *Overloaded.REASONS, *NotReady.REASONS}
    assert set(BEFORE_REQUESTS) == {"GENDER_UNKNOWN", "MESSAGE_UNREADABLE", "SETTINGS_FIRST", "WARMING_UP"}
    assert set(REASONS["rejected"]) == refused - set(BEFORE_REQUESTS)
    assert set(REASONS["failed"]) == {"ENGINE_FAILED", "DEADLINE_UNREACHABLE", "INTERNAL"}
    assert REASONS["completed"] == ("",)
    assert set(REASONS["cancelled"]) == {"", *StreamNotRead.REASONS}


def test_no_series_waits_for_a_reason_that_nothing_can_feed(sink: MetricsSink, registry: CollectorRegistry) -> None:
    reasons = {dict(labels)["reason"] for name, labels in series(registry) if name == "tts_requests_total"}
    assert reasons == {reason for known in REASONS.values() for reason in known}


def finished(outcome: Outcome = "completed", reason: str = "", request: int = 1, **changes: Any) -> RequestFinished:
    usual: dict[str, Any] = {
        "request_id": "id",
        "voice": "joe",
        "language": "en-US",
        "characters": 40,
        "audio_seconds": 2.0,
        "engine_seconds": 0.1,
        "first_audio_seconds": 0.01,
    }
    return RequestFinished(request, outcome=outcome, reason=reason, **(usual | changes))


def test_a_completed_request_counts_its_audio_text_and_factor(change: Any) -> None:
    assert change(finished()) == {
        named("tts_requests_total", **JOE, outcome="completed", reason=""): 1,
        named("tts_audio_seconds_total", **JOE): 2.0,
        named("tts_characters_total", **JOE): 40,
        named("tts_request_audio_seconds_count", **JOE): 1,
        named("tts_request_audio_seconds_sum", **JOE): 2.0,
        named("tts_request_characters_count", **JOE): 1,
        named("tts_request_characters_sum", **JOE): 40,
        named("tts_real_time_factor_count", **JOE): 1,
        named("tts_real_time_factor_sum", **JOE): 0.05,
    }


def test_a_request_that_did_not_complete_counts_what_was_sent_only(change: Any) -> None:
    assert change(finished("cancelled")) == {
        named("tts_requests_total", **JOE, outcome="cancelled", reason=""): 1,
        named("tts_audio_seconds_total", **JOE): 2.0,
    }


def test_a_completed_request_without_audio_has_no_factor(change: Any) -> None:
    assert change(finished(characters=4, audio_seconds=0.0, engine_seconds=0.0)) == {
        named("tts_requests_total", **JOE, outcome="completed", reason=""): 1,
        named("tts_characters_total", **JOE): 4,
        named("tts_request_audio_seconds_count", **JOE): 1,
        named("tts_request_characters_count", **JOE): 1,
        named("tts_request_characters_sum", **JOE): 4,
    }


@pytest.mark.parametrize(("outcome", "reason"), [(o, reason) for o, reasons in REASONS.items() for reason in reasons])
def test_every_end_of_a_request_is_counted_in_a_series_that_was_there(
    change: Any, registry: CollectorRegistry, outcome: Outcome, reason: str
) -> None:
    before = set(series(registry))
    changed = change(finished(outcome, reason, audio_seconds=0.0))
    assert changed[named("tts_requests_total", **JOE, outcome=outcome, reason=reason)] == 1
    assert set(series(registry)) == before


def test_a_request_refused_for_its_voice_makes_no_series_but_those_of_no_voice(
    change: Any, registry: CollectorRegistry
) -> None:
    before = set(series(registry))
    assert change(finished("rejected", "VOICE_UNKNOWN", voice="", language="", audio_seconds=0.0)) == {
        named("tts_requests_total", voice_model="", outcome="rejected", reason="VOICE_UNKNOWN"): 1
    }
    assert set(series(registry)) == before


@pytest.mark.parametrize(
    ("event", "changed"),
    [
        (RequestStarted(1, "id"), {}),
        (
            FirstAudio(1, "joe", "stream", 0.25),
            {
                named("tts_time_to_first_audio_seconds_count", **JOE, delivery="stream"): 1,
                named("tts_time_to_first_audio_seconds_sum", **JOE, delivery="stream"): 0.25,
            },
        ),
        (
            FirstAudio(1, "joe", "whole", 0.25),
            {
                named("tts_time_to_first_audio_seconds_count", **JOE, delivery="whole"): 1,
                named("tts_time_to_first_audio_seconds_sum", **JOE, delivery="whole"): 0.25,
            },
        ),
        (
            ChunkSent(1, "joe", gap_seconds=0.125, slack_seconds=0.5),
            {
                named("tts_inter_chunk_seconds_count", **JOE): 1,
                named("tts_inter_chunk_seconds_sum", **JOE): 0.125,
                named("tts_playback_slack_seconds_count", **JOE): 1,
            },
        ),
        (
            ChunkSent(1, "joe", gap_seconds=2.0, slack_seconds=-0.5),
            {
                named("tts_inter_chunk_seconds_count", **JOE): 1,
                named("tts_inter_chunk_seconds_sum", **JOE): 2.0,
                named("tts_playback_slack_seconds_count", **JOE): 1,
                named("tts_playback_underruns_total", **JOE): 1,
            },
        ),
        (
            TextRead(1, "joe", 9.0, 0.25, 0.5, characters=40, sentences=2, unknown_phonemes=3, unspoken={"emoji": 2}),
            {
                named("tts_stage_seconds_count", **JOE, stage="split"): 1,
                named("tts_stage_seconds_sum", **JOE, stage="split"): 0.25,
                named("tts_stage_seconds_count", **JOE, stage="phonemize"): 1,
                named("tts_stage_seconds_sum", **JOE, stage="phonemize"): 0.5,
                named("tts_unknown_phonemes_total", **JOE): 3,
                named("tts_characters_unspoken_total", **JOE, kind="emoji"): 2,
            },
        ),
        (
            QueueLeft(1, "joe", 0.5),
            {
                named("tts_stage_seconds_count", **JOE, stage="queue"): 1,
                named("tts_stage_seconds_sum", **JOE, stage="queue"): 0.5,
                named("tts_queue_wait_seconds_count", **JOE): 1,
                named("tts_queue_wait_seconds_sum", **JOE): 0.5,
            },
        ),
        (
            BatchRan("joe", "render", (Member(None, 0, 0.75),), 9.0, 0.75, 0.0),
            {
                named("tts_batch_size_count", **JOE, stage="render"): 1,
                named("tts_batch_size_sum", **JOE, stage="render"): 1,
                named("tts_batch_padding_ratio_count", **JOE, stage="render"): 1,
                named("tts_engine_busy_seconds_total", **JOE, stage="render"): 0.75,
            },
        ),
        (
            BatchRan("joe", "render", (Member(1, 0, 0.25), Member(2, 3, 0.5)), 9.0, 0.75, 0.125),
            {
                named("tts_batch_size_count", **JOE, stage="render"): 1,
                named("tts_batch_size_sum", **JOE, stage="render"): 2,
                named("tts_batch_padding_ratio_count", **JOE, stage="render"): 1,
                named("tts_batch_padding_ratio_sum", **JOE, stage="render"): 0.125,
                named("tts_engine_busy_seconds_total", **JOE, stage="render"): 0.75,
                named("tts_stage_seconds_count", **JOE, stage="render"): 2,
                named("tts_stage_seconds_sum", **JOE, stage="render"): 0.75,
            },
        ),
        (
            AudioEncoded(1, "joe", "mp3", 9.0, 10.0, 0.5),
            {
                named("tts_encode_seconds_count", **JOE, encoding="mp3"): 1,
                named("tts_encode_seconds_sum", **JOE, encoding="mp3"): 0.5,
                named("tts_stage_seconds_count", **JOE, stage="encode"): 1,
                named("tts_stage_seconds_sum", **JOE, stage="encode"): 0.5,
            },
        ),
        (
            LoopLagged(0.25),
            {named("tts_event_loop_lag_seconds_count"): 1, named("tts_event_loop_lag_seconds_sum"): 0.25},
        ),
        (QueueMoved(3, 4.5), {named("tts_queue_depth"): 3, named("tts_audio_seconds_owed"): 4.5}),
        (
            VoiceLoaded("joe", "cuda:0", 1.5),
            {
                named("tts_model_loaded", **JOE, device="cuda:0"): 1,
                named("tts_model_load_seconds", **JOE, device="cuda:0"): 1.5,
            },
        ),
        (StartupPhaseEnded("warm_up", 0.25), {named("tts_startup_seconds", phase="warm_up"): 0.25}),
        (IdleWorkDone("vits", 7, 0.05), {named("tts_idle_work_pending", engine="vits"): 7}),
        (HealthChanged("", is_serving=True), {named("tts_health_status", service=""): 1}),
        (LexiconRead(7, ""), {named("tts_lexicon_entries"): 7}),
        (LexiconRead(7, "torn"), {named("tts_lexicon_entries"): 7, named("tts_lexicon_current"): -1}),
        (EngineRaised("joe", "render", (Member(1, 0, 0.5),), 9.0, RuntimeError()), {}),
        (UtteranceQueued(1, 0, 12), {}),
        (UtteranceSpoken(1, 0), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_moves_its_metrics_and_no_others(change: Any, event: Event, changed: dict[Series, float]) -> None:
    assert change(event) == changed


def test_a_chunk_that_comes_just_in_time_is_not_an_underrun(change: Any) -> None:
    assert named("tts_playback_underruns_total", **JOE) not in change(ChunkSent(1, "joe", 0.1, slack_seconds=0.0))


def test_gauges_follow_what_they_measure_down_again(sink: MetricsSink, registry: CollectorRegistry) -> None:
    for event in (QueueMoved(3, 4.5), QueueMoved(0, 0.0), HealthChanged("", True), HealthChanged("", False)):
        sink(event)
    value = registry.get_sample_value
    assert value("tts_queue_depth") == value("tts_audio_seconds_owed") == 0
    assert value("tts_health_status", {"service": ""}) == 0


def test_the_build_is_reported(sink: MetricsSink, registry: CollectorRegistry) -> None:
    facts = {"version": "1", "revision": "8df7b4d", "torch": "2", "cuda": "", "device": "cpu"}
    sink.build(**facts)
    sink.capacity(64)
    assert registry.get_sample_value("tts_build_info", facts) == 1
    assert registry.get_sample_value("tts_queue_capacity") == 64


ESTIMATES = {
    *("tts_estimated_real_time_factor", "tts_estimated_first_audio_seconds", "tts_engine_slowdown_ratio"),
}


def estimates_of(registry: CollectorRegistry, engine: str) -> dict[str, float | None]:
    return {name: registry.get_sample_value(name, {"engine": engine}) for name in ESTIMATES}


def test_each_engine_has_its_own_estimates_as_they_are_at_the_scrape(
    sink: MetricsSink, registry: CollectorRegistry
) -> None:
    known = {"vits": Estimates(0.5, 0.25, 1.5, 0.5), "codec": Estimates(2.0, 3.0, 4.0, 2.0)}
    sink.watch_engines(["vits", "codec"], lambda: known, lambda: 0.0)
    assert estimates_of(registry, "codec") == {
        "tts_estimated_real_time_factor": 2.0,
        "tts_estimated_first_audio_seconds": 3.0,
        "tts_engine_slowdown_ratio": 4.0,
    }
    known["vits"] = Estimates(0.75, 0.5, 2.5, 0.75)
    assert estimates_of(registry, "vits") == {
        "tts_estimated_real_time_factor": 0.75,
        "tts_estimated_first_audio_seconds": 0.5,
        "tts_engine_slowdown_ratio": 2.5,
    }


def test_an_engine_of_which_nothing_is_known_has_estimates_of_0(
    sink: MetricsSink, registry: CollectorRegistry
) -> None:
    sink.watch_engines(["vits", "codec"], lambda: {"vits": Estimates(0.5, 0.25, 1.5, 0.5)}, lambda: 0.0)
    assert estimates_of(registry, "codec") == dict.fromkeys(ESTIMATES, 0.0)


def test_the_demand_is_that_of_all_engines_together(sink: MetricsSink, registry: CollectorRegistry) -> None:
    sink.watch_engines(["vits", "codec"], dict, lambda: 0.75)
    assert registry.get_sample_value("tts_engine_demand_ratio") == 0.75


# --- exemplars -------------------------------------------------------------------------------------------------


def events_of(request: int, seconds: float) -> list[Event]:
    """Everything that is timed in a request, each so many seconds long."""
    return [
        TextRead(request, "joe", 0.0, seconds, seconds, characters=1, sentences=1, unknown_phonemes=0),
        QueueLeft(request, "joe", seconds),
        BatchRan("joe", "prepare", (Member(request, 0, seconds),), 0.0, seconds, 0.0),
        BatchRan("joe", "render", (Member(request, 0, seconds),), 0.0, seconds, 0.0),
        FirstAudio(request, "joe", "stream", seconds),
        ChunkSent(request, "joe", seconds, seconds),
        AudioEncoded(request, "joe", "flac", 0.0, seconds, seconds),
        finished(request=request, audio_seconds=1.0, engine_seconds=seconds),
    ]


def exemplars(registry: CollectorRegistry) -> dict[Series, str]:
    """The traces on buckets, by series and bucket."""
    return {
        named(sample.name, **sample.labels): sample.exemplar.labels["trace_id"]
        for family in registry.collect()
        for sample in family.samples
        if sample.exemplar
    }


LATENCIES = {
    *("tts_time_to_first_audio_seconds", "tts_real_time_factor", "tts_inter_chunk_seconds"),
    *("tts_playback_slack_seconds", "tts_queue_wait_seconds", "tts_stage_seconds", "tts_encode_seconds"),
}


def test_every_latency_of_a_sampled_request_carries_its_trace(
    sink: MetricsSink, registry: CollectorRegistry, traces: Traces
) -> None:
    traces.current = TRACE
    sink(RequestStarted(1, "id"))
    traces.current = ""  # what follows may come from another thread
    for event in events_of(1, 0.07):
        sink(event)
    found = exemplars(registry)
    assert {name.removesuffix("_bucket") for name, _ in found} == LATENCIES
    staged = [dict(labels)["stage"] for name, labels in found if name == "tts_stage_seconds_bucket"]
    assert sorted(staged) == sorted((*STAGES, *STEP_KINDS["joe"]))
    assert set(found.values()) == {TRACE}


def test_two_requests_at_once_carry_each_its_own_trace(
    sink: MetricsSink, registry: CollectorRegistry, traces: Traces
) -> None:
    for request, trace in ((1, TRACE), (2, OTHER_TRACE)):
        traces.current = trace
        sink(RequestStarted(request, "id"))
    both = BatchRan("joe", "render", (Member(1, 0, 0.007), Member(2, 0, 0.7)), 0.0, 0.707, 0.0)
    interleaved = zip(events_of(1, 0.007), events_of(2, 0.7), strict=True)
    for event in (both, *(event for pair in interleaved for event in pair)):
        sink(event)
    found = exemplars(registry)
    for (_, labels), trace in found.items():
        assert trace == (TRACE if float(dict(labels)["le"]) <= 0.1 else OTHER_TRACE), labels
    for trace in (TRACE, OTHER_TRACE):
        assert {name.removesuffix("_bucket") for (name, _), own in found.items() if own == trace} == LATENCIES


def test_requests_that_are_not_sampled_carry_nothing(sink: MetricsSink, registry: CollectorRegistry) -> None:
    sink(RequestStarted(1, "id"))
    for event in events_of(1, 0.07):
        sink(event)
    assert exemplars(registry) == {}


def test_nothing_is_kept_of_requests_that_have_ended(sink: MetricsSink, traces: Traces) -> None:
    traces.current = TRACE
    for request, outcome in enumerate(get_args(Outcome)):
        sink(RequestStarted(request, "id"))
        sink(finished(outcome, "", request))
        sink(BatchRan("joe", "render", (Member(request, 0, 0.1),), 0.0, 0.1, 0.0))  # the one under way
    assert sink._traces == {}


def test_exemplars_show_in_openmetrics_only(sink: MetricsSink, registry: CollectorRegistry, traces: Traces) -> None:
    traces.current = TRACE
    sink(RequestStarted(1, "id"))
    for event in events_of(1, 0.07):
        sink(event)
    assert f'# {{trace_id="{TRACE}"}} 0.07'.encode() in as_openmetrics(registry)
    assert TRACE.encode() not in as_text(registry)


def test_calls_of_the_emotion_service_are_counted_by_outcome_and_neutral_sentences_by_reason(
    sink: MetricsSink, registry: CollectorRegistry
) -> None:
    sink.make_emotion_series()
    assert registry.get_sample_value("tts_emotion_fallbacks_total", {"reason": "circuit_open"}) == 0
    sink(EmotionAnalyzed(1, None, 0.01))
    sink(EmotionAnalyzed(1, "timeout", 0.05))
    sink(EmotionSkipped(1))
    value = registry.get_sample_value
    assert value("tts_emotion_calls_total", {"outcome": "ok"}) == 1
    assert value("tts_emotion_calls_total", {"outcome": "timeout"}) == 1
    assert value("tts_emotion_calls_total", {"outcome": "circuit_open"}) is None
    assert value("tts_emotion_fallbacks_total", {"reason": "timeout"}) == 1
    assert value("tts_emotion_fallbacks_total", {"reason": "circuit_open"}) == 1
    assert value("tts_emotion_seconds_count") == 2
