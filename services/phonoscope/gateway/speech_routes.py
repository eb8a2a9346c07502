"""The gateway's own API: POST /v1/speech, GET /v1/voices, and the older POST /api/tts. Built by app.py.

FastAPI takes names and docstrings of the handlers for the OpenAPI document.
"""

import base64
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BeforeValidator
from starlette.responses import JSONResponse, Response

from phonoscope.gateway.backend.base import Backend, Gender
from phonoscope.gateway.disconnects import run_while_connected
from phonoscope.gateway.events import Emit
from phonoscope.gateway.openapi import AUDIO_RESPONSES, LEGACY_RESPONSES, PROBLEM_RESPONSES, VOICES_RESPONSES
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.response_formats import PlainAudio, SpeechEvents
from phonoscope.gateway.schemas import LegacyBody, SpeechBody
from phonoscope.gateway.speech_response import SpeechResponse


def _none_if_empty(value: str | None) -> str | None:
    return value or None


class SpeechRoutes:
    """The routes of the gateway's own API; a request may take up to `max_timeout_seconds`."""

    def __init__(self, backend: Backend, emit: Emit, max_timeout_seconds: float) -> None:
        self._backend = backend
        self._emit = emit
        self._max_timeout_seconds = max_timeout_seconds

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter()
        router.add_api_route(
            "/v1/speech",
            self.speak,
            methods=["POST"],
            response_class=Response,
            responses=AUDIO_RESPONSES | PROBLEM_RESPONSES,
            tags=["speech"],
        )
        router.add_api_route(
            "/v1/voices", self.voices, responses=VOICES_RESPONSES | PROBLEM_RESPONSES, tags=["speech"]
        )
        router.add_api_route(
            "/api/tts",
            self.legacy,
            methods=["POST"],
            responses=LEGACY_RESPONSES | PROBLEM_RESPONSES,
            tags=["compatibility"],
        )
        return router

    async def speak(self, body: SpeechBody, request: Request) -> Response:
        """Synthesizes a text or an SSML document; audio is sent while the rest is being synthesized."""
        chunks = self._backend.stream(body.text, body.options(), self._timeout_seconds(request))
        response_format = SpeechEvents(is_timed=bool(body.timings)) if body.stream_format == "sse" else PlainAudio()
        return SpeechResponse(chunks, self._emit, response_format)

    async def voices(
        self,
        request: Request,
        language: str = "",
        gender: Annotated[Gender | None, BeforeValidator(_none_if_empty)] = None,
        engine: str = "",
    ) -> Response:
        """Returns the loaded voices, or those of a language, a gender and an engine, the default voice first."""
        seconds = self._timeout_seconds(request)
        listing = self._backend.list_voices(seconds, language=language, gender=gender, engine=engine)
        voices = await run_while_connected(request.receive, listing)
        return JSONResponse({"voices": [asdict(voice) for voice in voices]})

    async def legacy(self, body: LegacyBody, request: Request) -> Response:
        """Synthesizes a text into one JSON object: 16-bit little-endian samples in base64. An older contract."""
        synthesis = self._backend.synthesize(body.text, body.options(), self._timeout_seconds(request))
        speech = await run_while_connected(request.receive, synthesis)
        audio = base64.b64encode(speech.audio).decode()
        return JSONResponse({"audio_data": audio, "sample_rate": speech.sample_rate_hz, "status": "success"})

    def _timeout_seconds(self, request: Request) -> float:
        return request_timeout_seconds(request.headers, self._max_timeout_seconds)
