"""One WebSocket: typed messages in, JSON and audio out, an error before it is closed. Used by speech_socket.py."""

import asyncio
import contextlib
import json
from http import HTTPStatus
from typing import Final

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from phonoscope.gateway import server_messages
from phonoscope.gateway.client_messages import CLIENT_MESSAGE, MESSAGE_SCHEMAS, ClientMessage
from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.request_outcome import record_outcome
from phonoscope.gateway.server_messages import Message
from phonoscope.gateway.validation_errors import problem_from_validation

PROTOCOL: Final = "phonoscope.v1"
# Close codes. Source: RFC 6455, section 7.4.1, and IANA's registry for 1013.
GOING_AWAY, UNSUPPORTED_DATA, POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1003, 1008, 1011, 1013


class SocketError(ProblemError):
    """A problem with the client's messages, and the code that the socket is closed with."""

    def __init__(self, problem: Problem, close_code: int) -> None:
        super().__init__(problem)
        self.close_code = close_code


class SocketConnection:
    """Receives and sends the messages of one WebSocket; a client may be idle for `idle_seconds`."""

    def __init__(self, socket: WebSocket, idle_seconds: float) -> None:
        self._socket = socket
        self._idle_seconds = idle_seconds

    async def accept(self) -> None:
        """Accepts the WebSocket, with the subprotocol if the client offers it."""
        offered = self._socket.scope.get("subprotocols", [])
        await self._socket.accept(PROTOCOL if PROTOCOL in offered else None)

    async def receive(self, *, may_idle: bool = False) -> ClientMessage:
        """Returns the client's next message.

        Raises:
            SocketError: the message is not valid, or none arrived in time and `may_idle` is false.
            WebSocketDisconnect: the client disconnected.
        """
        text = await self._receive_text(None if may_idle else self._idle_seconds)
        try:
            return CLIENT_MESSAGE.validate_python(_parsed(text))
        except ValidationError as error:
            raise SocketError(problem_from_validation(error.errors(), MESSAGE_SCHEMAS), POLICY_VIOLATION) from None

    async def _receive_text(self, timeout_seconds: float | None) -> str:
        try:
            async with asyncio.timeout(timeout_seconds):
                received = await self._socket.receive()
        except TimeoutError:
            raise _idle(self._idle_seconds) from None
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", GOING_AWAY))
        text: str | None = received.get("text")
        if text is None:
            raise _binary()
        return text

    async def send(self, message: Message) -> None:
        """Sends a JSON message."""
        await self._socket.send_text(json.dumps(message))

    async def send_audio(self, audio: bytes) -> None:
        """Sends a binary message."""
        await self._socket.send_bytes(audio)

    async def close(self, problem: Problem, close_code: int | None = None) -> None:
        """Sends a problem and closes the socket; the default code depends on the problem."""
        record_outcome(self._socket.scope, int(problem.status), problem.reason)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client disconnected meanwhile
            await self.send(server_messages.failed(problem))
            await self._socket.close(close_code or _close_code(problem), problem.reason)


def _parsed(text: str) -> object:
    """Returns a message's JSON. pydantic's own parser would reject half of a surrogate pair."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: nested too deep
        detail = f'not valid JSON: {error}; send an object such as {{"type": "text", "text": "Hello."}}'
        raise SocketError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", detail), POLICY_VIOLATION) from None


def _idle(idle_seconds: float) -> SocketError:
    text = f"no message was received for {idle_seconds:g} s; reconnect to send more text"
    return SocketError(Problem(HTTPStatus.REQUEST_TIMEOUT, "SOCKET_IDLE", text), GOING_AWAY)


def _binary() -> SocketError:
    text = 'binary messages are not supported; send JSON such as {"type": "text", "text": "Hello."}'
    return SocketError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", text), UNSUPPORTED_DATA)


def _close_code(problem: Problem) -> int:
    if problem.retry_after_seconds is not None:
        return TRY_AGAIN_LATER
    is_ours = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.status != HTTPStatus.NOT_IMPLEMENTED
    return INTERNAL_ERROR if is_ours else POLICY_VIOLATION
