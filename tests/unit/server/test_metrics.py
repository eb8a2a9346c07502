"""What each event does to the metrics, and that nothing a caller sends makes new series."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, get_args

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from phonoscope.common.errors import InvalidRequest, NotReady, NotServed, Overloaded
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.health import Health, add_health
from phonoscope.common.interceptors import OTHER, CallEnded, CallObserver, CallStarted, ErrorMapper, Method
from phonoscope.server.events import (
    BatchRan,
    EngineRaised,
    EngineStage,
    FirstAudio,
    HealthChanged,
    Outcome,
    QueueMoved,
    RequestFinished,
    Stage,
    StageTimed,
    VoiceLoaded,
)
from phonoscope.server.metrics import CODE_NAMES, REASONS, MetricsSink

SPEAK = Method("test.v1.Speech", "Speak", "unary")
STREAM = Method("test.v1.Speech", "Stream", "server_stream")
CALL = {"grpc_type": "unary", "grpc_service": "test.v1.Speech", "grpc_method": "Speak"}
JOE = {"voice_model": "joe"}

Series = tuple[str, tuple[tuple[str, str], ...]]
Value = Callable[..., float | None]


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


@pytest.fixture
def sink(registry: CollectorRegistry) -> MetricsSink:
    sink = MetricsSink(registry, [SPEAK, STREAM])
    sink.make_voice_series(["joe", "eva"])
    return sink


@pytest.fixture
def change(sink: MetricsSink, registry: CollectorRegistry) -> Callable[..., dict[Series, float]]:
    """Feeds events and returns the series that changed, buckets apart, by how much."""

    def change(*events: Any, take: Callable[[Any], None] = sink) -> dict[Series, float]:
        before = series(registry)
        for event in events:
            take(event)
        return {
            name: value - before.get(name, 0)
            for name, value in series(registry).items()
            if value != before.get(name, 0) and not name[0].endswith("_bucket")
        }

    return change


def named(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


def test_every_series_of_calls_is_there_at_0_from_the_start(sink: MetricsSink, registry: CollectorRegistry) -> None:
    for method in (SPEAK, STREAM, Method(OTHER, OTHER, "unary")):
        labels = {"grpc_type": method.kind, "grpc_service": method.service, "grpc_method": method.name}
        for name in ("grpc_server_started_total", "grpc_server_in_flight", "grpc_server_handling_seconds_count"):
            assert registry.get_sample_value(name, labels) == 0
        for code in CODE_NAMES.values():
            assert registry.get_sample_value("grpc_server_handled_total", {**labels, "grpc_code": code}) == 0


def test_every_series_of_voices_is_there_at_0_from_the_start(sink: MetricsSink, registry: CollectorRegistry) -> None:
    value = registry.get_sample_value
    for voice in ({"voice_model": "joe"}, {"voice_model": "eva"}):
        for name in ("tts_time_to_first_audio_seconds_count", "tts_real_time_factor_count"):
            assert value(name, voice) == 0
        assert value("tts_audio_seconds_total", voice) == value("tts_characters_total", voice) == 0
        for stage in get_args(Stage):
            assert value("tts_stage_seconds_count", {**voice, "stage": stage}) == 0
        for stage in get_args(EngineStage):
            assert value("tts_batch_size_count", {**voice, "stage": stage}) == 0
            assert value("tts_engine_busy_seconds_total", {**voice, "stage": stage}) == 0
    assert value("tts_queue_depth") == value("tts_audio_seconds_owed") == 0


def test_every_outcome_and_reason_is_there_at_0_for_each_voice_and_for_none(
    sink: MetricsSink, registry: CollectorRegistry
) -> None:
    assert set(REASONS) == set(get_args(Outcome))
    for voice in ("", "joe", "eva"):
        for outcome, reasons in REASONS.items():
            for reason in reasons:
                labels = {"voice_model": voice, "outcome": outcome, "reason": reason}
                assert registry.get_sample_value("tts_requests_total", labels) == 0


def test_every_reason_of_the_error_tree_is_known() -> None:
    refused = {*InvalidRequest.REASONS, *NotServed.REASONS, *Overloaded.REASONS, *NotReady.REASONS}
    assert set(REASONS["rejected"]) == refused
    assert set(REASONS["failed"]) == {"ENGINE_FAILED", "DEADLINE_UNREACHABLE", "INTERNAL"}


def test_codes_are_written_as_go_writes_them() -> None:
    assert set(CODE_NAMES) == set(grpc.StatusCode)
    assert set(CODE_NAMES.values()) == {
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "Unauthenticated", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
        "Unimplemented", "Internal", "Unavailable", "DataLoss",
    }  # fmt: skip


def test_a_call_is_in_flight_until_it_ends(sink: MetricsSink, change: Any) -> None:
    assert change(CallStarted(SPEAK), take=sink.call) == {
        named("grpc_server_started_total", **CALL): 1,
        named("grpc_server_in_flight", **CALL): 1,
    }
    ended = CallEnded(SPEAK, grpc.StatusCode.CANCELLED, 0.25, 1, 1, 10, 20)
    assert change(ended, take=sink.call) == {
        named("grpc_server_in_flight", **CALL): -1,
        named("grpc_server_handled_total", **CALL, grpc_code="Canceled"): 1,
        named("grpc_server_handling_seconds_count", **CALL): 1,
        named("grpc_server_handling_seconds_sum", **CALL): 0.25,
    }


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_every_code_is_counted_in_a_series_that_was_there(
    sink: MetricsSink, registry: CollectorRegistry, code: grpc.StatusCode
) -> None:
    before = set(series(registry))
    sink.call(CallEnded(SPEAK, code, 0.1, 1, 1, 10, 20))
    assert set(series(registry)) == before


def test_a_completed_request_counts_its_audio_text_and_factor(change: Any) -> None:
    assert change(RequestFinished("joe", "completed", "", 40, 2.0, 0.1, "id")) == {
        named("tts_requests_total", **JOE, outcome="completed", reason=""): 1,
        named("tts_audio_seconds_total", **JOE): 2.0,
        named("tts_characters_total", **JOE): 40,
        named("tts_real_time_factor_count", **JOE): 1,
        named("tts_real_time_factor_sum", **JOE): 0.05,
    }


def test_a_request_that_did_not_complete_counts_what_was_sent_only(change: Any) -> None:
    assert change(RequestFinished("joe", "cancelled", "", 40, 2.0, 0.1, "id")) == {
        named("tts_requests_total", **JOE, outcome="cancelled", reason=""): 1,
        named("tts_audio_seconds_total", **JOE): 2.0,
    }


def test_a_completed_request_without_audio_has_no_factor(change: Any) -> None:
    assert change(RequestFinished("joe", "completed", "", 4, 0.0, 0.0, "id")) == {
        named("tts_requests_total", **JOE, outcome="completed", reason=""): 1,
        named("tts_characters_total", **JOE): 4,
    }


@pytest.mark.parametrize(("outcome", "reason"), [(o, reason) for o, reasons in REASONS.items() for reason in reasons])
def test_every_end_of_a_request_is_counted_in_a_series_that_was_there(
    change: Any, registry: CollectorRegistry, outcome: Outcome, reason: str
) -> None:
    before = set(series(registry))
    changed = change(RequestFinished("joe", outcome, reason, 4, 0.0, 0.0, "id"))
    assert changed[named("tts_requests_total", **JOE, outcome=outcome, reason=reason)] == 1
    assert set(series(registry)) == before


def test_a_request_refused_for_its_voice_makes_no_series_but_those_of_no_voice(
    change: Any, registry: CollectorRegistry
) -> None:
    event = RequestFinished("", "rejected", "VOICE_UNKNOWN", 4, 0.0, 0.0, "id")
    assert change(event) == {
        named("tts_requests_total", voice_model="", outcome="rejected", reason="VOICE_UNKNOWN"): 1
    }


@pytest.mark.parametrize(
    ("event", "changed"),
    [
        (
            FirstAudio("joe", 0.25),
            {
                named("tts_time_to_first_audio_seconds_count", **JOE): 1,
                named("tts_time_to_first_audio_seconds_sum", **JOE): 0.25,
            },
        ),
        (
            StageTimed("joe", "queue", 0.5),
            {
                named("tts_stage_seconds_count", **JOE, stage="queue"): 1,
                named("tts_stage_seconds_sum", **JOE, stage="queue"): 0.5,
            },
        ),
        (
            BatchRan("joe", "render", 3, 0.5, 0.1),
            {
                named("tts_batch_size_count", **JOE, stage="render"): 1,
                named("tts_batch_size_sum", **JOE, stage="render"): 3,
                named("tts_engine_busy_seconds_total", **JOE, stage="render"): 0.5,
            },
        ),
        (QueueMoved(3, 4.5), {named("tts_queue_depth"): 3, named("tts_audio_seconds_owed"): 4.5}),
        (
            VoiceLoaded("joe", "cuda:0", 1.5),
            {
                named("tts_model_loaded", **JOE, device="cuda:0"): 1,
                named("tts_model_load_seconds", **JOE, device="cuda:0"): 1.5,
            },
        ),
        (HealthChanged("", is_serving=True), {named("tts_health_status", service=""): 1}),
        (EngineRaised("joe", "render", 3, RuntimeError()), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_moves_its_metrics_and_no_others(change: Any, event: Any, changed: dict[Series, float]) -> None:
    assert change(event) == changed


def test_gauges_follow_what_they_measure_down_again(sink: MetricsSink, registry: CollectorRegistry) -> None:
    for event in (QueueMoved(3, 4.5), QueueMoved(0, 0.0), HealthChanged("", True), HealthChanged("", False)):
        sink(event)
    value = registry.get_sample_value
    assert value("tts_queue_depth") == value("tts_audio_seconds_owed") == 0
    assert value("tts_health_status", {"service": ""}) == 0


def test_what_runs_here_is_told(sink: MetricsSink, registry: CollectorRegistry) -> None:
    facts = {"version": "1", "torch": "2", "cuda": "", "device": "cpu"}
    sink.build(**facts)
    assert registry.get_sample_value("tts_build_info", facts) == 1


async def test_no_path_that_a_caller_makes_up_makes_a_series(sink: MetricsSink, registry: CollectorRegistry) -> None:
    server = build_server([CallObserver(sink.call), ErrorMapper(lambda path, error: None)])
    add_health(Health([""], lambda name, is_serving: None), server)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def probe(service: str) -> None:
            with pytest.raises(grpc.aio.AioRpcError):
                await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)

        async def attack(path: str) -> None:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(path)(b"", timeout=30)

        await asyncio.gather(attack("/test.v1.Speech/Made-up"), probe("made up"))
        before = set(series(registry))
        for _ in range(10):
            names = [secrets.token_hex(8) for _ in range(100)]
            await asyncio.gather(*(attack(f"/{name}/{name}") for name in names), *(probe(name) for name in names[:10]))
        assert set(series(registry)) == before
    await server.stop(None)
    other = {"grpc_type": "unary", "grpc_service": OTHER, "grpc_method": OTHER}
    value = registry.get_sample_value
    assert value("grpc_server_handled_total", {**other, "grpc_code": "Unimplemented"}) == 1001
    assert value("grpc_server_in_flight", other) == 0
    check = {"grpc_type": "unary", "grpc_service": "grpc.health.v1.Health", "grpc_method": "Check"}
    assert value("grpc_server_handled_total", {**check, "grpc_code": "NotFound"}) == 101
