"""WS /v1/speech/stream: text in pieces by JSON, audio as binary messages. Put together by app.py.

    client   {"type": "start", settings…}   then {"type": "text", "text": …} and {"type": "flush"}, any number,
             {"type": "end"}; {"type": "cancel"} at any time
    server   {"type": "started", …}         with the first audio; then, before every binary message of audio,
             {"type": "audio", …} with its seconds, the characters that it speaks and the timings that were asked
             for; {"type": "done"} or {"type": "cancelled"}, after which the next start may come
    errors   {"type": "error", …}           the members of problem+json; then the socket is closed: 1003 for binary,
             1008 for what breaks these rules or cannot be served, 1013 where it can be later, 1011 for our faults

A client that sends faster than is spoken is held up: at most PIECES wait here, then its socket is not read.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from phonoscope.gateway import server_messages
from phonoscope.gateway.backend.base import FLUSH, Backend, BackendError, Flush
from phonoscope.gateway.disconnects import end
from phonoscope.gateway.events import Emit, FirstAudio
from phonoscope.gateway.middleware import record_outcome
from phonoscope.gateway.problems import Problem, ProblemError, problem_from_error
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.schemas import ClientMessage, ControlMessage, StartMessage, TextMessage
from phonoscope.gateway.validation_errors import SchemaClass, problem_from_validation

MAX_QUEUED_TEXTS: Final = 32
PROTOCOL: Final = "phonoscope.v1"
UNSUPPORTED, POLICY, INTERNAL, LATER, AWAY = 1003, 1008, 1011, 1013, 1001
MESSAGE: Final[TypeAdapter[StartMessage | TextMessage | ControlMessage]] = TypeAdapter(ClientMessage)
MODELS: Final[Mapping[str, SchemaClass]] = {
    "start": StartMessage,
    "text": TextMessage,
    "flush": ControlMessage,
    "end": ControlMessage,
    "cancel": ControlMessage,
}
TextQueue = asyncio.Queue[str | Flush | None]
ResultT = TypeVar("ResultT")


class SocketError(ProblemError):
    """A message that breaks the rules, and the code that the socket is closed with."""

    def __init__(self, problem: Problem, close_code: int) -> None:
        super().__init__(problem)
        self.close_code = close_code


class SpeechSocket:
    """One WebSocket: texts one after another, each with its own settings."""

    def __init__(
        self, socket: WebSocket, backend: Backend, emit: Emit, *, idle_seconds: float, max_timeout_seconds: float
    ) -> None:
        self._socket = socket
        self._backend = backend
        self._emit = emit
        self._idle_seconds = idle_seconds
        self._max_timeout_seconds = max_timeout_seconds

    async def serve(self) -> None:
        """Speaks until the client leaves or breaks the rules."""
        offered = self._socket.scope.get("subprotocols", [])
        await self._socket.accept(PROTOCOL if PROTOCOL in offered else None)
        try:
            timeout_seconds = request_timeout_seconds(self._socket.headers, self._max_timeout_seconds)
            upcoming: StartMessage | None = None
            while True:
                start = upcoming or await self._start()
                upcoming = await self._serve_text(start, timeout_seconds)
        except WebSocketDisconnect:
            pass
        except SocketError as refusal:
            await self._close(refusal.problem, refusal.close_code)
        except ProblemError as refusal:
            await self._close(refusal.problem, POLICY)
        except BackendError as error:
            problem = problem_from_error(error)
            await self._close(problem, _close_code(problem))

    async def _start(self) -> StartMessage:
        message = await self._message()
        if not isinstance(message, StartMessage):
            raise _out_of_turn(f'"{message.type}" came before "start"; begin a text with {{"type": "start"}}')
        return message

    async def _serve_text(self, start: StartMessage, timeout_seconds: float) -> StartMessage | None:
        """Reads and speaks one text; returns the next one's start, where that has come already."""
        pieces: TextQueue = asyncio.Queue(MAX_QUEUED_TEXTS)
        speaking = asyncio.ensure_future(self._speak(start, pieces, timeout_seconds))
        upcoming, is_over = None, False
        try:
            while upcoming is None and (message := await self._while(speaking, self._message(idle=not is_over))):
                match message:
                    case ControlMessage(type="cancel"):
                        await end(speaking)
                        await self._send({"type": "cancelled"})
                        return None
                    case StartMessage() if is_over:
                        upcoming = message
                    case StartMessage():
                        raise _out_of_turn('"start" came within a text; send "end" or "cancel" first')
                    case _ if is_over:
                        raise _out_of_turn(f'"{message.type}" came after "end"; begin the next text with "start"')
                    case TextMessage():
                        await self._while(speaking, pieces.put(message.text))
                    case ControlMessage(type="flush"):
                        await self._while(speaking, pieces.put(FLUSH))
                    case ControlMessage():
                        is_over = True
                        await self._while(speaking, pieces.put(None))
            await speaking
            await self._send(server_messages.DONE)
            return upcoming
        finally:
            await end(speaking)

    async def _while(self, speaking: "asyncio.Task[None]", work: Coroutine[Any, Any, ResultT]) -> ResultT | None:
        """Returns what `work` gives, or None where speaking ended before it; what failed in speaking is raised."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({speaking, task}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            speaking.result()
            return None
        finally:
            await end(task)

    async def _speak(self, start: StartMessage, pieces: TextQueue, timeout_seconds: float) -> None:
        began = time.perf_counter()
        stream = self._backend.stream(_until_none(pieces), start.options(), timeout_seconds)
        async with contextlib.aclosing(stream) as chunks:
            async for chunk in chunks:
                if chunk.sequence == 0:
                    await self._send(server_messages.started(chunk))
                    self._emit(FirstAudio(self._socket.scope["route"].path, time.perf_counter() - began))
                await self._send(server_messages.audio(chunk, is_timed=bool(start.timings)))
                await self._socket.send_bytes(chunk.audio)

    async def _message(self, *, idle: bool = True) -> StartMessage | TextMessage | ControlMessage:
        """Returns the client's next message; with `idle` it may be silent for so long only.

        Raises:
            Refused: the message breaks the rules, or none came.
            WebSocketDisconnect: the client left.
        """
        try:
            async with asyncio.timeout(self._idle_seconds if idle else None):
                received = await self._socket.receive()
        except TimeoutError:
            text = f"nothing came for {self._idle_seconds:g} s; connect again when there is something to say"
            raise SocketError(Problem(HTTPStatus.REQUEST_TIMEOUT, "SOCKET_IDLE", text), AWAY) from None
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", AWAY))
        if received.get("text") is None:
            text = 'binary messages are not taken; send JSON such as {"type": "text", "text": "Hello."}'
            raise SocketError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", text), UNSUPPORTED)
        try:
            return MESSAGE.validate_json(received["text"])
        except ValidationError as error:
            raise SocketError(problem_from_validation(error.errors(), MODELS), POLICY) from None

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message))

    async def _close(self, problem: Problem, close_code: int) -> None:
        """Says what is wrong, and closes."""
        record_outcome(self._socket.scope, int(problem.status), problem.reason)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client left meanwhile
            await self._send(server_messages.failed(problem))
            await self._socket.close(close_code, problem.reason)


async def _until_none(pieces: TextQueue) -> AsyncIterator[str | Flush]:
    while (piece := await pieces.get()) is not None:
        yield piece


def _out_of_turn(detail: str) -> SocketError:
    return SocketError(Problem(HTTPStatus.BAD_REQUEST, "MESSAGE_OUT_OF_TURN", detail), POLICY)


def _close_code(problem: Problem) -> int:
    if problem.retry_after_seconds is not None:
        return LATER
    is_ours = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.status != HTTPStatus.NOT_IMPLEMENTED
    return INTERNAL if is_ours else POLICY
