"""The log's sink: constant event names, fields, and never the text that is spoken."""

import grpc
import pytest
from structlog.testing import CapturingLogger

from phonoscope.common.interceptors import CallEnded, CallStarted, Method
from phonoscope.server.events import (
    BatchRan,
    EngineRaised,
    FirstAudio,
    HealthChanged,
    QueueMoved,
    RequestFinished,
    StageTimed,
    VoiceLoaded,
)
from phonoscope.server.logs import LogSink

SPEECH = Method("phonoscope.tts.v1.TextToSpeech", "Synthesize", "unary")
ERROR = RuntimeError("broken")


@pytest.fixture
def logger() -> CapturingLogger:
    return CapturingLogger()


@pytest.mark.parametrize(
    ("event", "level", "name", "fields"),
    [
        (
            VoiceLoaded("joe", "cpu", 1.23456),
            "info",
            "voice_loaded",
            {"voice": "joe", "device": "cpu", "load_seconds": 1.235},
        ),
        (HealthChanged("", is_serving=True), "info", "health_changed", {"service": "", "serving": True}),
        (
            EngineRaised("joe", "render", 3, ERROR),
            "error",
            "engine_raised",
            {"voice": "joe", "stage": "render", "batch_size": 3, "exc_info": ERROR},
        ),
        (
            RequestFinished("joe", "failed", "ENGINE_FAILED", 12, 1.23456, 0.123456, "id-1"),
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
        StageTimed("joe", "queue", 0.1),
        BatchRan("joe", "render", 2, 0.1, 0.0),
        FirstAudio("joe", 0.1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_happens_many_times_a_request_is_left_to_metrics(logger: CapturingLogger, event: object) -> None:
    LogSink(logger)(event)
    assert logger.calls == []


@pytest.mark.parametrize(
    ("service", "level"),
    [
        (SPEECH.service, "info"),
        ("TTSService", "info"),
        ("_OTHER", "info"),
        ("grpc.health.v1.Health", "debug"),
        ("grpc.reflection.v1alpha.ServerReflection", "debug"),
    ],
)
def test_the_access_log_has_a_line_a_call_at_debug_for_probes(
    logger: CapturingLogger, service: str, level: str
) -> None:
    sink = LogSink(logger)
    method = Method(service, "Any", "unary")
    sink.call(CallStarted(method))
    sink.call(CallEnded(method, grpc.StatusCode.RESOURCE_EXHAUSTED, 0.123456, 1, 1, 10, 2000))
    (call,) = logger.calls
    assert (call.method_name, call.args) == (level, ("call_ended",))
    assert call.kwargs == {
        "service": service,
        "method": "Any",
        "code": "RESOURCE_EXHAUSTED",
        "seconds": 0.1235,
        "bytes_sent": 2000,
    }


def test_a_defect_is_an_error_with_its_traceback(logger: CapturingLogger) -> None:
    LogSink(logger).unexpected("/a/B", ERROR)
    (call,) = logger.calls
    assert (call.method_name, call.args) == ("error", ("call_failed_unexpectedly",))
    assert call.kwargs == {"method": "/a/B", "exc_info": ERROR}
