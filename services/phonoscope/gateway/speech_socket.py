"""WS /v1/speech/stream: incremental text as JSON messages, audio as binary messages. Built by app.py.

    client   {"type": "start", settings…}   then {"type": "text", "text": …} and {"type": "flush"}, any number of them,
             {"type": "end"}; {"type": "cancel"} at any time
    server   {"type": "started", …}         with the first audio; then, before every binary message of audio,
             {"type": "audio", …} with its duration, its text span and the requested timings; {"type": "done"} or
             {"type": "cancelled"}, after which the next text can start
    errors   {"type": "error", …}           the members of problem+json; then the socket is closed with 1003 for binary
             messages, 1008 for messages that are not valid or cannot be served, 1013 if a retry can succeed, 1011 for
             errors of the server

Backpressure: up to MAX_QUEUED_TEXTS messages wait here; then the socket is not read until synthesis catches up.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Any, Final, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from phonoscope.gateway import server_messages
from phonoscope.gateway.backend.base import FLUSH, Backend, BackendError, Flush
from phonoscope.gateway.client_messages import ClientMessage, ControlMessage, StartMessage, TextJoiner, TextMessage
from phonoscope.gateway.disconnects import cancel
from phonoscope.gateway.events import Emit, FirstAudio
from phonoscope.gateway.problems import Problem, ProblemError, problem_from_error
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.socket_connection import POLICY_VIOLATION, SocketConnection, SocketError

MAX_QUEUED_TEXTS: Final = 32
TextQueue = asyncio.Queue[str | Flush | None]
ResultT = TypeVar("ResultT")


class SpeechSocket:
    """One WebSocket: one text after another, each with its own settings."""

    def __init__(
        self, socket: WebSocket, backend: Backend, emit: Emit, *, idle_seconds: float, max_timeout_seconds: float
    ) -> None:
        self._socket = socket
        self._connection = SocketConnection(socket, idle_seconds)
        self._backend = backend
        self._emit = emit
        self._max_timeout_seconds = max_timeout_seconds

    async def serve(self) -> None:
        """Serves texts until the client disconnects or a problem closes the socket."""
        await self._connection.accept()
        try:
            await self._serve_texts(request_timeout_seconds(self._socket.headers, self._max_timeout_seconds))
        except WebSocketDisconnect:
            pass
        except SocketError as error:
            await self._connection.close(error.problem, error.close_code)
        except ProblemError as error:
            await self._connection.close(error.problem, POLICY_VIOLATION)
        except BackendError as error:
            await self._connection.close(problem_from_error(error, self._socket.scope["path"]))

    async def _serve_texts(self, timeout_seconds: float) -> None:
        next_start: StartMessage | None = None
        while True:
            start = next_start or await self._receive_start()
            next_start = await self._serve_text(start, timeout_seconds)

    async def _receive_start(self) -> StartMessage:
        message = await self._connection.receive()
        if not isinstance(message, StartMessage):
            raise _out_of_turn(f'"{message.type}" was sent before "start"; begin a text with {{"type": "start"}}')
        return message

    async def _serve_text(self, start: StartMessage, timeout_seconds: float) -> StartMessage | None:
        """Receives and synthesizes one text; returns the start of the next one, if that has arrived."""
        texts: TextQueue = asyncio.Queue(MAX_QUEUED_TEXTS)
        synthesis = asyncio.ensure_future(self._synthesize(start, texts, timeout_seconds))
        try:
            next_start = await self._receive_texts(texts, synthesis)
            await synthesis
            await self._connection.send(server_messages.DONE)
        except _TextCancelled:
            await cancel(synthesis)
            await self._connection.send(server_messages.CANCELLED)
            return None
        finally:
            await cancel(synthesis)
        return next_start

    async def _receive_texts(self, texts: TextQueue, synthesis: "asyncio.Task[None]") -> StartMessage | None:
        """Queues what arrives of one text, until synthesis ends or the next text starts; returns that start.

        Raises:
            _TextCancelled: the client cancelled the text.
            SocketError: a message is not valid, or not in this order.
        """
        joiner, is_complete = TextJoiner(), False
        while message := await _until_done(synthesis, self._connection.receive(may_idle=is_complete)):
            if message.type == "cancel":
                raise _TextCancelled
            if is_complete:
                return _require_start(message)
            items = _queue_items(message, joiner)
            is_complete = items[-1] is None
            for item in items:
                await _until_done(synthesis, texts.put(item))
        return None

    async def _synthesize(self, start: StartMessage, texts: TextQueue, timeout_seconds: float) -> None:
        started_at = time.perf_counter()
        stream = self._backend.stream(_until_none(texts), start.options(), timeout_seconds)
        async with contextlib.aclosing(stream) as chunks:
            async for chunk in chunks:
                if chunk.sequence == 0:
                    await self._connection.send(server_messages.started(chunk))
                    self._emit(FirstAudio(self._socket.scope["route"].path, time.perf_counter() - started_at))
                await self._connection.send(server_messages.audio(chunk, is_timed=bool(start.timings)))
                await self._connection.send_audio(chunk.audio)


class _TextCancelled(Exception):
    """The client cancelled the current text."""


def _require_start(message: ClientMessage) -> StartMessage:
    """Returns the message that follows "end"."""
    if not isinstance(message, StartMessage):
        raise _out_of_turn(f'"{message.type}" was sent after "end"; begin the next text with "start"')
    return message


def _queue_items(message: ClientMessage, joiner: TextJoiner) -> list[str | Flush | None]:
    """Returns what a message adds to its text; None ends the text."""
    match message:
        case TextMessage():
            return [joiner.add(message.text)]
        case ControlMessage(type="flush"):
            return [FLUSH]
        case ControlMessage():
            rest = joiner.end()
            return [rest, None] if rest else [None]
        case StartMessage():
            raise _out_of_turn('"start" was sent within a text; send "end" or "cancel" first')


async def _until_done(synthesis: "asyncio.Task[None]", work: Coroutine[Any, Any, ResultT]) -> ResultT | None:
    """Returns the result of `work`, or None if synthesis ends first; raises the exception that ended synthesis."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({synthesis, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        synthesis.result()
        return None
    finally:
        await cancel(task)


async def _until_none(texts: TextQueue) -> AsyncIterator[str | Flush]:
    while (text := await texts.get()) is not None:
        yield text


def _out_of_turn(detail: str) -> SocketError:
    return SocketError(Problem(HTTPStatus.BAD_REQUEST, "MESSAGE_OUT_OF_TURN", detail), POLICY_VIOLATION)
