"""The telemetry of every request: which events are emitted, with which status and route."""

import pytest
import structlog

from phonoscope.gateway.events import RequestEnded, RequestStarted
from phonoscope.gateway.middleware.telemetry import TelemetryMiddleware
from phonoscope.gateway.request_outcome import record_outcome
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import Telemetry, build_telemetry


@pytest.fixture
def observe():
    """Returns the events of one request to an application that sends these messages."""

    async def observe(*messages, outcome=(), kind="http", method="GET", path="/v1/voices"):
        events = []
        built = build_telemetry(GatewaySettings(), structlog.testing.CapturingLogger(), [])
        telemetry = Telemetry(built.logger, built.tracing, built.registry, (events.append,))

        async def app(scope, receive, send):
            if outcome:
                record_outcome(scope, *outcome)
            for message in messages:
                await send(message)

        async def send(_message):
            pass

        scope = {"type": kind, "path": path, "headers": []} | ({"method": method} if kind == "http" else {})
        await TelemetryMiddleware(app, telemetry, route_of)(scope, None, send)
        return events

    return observe


def route_of(path):
    return path if path in {"/v1/voices", "/v1/speech/stream"} else "_OTHER"


START = {"type": "http.response.start", "status": 429, "headers": []}


async def test_a_request_is_reported_with_status_and_size(observe):
    body = {"type": "http.response.body", "body": b"12345"}
    started, ended = await observe(START, body)
    assert started == RequestStarted("GET")
    assert ended == RequestEnded("GET", "/v1/voices", 429, ended.seconds, 5)


async def test_a_recorded_outcome_replaces_the_status_that_was_sent(observe):
    _, ended = await observe(START, outcome=(500, "ENGINE_FAILED"))
    assert (ended.status, ended.reason) == (500, "ENGINE_FAILED")


async def test_without_a_response_the_client_has_disconnected(observe):
    _, ended = await observe()
    assert ended.status == 499


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"type": "websocket.accept"}, 101),
        ({"type": "websocket.close", "code": 1008}, 403),
        ({"type": "websocket.http.response.start", "status": 401, "headers": []}, 401),
    ],
)
async def test_a_websockets_status_is_that_of_its_handshake(observe, message, status):
    _, ended = await observe(message, kind="websocket", path="/v1/speech/stream")
    assert (ended.method, ended.route, ended.status) == ("GET", "/v1/speech/stream", status)


async def test_closing_an_accepted_websocket_does_not_change_its_status(observe):
    closing = {"type": "websocket.close", "code": 1000}
    _, ended = await observe({"type": "websocket.accept"}, closing, kind="websocket")
    assert ended.status == 101


async def test_unknown_paths_and_methods_are_one_label(observe):
    _, ended = await observe(START, method="BREW", path="/secret")
    assert (ended.method, ended.route) == ("_OTHER", "_OTHER")
