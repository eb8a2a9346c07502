"""Audio as an HTTP response, sent while the rest is being synthesized. Used by the routes.

Backpressure: a chunk is sent in parts of 32 KiB, and the next chunk is requested from the backend when the connection
has accepted all of them. A slow client slows down the speech server, and uses no memory here.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
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
    """Returns the headers for a stream: voice, sample rate, seed, and the ids of request and trace."""
    headers = {
        "X-Request-Id": chunk.request_id,
        "X-Voice": chunk.voice,
        "X-Sample-Rate": str(chunk.sample_rate_hz),
        "X-Seed": str(chunk.seed),
    }
    if chunk.emotion_fallback:
        headers["X-Emotion-Fallback"] = chunk.emotion_fallback
    if trace_id := current_trace_id():
        headers["X-Trace-Id"] = trace_id
    return headers


class SpeechResponse(Response):
    """A stream of audio, cancelled when the client disconnects. An error before the first audio is a problem response.

    Args:
        chunks: the backend's stream; it is always closed.
        emit: takes the event of the first audio.
        response_format: how chunks become bytes.
        headers: further headers of a response with audio.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[AudioChunk, None],
        emit: Emit,
        response_format: ResponseFormat,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self._more_headers = headers
        self._chunks = chunks
        self._emit = emit
        self._format = response_format

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the response (ASGI)."""
        try:
            async with contextlib.aclosing(self._chunks):
                await run_while_connected(receive, self._respond(scope, receive, send))
        except ClientDisconnected:
            record_outcome(scope, CLIENT_CLOSED_REQUEST)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._chunks)
        except BackendError as error:
            problem = _record_failure(scope, error)
            await problem_response(problem, scope["path"])(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self._asgi_headers(first)})
        await _send_parts(self._format.start(first) + self._format.audio(first), send)
        self._emit(FirstAudio(scope["route"].path, time.perf_counter() - scope["state"][STARTED_AT]))
        await self._send_rest(scope, send)
        await send(_body(b"", more=False))

    async def _send_rest(self, scope: Scope, send: Send) -> None:
        try:
            async for chunk in self._chunks:
                await _send_parts(self._format.audio(chunk), send)
        except BackendError as error:
            last = self._format.error(_record_failure(scope, error))
            if last is None:  # too late for a status
                raise ResponseTruncated from None
        else:
            last = self._format.end()
        await _send_parts(last, send)

    def _asgi_headers(self, first: AudioChunk) -> list[tuple[bytes, bytes]]:
        kind = self._format.media_type(first)
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **speech_headers(first), **self._more_headers}
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class ResponseTruncated(Exception):
    """A response that has begun cannot be completed: uvicorn closes the connection without its end."""


def _record_failure(scope: Scope, error: BackendError) -> Problem:
    problem = problem_from_error(error, scope["path"])
    record_outcome(scope, int(problem.status), problem.reason)
    return problem


async def _send_parts(data: bytes, send: Send) -> None:
    for start in range(0, len(data), PART_BYTES):  # limits what waits in the connection
        await send(_body(data[start : start + PART_BYTES], more=True))


def _body(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}
