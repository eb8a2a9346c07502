"""The log's sink: constant event names, fields, and never the text that is spoken."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest
import structlog
from structlog.testing import CapturingLogger

from phonoscope.common.call_events import CallEnded, Method
from phonoscope.server.events import (
    AudioEncoded,
    BatchRan,
    ChunkSent,
    EngineRaised,
    FirstAudio,
    HealthChanged,
    IdleWorkDone,
    LaneLost,
    LexiconRead,
    LoopLagged,
    Member,
    QueueLeft,
    QueueMoved,
    RequestFinished,
    RequestStarted,
    TextRead,
    UtteranceQueued,
    UtteranceSpoken,
    VoiceLoaded,
)
from phonoscope.server.telemetry.logs import LogSink

SPEECH = Method("phonoscope.tts.v1.TextToSpeech", "Synthesize", "unary")
ERROR = RuntimeError("broken")


@pytest.fixture
def logger() -> CapturingLogger:
    return CapturingLogger()


@pytest.fixture(autouse=True)
def _nothing_bound() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("event", "level", "name", "fields"),
    [
        (
            VoiceLoaded("joe", "cpu", 1.23456),
            "info",
            "voice_loaded",
            {"voice": "joe", "device": "cpu", "load_seconds": 1.235},
        ),
        (IdleWorkDone("vits", 0, 0.05), "info", "idle_work_done", {"engine": "vits"}),
        (HealthChanged("", is_serving=True), "info", "health_changed", {"service": "", "serving": True}),
        (LexiconRead(7, ""), "info", "lexicon_read", {"entries": 7}),
        (
            LexiconRead(7, "a.pls: line 3, column 1: no"),
            "error",
            "lexicon_refused",
            {"entries": 7, "error": "a.pls: line 3, column 1: no"},
        ),
        (
            EngineRaised("joe", "render", tuple(Member(request, 0, 0.5) for request in range(3)), 9.0, ERROR),
            "error",
            "engine_raised",
            {"voice": "joe", "stage": "render", "batch_size": 3, "exc_info": ERROR},
        ),
        (
            LaneLost("cuda:0", "the device is gone", ERROR),
            "critical",
            "engine_lost",
            {"device": "cuda:0", "cause": "the device is gone", "exc_info": ERROR},
        ),
        (
            RequestFinished(7, "id-1", "joe", "en", "failed", "ENGINE_FAILED", 12, 1.23456, 0.123456, 0.0123456),
            "info",
            "request_finished",
            {
                "request_id": "id-1",
                "voice": "joe",
                "outcome": "failed",
                "reason": "ENGINE_FAILED",
                "characters": 12,
                "audio_seconds": 1.235,
                "engine_seconds": 0.1235,
                "first_audio_seconds": 0.0123,
            },
        ),
        (
            RequestFinished(7, "id-1", "af_a", "en", "completed", "", 12, 1.0, 0.5, 0.1, "af_a+af_b"),
            "info",
            "request_finished",
            {
                "request_id": "id-1",
                "voice": "af_a",
                "mixture": "af_a+af_b",
                "outcome": "completed",
                "reason": "",
                "characters": 12,
                "audio_seconds": 1.0,
                "engine_seconds": 0.5,
                "first_audio_seconds": 0.1,
            },
        ),
        (
            RequestFinished(7, "id-1", "", "", "rejected", "VOICE_UNKNOWN", 12, 0.0, 0.0, None),
            "info",
            "request_finished",
            {
                "request_id": "id-1",
                "voice": "",
                "outcome": "rejected",
                "reason": "VOICE_UNKNOWN",
                "characters": 12,
                "audio_seconds": 0.0,
                "engine_seconds": 0.0,
                "first_audio_seconds": None,
            },
        ),
    ],
)
def test_what_a_person_on_call_wants_to_read_is_one_line(
    logger: CapturingLogger, event: object, level: str, name: str, fields: dict[str, object]
) -> None:
    LogSink(logger)(event)
    assert [(call.method_name, call.args, call.kwargs) for call in logger.calls] == [(level, (name,), fields)]


@pytest.mark.parametrize(
    "event",
    [
        QueueMoved(1, 2.0),
        LoopLagged(0.1),
        RequestStarted(1, "id-1"),
        TextRead(1, "joe", 9.0, 0.1, 0.1, characters=1, sentences=1, unknown_phonemes=0),
        UtteranceQueued(1, 0, 12),
        UtteranceSpoken(1, 0),
        QueueLeft(1, "joe", 0.1),
        BatchRan("joe", "render", (Member(1, 0, 0.1),), 9.0, 0.1, 0.0),
        FirstAudio(1, "joe", "stream", 0.1),
        ChunkSent(1, "joe", 0.1, 0.1),
        AudioEncoded(1, "joe", "wav", 9.0, 9.1, 0.1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_happens_many_times_a_request_is_left_to_metrics(logger: CapturingLogger, event: object) -> None:
    LogSink(logger)(event)
    assert logger.calls == []


async def test_every_later_line_of_a_calls_task_has_the_id_of_its_request(logger: CapturingLogger) -> None:
    sink, bound = LogSink(logger), structlog.contextvars.get_contextvars

    async def call(number: int) -> dict[str, object]:
        sink(RequestStarted(number, f"id-{number}"))
        await asyncio.sleep(0)  # the other call begins
        return bound()

    assert await asyncio.gather(*(asyncio.create_task(call(number)) for number in (1, 2))) == [
        {"request_id": "id-1"},
        {"request_id": "id-2"},
    ]
    assert bound() == {}


def refused(reason: str, outcome: str = "rejected", engine_seconds: float = 0.0) -> RequestFinished:
    return RequestFinished(7, "id-1", "joe", "en", outcome, reason, 12, 0.0, engine_seconds, None)


def test_a_flood_of_refusals_is_one_line_a_second_for_each_reason(
    logger: CapturingLogger,
) -> None:
    now = 10.0
    sink = LogSink(logger, lambda: now)
    for _ in range(100):
        sink(refused("CAPACITY_FULL"))
        sink(refused("DEADLINE_UNREACHABLE", "failed"))
        sink.call(CallEnded(1, SPEECH, grpc.StatusCode.RESOURCE_EXHAUSTED, 0.1, 1, 0, 10, 0))
    assert len(logger.calls) == 3
    now = 11.0
    sink(refused("CAPACITY_FULL"))
    assert logger.calls[-1].kwargs["left_out"] == 99
    assert "left_out" not in logger.calls[0].kwargs


def test_what_was_worked_on_and_what_the_caller_must_mend_is_always_a_line(logger: CapturingLogger) -> None:
    sink = LogSink(logger, lambda: 10.0)
    for _ in range(3):
        sink(refused("DEADLINE_UNREACHABLE", "failed", engine_seconds=0.5))
        sink(refused("TEXT_EMPTY"))
        sink.call(CallEnded(1, SPEECH, grpc.StatusCode.DEADLINE_EXCEEDED, 0.1, 1, 2, 10, 2000))
        sink.call(CallEnded(1, SPEECH, grpc.StatusCode.INVALID_ARGUMENT, 0.1, 1, 0, 10, 0))
    assert len(logger.calls) == 12
