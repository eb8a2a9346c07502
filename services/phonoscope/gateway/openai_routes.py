"""OpenAI's speech API, for its unmodified clients: POST /v1/audio/speech and GET /v1/models. Built by app.py.

Source: platform.openai.com/docs/api-reference/audio/createSpeech. Errors have OpenAI's format (problems.py).
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import Backend, Encoding, SpeechOptions
from phonoscope.gateway.events import Emit
from phonoscope.gateway.openapi import AUDIO_RESPONSES, MODELS_RESPONSES, OPENAI_ERROR_RESPONSES
from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.response_formats import OpenAiEvents, PlainAudio
from phonoscope.gateway.schemas import OpenAiBody, OpenAiVoice
from phonoscope.gateway.speech_response import SpeechResponse

PCM_RATE_HZ: Final = 24_000
WORD: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final = {
    "happy": "happy happily cheerful cheerfully joyful joyfully delighted upbeat",
    "angry": "angry angrily furious furiously annoyed",
    "sad": "sad sadly sorrowful tearful mournful",
    "afraid": "afraid fearful scared frightened anxious",
    "disgusted": "disgusted disgustedly revolted",
    "melancholic": "melancholic melancholy gloomy wistful",
    "surprised": "surprised astonished amazed",
    "calm": "calm calmly gentle gently soothing relaxed",
}
EMOTION_WORDS: Final = {word: emotion for emotion, words in _WORDS.items() for word in words.split()}
ENCODINGS: Final = {
    "mp3": Encoding.MP3,
    "opus": Encoding.OGG_OPUS,
    "aac": Encoding.AAC,
    "flac": Encoding.FLAC,
    "wav": Encoding.WAV,
    "pcm": Encoding.LINEAR16,
}


class OpenAiRoutes:
    """The routes of OpenAI's API.

    Args:
        backend: synthesizes speech.
        emit: takes events.
        max_timeout_seconds: the longest time for one request.
        models: accepted model names; all of them stand for this service.
        voices: voice by OpenAI's name, "" for the default voice; the server gets other names unchanged.
    """

    def __init__(
        self,
        backend: Backend,
        emit: Emit,
        max_timeout_seconds: float,
        *,
        models: Sequence[str],
        voices: Mapping[str, str],
    ) -> None:
        self._backend = backend
        self._emit = emit
        self._max_timeout_seconds = max_timeout_seconds
        self._models = models
        self._voices = voices

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["openai"])
        router.add_api_route(
            "/v1/audio/speech",
            self.speak,
            methods=["POST"],
            response_class=Response,
            responses=AUDIO_RESPONSES | OPENAI_ERROR_RESPONSES,
        )
        router.add_api_route("/v1/models", self.list_models, responses=MODELS_RESPONSES | OPENAI_ERROR_RESPONSES)
        return router

    async def speak(self, body: OpenAiBody, request: Request) -> Response:
        """Synthesizes a text as OpenAI's API does."""
        if body.model not in self._models:
            raise _unknown_model(body.model, self._models)
        timeout_seconds = request_timeout_seconds(request.headers, self._max_timeout_seconds)
        chunks = self._backend.stream(body.input, self._options(body), timeout_seconds)
        return SpeechResponse(chunks, self._emit, OpenAiEvents() if body.stream_format == "sse" else PlainAudio())

    async def list_models(self) -> Response:
        """Returns the accepted model names."""
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "phonoscope"} for name in self._models]
        return JSONResponse({"object": "list", "data": data})

    def _options(self, body: OpenAiBody) -> SpeechOptions:
        name = body.voice.id if isinstance(body.voice, OpenAiVoice) else body.voice
        return SpeechOptions(
            voice=self._voices.get(name, name),
            speed=body.speed,
            emotion=emotion_of(body.instructions or ""),
            encoding=ENCODINGS[body.response_format],
            sample_rate_hz=PCM_RATE_HZ if body.response_format == "pcm" else 0,
        )


def emotion_of(instructions: str) -> str:
    """Returns the emotion that the first word for an emotion in `instructions` names, or ""."""
    words = (word.lower() for word in WORD.findall(instructions))
    return next((EMOTION_WORDS[word] for word in words if word in EMOTION_WORDS), "")


def _unknown_model(model: str, models: Sequence[str]) -> ProblemError:
    description = f"{model[:64]!r} is not a model of this service; use one of: {', '.join(models)}"
    violation = FieldViolation("model", description)
    return ProblemError(Problem(HTTPStatus.NOT_FOUND, "MODEL_UNKNOWN", f"model: {description}", (violation,)))
