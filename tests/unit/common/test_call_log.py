"""The access log: a line for each call, and one for each defect."""

import grpc
import pytest
from structlog.testing import CapturingLogger

from phonoscope.common.call_events import CallEnded, CallStarted, MessageReceived, MessageSent, Method
from phonoscope.common.call_log import CallLog

SPEECH = Method("phonoscope.tts.v1.TextToSpeech", "Synthesize", "unary")
ERROR = RuntimeError("broken")


@pytest.fixture
def logger() -> CapturingLogger:
    return CapturingLogger()


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
    sink = CallLog(logger)
    method = Method(service, "Any", "unary")
    sink.call(CallStarted(1, method, ()))
    sink.call(MessageReceived(method, 10))
    sink.call(MessageSent(method, 2000))
    sink.call(CallEnded(1, method, grpc.StatusCode.RESOURCE_EXHAUSTED, 0.123456, 1, 1, 10, 2000))
    (call,) = logger.calls
    assert (call.method_name, call.args) == (level, ("call_ended",))
    assert call.kwargs == {
        "service": service,
        "method": "Any",
        "code": "RESOURCE_EXHAUSTED",
        "seconds": 0.1235,
        "bytes_received": 10,
        "bytes_sent": 2000,
    }


def test_a_defect_is_an_error_with_its_traceback(logger: CapturingLogger) -> None:
    CallLog(logger).unexpected("/a/B", ERROR)
    (call,) = logger.calls
    assert (call.method_name, call.args) == ("error", ("call_failed_unexpectedly",))
    assert call.kwargs == {"method": "/a/B", "exc_info": ERROR}
