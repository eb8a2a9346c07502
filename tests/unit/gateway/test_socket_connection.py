"""The messages of one WebSocket, and the codes that it is closed with."""

import json
from http import HTTPStatus

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from phonoscope.gateway.client_messages import ControlMessage, TextMessage
from phonoscope.gateway.problems import Problem
from phonoscope.gateway.request_outcome import OUTCOME
from phonoscope.gateway.socket_connection import SocketConnection, SocketError


@pytest.fixture
def connect():
    """Returns a connection whose client sends these messages, and what is sent to it."""

    async def connect(*messages, protocols=(), idle_seconds=20.0):
        waiting = [{"type": "websocket.connect"}, *messages]
        sent = []

        async def receive():
            return waiting.pop(0)

        async def send(message):
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "headers": [], "subprotocols": list(protocols), "state": {}}
        socket = WebSocket(scope, receive, send)
        connection = SocketConnection(socket, idle_seconds)
        await connection.accept()
        return connection, sent, scope

    return connect


def text(message):
    return {"type": "websocket.receive", "text": json.dumps(message)}


@pytest.mark.parametrize(
    ("offered", "accepted"), [((), None), (("other",), None), (("key.one", "phonoscope.v1"), "phonoscope.v1")]
)
async def test_the_subprotocol_is_accepted_if_it_is_offered(connect, offered, accepted):
    _, sent, _ = await connect(protocols=offered)
    assert sent[0]["subprotocol"] == accepted


async def test_messages_are_received_in_order(connect):
    connection, _, _ = await connect(text({"type": "text", "text": "a"}), text({"type": "end"}))
    assert await connection.receive() == TextMessage(type="text", text="a")
    assert await connection.receive(may_idle=True) == ControlMessage(type="end")


async def test_a_disconnect_is_raised_with_its_code(connect):
    connection, _, _ = await connect({"type": "websocket.disconnect", "code": 4000})
    with pytest.raises(WebSocketDisconnect) as disconnect:
        await connection.receive()
    assert disconnect.value.code == 4000


@pytest.mark.parametrize(
    ("message", "reason", "code"),
    [
        ({"type": "websocket.receive", "bytes": b"\0"}, "BODY_INVALID", 1003),
        (text({"type": "sing"}), "BODY_INVALID", 1008),
        ({"type": "websocket.receive", "text": "{"}, "BODY_INVALID", 1008),
    ],
)
async def test_a_message_that_is_not_valid_has_a_close_code(connect, message, reason, code):
    connection, _, _ = await connect(message)
    with pytest.raises(SocketError) as error:
        await connection.receive()
    assert (error.value.problem.reason, error.value.close_code) == (reason, code)


@pytest.mark.parametrize(
    ("status", "retry_after_seconds", "code"),
    [
        (HTTPStatus.BAD_REQUEST, None, 1008),
        (HTTPStatus.NOT_IMPLEMENTED, None, 1008),
        (HTTPStatus.INTERNAL_SERVER_ERROR, None, 1011),
        (HTTPStatus.GATEWAY_TIMEOUT, None, 1011),
        (HTTPStatus.TOO_MANY_REQUESTS, 1.5, 1013),
        (HTTPStatus.SERVICE_UNAVAILABLE, 1.0, 1013),
    ],
)
async def test_a_problem_is_sent_before_the_socket_is_closed(connect, status, retry_after_seconds, code):
    connection, sent, scope = await connect()
    await connection.close(Problem(status, "WHY", "what", retry_after_seconds=retry_after_seconds))
    assert json.loads(sent[1]["text"])["reason"] == "WHY"
    assert (sent[2]["type"], sent[2]["code"], sent[2]["reason"]) == ("websocket.close", code, "WHY")
    assert scope["state"][OUTCOME] == (status, "WHY")


async def test_an_explicit_close_code_is_used(connect):
    connection, sent, _ = await connect()
    await connection.close(Problem(HTTPStatus.REQUEST_TIMEOUT, "SOCKET_IDLE", "what"), 1001)
    assert sent[2]["code"] == 1001


@pytest.mark.parametrize("content", ["", "{bad", "[" * 100_000, '{"type": "text", "text": "a', "9" * 5_000])
async def test_what_is_no_json_closes_the_socket(connect, content):
    connection, _, _ = await connect({"type": "websocket.receive", "text": content})
    with pytest.raises(SocketError) as caught:
        await connection.receive()
    assert (caught.value.problem.reason, caught.value.close_code) == ("BODY_INVALID", 1008)
    assert "JSON" in caught.value.problem.detail
