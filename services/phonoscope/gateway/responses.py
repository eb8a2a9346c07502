"""Audio as an HTTP answer, sent while it is made. Called by the routes.

Nothing is kept: a chunk goes from gRPC to the connection in parts, each of which the connection has to have taken, and
the next chunk is asked for after that. A caller who reads slowly holds up the speech server, and fills no memory here.
"""

import base64
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from phonoscope.client import AudioChunk, Encoding, PhonoscopeClientError
from phonoscope.common.tracing import current_trace_id
from phonoscope.gateway.disconnects import CallerLeft, unless_gone
from phonoscope.gateway.edge import ARRIVED, CALLER_LEFT, note_ending
from phonoscope.gateway.events import Emit, FirstAudio
from phonoscope.gateway.problems import answer, problem_of

MEDIA_TYPES: Final = {
    Encoding.LINEAR16: "audio/pcm",
    Encoding.WAV: "audio/wav",
    Encoding.FLAC: "audio/flac",
    Encoding.OGG_OPUS: "audio/ogg",
    Encoding.MP3: "audio/mpeg",
    Encoding.AAC: "audio/aac",
    Encoding.MULAW: "audio/basic",
    Encoding.ALAW: "audio/x-alaw-basic",
}

PART_BYTES: Final = 32 * 1024


def media_type(chunk: AudioChunk) -> str:
    """Returns the Content-Type of a stream that begins with `chunk`; samples without header say what they are."""
    kind = MEDIA_TYPES[chunk.encoding]
    if chunk.encoding is Encoding.LINEAR16:
        return f"{kind}; rate={chunk.sample_rate_hz}; channels=1; bits=16"
    return kind


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
        chunks: as the client yields them; always closed.
        emit: told of the first audio.
        is_sse: sends OpenAI's server-sent events in place of plain bytes.
    """

    def __init__(self, chunks: AsyncGenerator[AudioChunk, None], emit: Emit, *, is_sse: bool = False) -> None:
        super().__init__()
        self._chunks = chunks
        self._emit = emit
        self._is_sse = is_sse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        try:
            async with contextlib.aclosing(self._chunks):
                await unless_gone(receive, self._answer(scope, receive, send))
        except CallerLeft:
            note_ending(scope, CALLER_LEFT)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._chunks)
        except PhonoscopeClientError as error:
            problem = problem_of(error)
            note_ending(scope, int(problem.status), problem.reason)
            await answer(problem, scope["path"])(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self._starting_headers(first)})
        await self._send_audio(first, send)
        self._emit(FirstAudio(scope["route"].path, time.perf_counter() - scope["state"][ARRIVED]))
        try:
            async for chunk in self._chunks:
                await self._send_audio(chunk, send)
        except PhonoscopeClientError as error:
            # Too late for a status: an answer without its end is what tells the caller that audio is missing.
            problem = problem_of(error)
            note_ending(scope, int(problem.status), problem.reason)
            if not self._is_sse:
                raise CutShort from None
            await send(_body(_event({"type": "error", **problem.openai_body()}), more=True))
        else:
            if self._is_sse:
                await send(_body(_event({"type": "speech.audio.done", "usage": None}), more=True))
        await send(_body(b"", more=False))

    def _starting_headers(self, first: AudioChunk) -> list[tuple[bytes, bytes]]:
        kind = "text/event-stream" if self._is_sse else media_type(first)
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **speech_headers(first)}
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def _send_audio(self, chunk: AudioChunk, send: Send) -> None:
        if not chunk.audio:
            return
        audio = chunk.audio
        if self._is_sse:
            audio = _event({"type": "speech.audio.delta", "audio": base64.b64encode(audio).decode()})
        for start in range(0, len(audio), PART_BYTES):  # no more than this waits in the connection
            await send(_body(audio[start : start + PART_BYTES], more=True))


class CutShort(Exception):
    """An answer that had begun cannot be completed: the connection is to be closed without its end."""


def _body(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
