"""The log's sink: which requests are logged at which level."""

import pytest
import structlog

from phonoscope.gateway.events import FirstAudio, RequestEnded, RequestStarted
from phonoscope.gateway.logs import LogSink


@pytest.mark.parametrize(
    ("route", "status", "level"),
    [
        ("/v1/speech", 200, "info"),
        ("/v1/speech", 499, "info"),
        ("/v1/speech", 500, "warning"),
        ("/readyz", 503, "debug"),
        ("/metrics", 200, "debug"),
    ],
)
def test_the_level_depends_on_route_and_status(route, status, level):
    logger = structlog.testing.CapturingLogger()
    LogSink(logger)(RequestEnded("POST", route, status, 0.12345, 10, "WHY"))
    [call] = logger.calls
    assert call.method_name == level
    assert call.args == ("http_request",)
    assert call.kwargs == {
        "method": "POST",
        "route": route,
        "status": status,
        "seconds": 0.1235,
        "sent_bytes": 10,
        "reason": "WHY",
    }


@pytest.mark.parametrize("event", [RequestStarted("GET"), FirstAudio("/v1/speech", 0.1)])
def test_other_events_are_not_logged(event):
    logger = structlog.testing.CapturingLogger()
    LogSink(logger)(event)
    assert logger.calls == []
