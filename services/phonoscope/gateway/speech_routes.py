"""The gateway's own API: POST /v1/speech, GET /v1/voices, and the older POST /api/tts. Put together by app.py."""

import base64
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from phonoscope.gateway.backend.base import Backend, Encoding, SpeechOptions
from phonoscope.gateway.disconnects import run_while_connected
from phonoscope.gateway.events import Emit
from phonoscope.gateway.openapi import AUDIO_RESPONSES, LEGACY_RESPONSES, PROBLEM_RESPONSES, VOICES_RESPONSES
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.response_formats import PlainAudio, SpeechEvents
from phonoscope.gateway.schemas import LegacyBody, SpeechBody
from phonoscope.gateway.speech_response import SpeechResponse


def speech_routes(backend: Backend, emit: Emit, max_timeout_seconds: float) -> APIRouter:
    """Returns the routes, which speak through `backend`."""
    router = APIRouter()

    @router.post("/v1/speech", response_class=Response, responses=AUDIO_RESPONSES | PROBLEM_RESPONSES, tags=["speech"])
    async def speak(body: SpeechBody, request: Request) -> Response:
        """Speaks a text, or an SSML document; the audio is sent while the rest is being made."""
        timeout_seconds = request_timeout_seconds(request.headers, max_timeout_seconds)
        chunks = backend.stream(body.text, body.options(), timeout_seconds)
        form = SpeechEvents(is_timed=bool(body.timings)) if body.stream_format == "sse" else PlainAudio()
        return SpeechResponse(chunks, emit, form)

    @router.get(
        "/v1/voices", response_class=JSONResponse, responses=VOICES_RESPONSES | PROBLEM_RESPONSES, tags=["speech"]
    )
    async def voices(request: Request, language: str = "") -> Response:
        """Lists the voices that are loaded, or those of a language, the default voice first."""
        listing = backend.list_voices(language, request_timeout_seconds(request.headers, max_timeout_seconds))
        found = await run_while_connected(request.receive, listing)
        return JSONResponse({"voices": [asdict(voice) for voice in found]})

    @router.post(
        "/api/tts", response_class=JSONResponse, responses=LEGACY_RESPONSES | PROBLEM_RESPONSES, tags=["compatibility"]
    )
    async def legacy(body: LegacyBody, request: Request) -> Response:
        """Speaks a text, all of it in one JSON object: 16-bit little-endian samples in base64. An older contract."""
        options = SpeechOptions(
            voice=body.speaker_id or "",
            emotion=body.emotion or "",
            speed=body.speed or 1.0,
            pitch=body.pitch or 1.0,
            encoding=Encoding.LINEAR16,
        )
        timeout_seconds = request_timeout_seconds(request.headers, max_timeout_seconds)
        speech = await run_while_connected(request.receive, backend.synthesize(body.text, options, timeout_seconds))
        reply: dict[str, Any] = {
            "audio_data": base64.b64encode(speech.audio).decode(),
            "sample_rate": speech.sample_rate_hz,
            "status": "success",
        }
        return JSONResponse(reply)

    return router
