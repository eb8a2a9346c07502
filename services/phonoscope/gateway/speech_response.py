"""Audio as an HTTP answer, sent while it is made. Called by the routes.

Nothing is kept: a chunk goes from gRPC to the connection in parts, each of which the connection has to have taken, and
the next chunk is asked for after that. A caller who reads slowly holds up the speech server, and fills no memory here.
"""

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from phonoscope.common.tracing import current_trace_id
from phonoscope.gateway.backend.base import AudioChunk, BackendError
from phonoscope.gateway.disconnects import ClientDisconnected, run_while_connected
from phonoscope.gateway.events import Emit, FirstAudio
from phonoscope.gateway.problems import Problem, problem_from_error, problem_response
from phonoscope.gateway.request_outcome import CLIENT_CLOSED_REQUEST, STARTED_AT, record_outcome
from phonoscope.gateway.response_formats import ResponseFormat

PART_BYTES: Final = 32 * 1024


def speech_headers(chunk: AudioChunk) -> dict[str, str]:
    """Returns what a first chunk tells of its stream: voice, rate, seed, and the names of the request."""
    headers = {
        "X-Request-Id": chunk.request_id,
        "X-Voice": chunk.voice,
        "X-Sample-Rate": str(chunk.sample_rate_hz),
        "X-Seed": str(chunk.seed),
    }
    if trace_id := current_trace_id():
        headers["X-Trace-Id"] = trace_id
    return headers


class SpeechResponse(Response):
    """A stream of audio, ended when the caller leaves. What fails before the first audio is a problem with its status.

    Args:
        chunks: as the backend yields them; always closed.
        emit: told of the first audio.
        form: how they are spelled.
    """

    def __init__(self, chunks: AsyncGenerator[AudioChunk, None], emit: Emit, form: ResponseFormat) -> None:
        super().__init__()
        self._chunks = chunks
        self._emit = emit
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        try:
            async with contextlib.aclosing(self._chunks):
                await run_while_connected(receive, self._answer(scope, receive, send))
        except ClientDisconnected:
            record_outcome(scope, CLIENT_CLOSED_REQUEST)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._chunks)
        except BackendError as error:
            problem = _record_failure(scope, error)
            await problem_response(problem, scope["path"])(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self._starting_headers(first)})
        await _send_parts(self._form.opening(first) + self._form.audio(first), send)
        self._emit(FirstAudio(scope["route"].path, time.perf_counter() - scope["state"][STARTED_AT]))
        await self._send_rest(scope, send)
        await send(_body(b"", more=False))

    async def _send_rest(self, scope: Scope, send: Send) -> None:
        try:
            async for chunk in self._chunks:
                await _send_parts(self._form.audio(chunk), send)
        except BackendError as error:
            ending = self._form.failure(_record_failure(scope, error))
            if ending is None:  # too late for a status
                raise ResponseTruncated from None
        else:
            ending = self._form.ending()
        await _send_parts(ending, send)

    def _starting_headers(self, first: AudioChunk) -> list[tuple[bytes, bytes]]:
        kind = self._form.media_type(first)
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **speech_headers(first)}
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class ResponseTruncated(Exception):
    """An answer that had begun cannot be completed: the connection is to be closed without its end."""


def _record_failure(scope: Scope, error: BackendError) -> Problem:
    problem = problem_from_error(error)
    record_outcome(scope, int(problem.status), problem.reason)
    return problem


async def _send_parts(data: bytes, send: Send) -> None:
    for start in range(0, len(data), PART_BYTES):  # no more than this waits in the connection
        await send(_body(data[start : start + PART_BYTES], more=True))


def _body(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}
