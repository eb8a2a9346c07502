"""OpenAI's speech API, for its unmodified clients: POST /v1/audio/speech and GET /v1/models. Built by app.py.

GET /v1/audio/voices and /v1/audio/models are not OpenAI's: Open WebUI requests them of every other server, and
Kokoro-FastAPI's clients the first. Sources: platform.openai.com/docs/api-reference/audio/createSpeech, Open WebUI's
routers/audio.py and Kokoro-FastAPI's routers/openai_compatible.py. Errors have OpenAI's format (problems.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import (
    Backend,
    Encoding,
    SpeechOptions,
    TextFormat,
    UnpronounceableText,
    Voice,
)
from phonoscope.gateway.disconnects import run_while_connected
from phonoscope.gateway.events import Emit
from phonoscope.gateway.openai_body import LenientOpenAiBody, OpenAiBody
from phonoscope.gateway.openai_voices import OpenAiVoices
from phonoscope.gateway.openapi import (
    AUDIO_RESPONSES,
    MODEL_RESPONSES,
    MODELS_RESPONSES,
    OPENAI_ERROR_RESPONSES,
    SPEECH_MODELS_RESPONSES,
    VOICES_RESPONSES,
)
from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.request_timeout import request_timeout_seconds
from phonoscope.gateway.response_formats import OpenAiEvents, PlainAudio
from phonoscope.gateway.speech_response import SpeechResponse
from phonoscope.gateway.text_formats import is_markdown

MODEL_PATH: Final = "/v1/models/{model}"
IGNORED_HEADER: Final = "X-Phonoscope-Ignored"
MAX_IGNORED: Final = 16
PCM_RATE_HZ: Final = 24_000
# The date of a model's version, such as gpt-4o-mini-tts-2025-12-15 and tts-1-1106.
DATE: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})\Z")
MEMBER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
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
        voices: voice by OpenAI's name; "" for the loaded voice of that name, or the default voice if there is none.
            The server gets other names unchanged.
        is_strict: whether members that OpenAI does not have are rejected; else the response's header names them.
    """

    def __init__(
        self,
        backend: Backend,
        emit: Emit,
        max_timeout_seconds: float,
        *,
        models: Sequence[str],
        voices: Mapping[str, str],
        is_strict: bool = False,
    ) -> None:
        self._backend = backend
        self._emit = emit
        self._max_timeout_seconds = max_timeout_seconds
        self._models = models
        self._voices = OpenAiVoices(backend, voices)
        self._is_strict = is_strict

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["openai"])
        router.add_api_route(
            "/v1/audio/speech",
            self.speak_strictly if self._is_strict else self.speak,
            methods=["POST"],
            response_class=Response,
            responses=AUDIO_RESPONSES | OPENAI_ERROR_RESPONSES,
        )
        for path, handler, responses in (
            ("/v1/models", self.list_models, MODELS_RESPONSES),
            (MODEL_PATH.replace("}", ":path}"), self.show_model, MODEL_RESPONSES),  # names may contain slashes
            ("/v1/audio/models", self.list_speech_models, SPEECH_MODELS_RESPONSES),
            ("/v1/audio/voices", self.list_voices, VOICES_RESPONSES),
        ):
            router.add_api_route(path, handler, responses=responses | OPENAI_ERROR_RESPONSES)
        return router

    async def speak(self, body: LenientOpenAiBody, request: Request) -> Response:
        """Synthesizes a text as OpenAI's API does."""
        return await self._speak(body, request)

    async def speak_strictly(self, body: OpenAiBody, request: Request) -> Response:
        """Synthesizes a text as OpenAI's API does, and rejects members that it does not have."""
        return await self._speak(body, request)

    async def list_models(self) -> Response:
        """Returns the accepted models."""
        return JSONResponse({"object": "list", "data": [_model(name) for name in self._models]})

    async def show_model(self, model: str) -> Response:
        """Returns one of the accepted models, also by a name with a date."""
        self._check_model(model)
        return JSONResponse(_model(model))

    async def list_speech_models(self) -> Response:
        """Returns the accepted models, as Open WebUI reads them."""
        return JSONResponse({"models": [{"id": name, "name": name} for name in self._models]})

    async def list_voices(self, request: Request, *, legacy: bool = False) -> Response:
        """Returns the loaded voices and their speakers, as Open WebUI reads them; with `legacy` their names only."""
        timeout_seconds = request_timeout_seconds(request.headers, self._max_timeout_seconds)
        voices = await run_while_connected(request.receive, self._backend.list_voices(timeout_seconds))
        names = [name for voice in voices for name in _names(voice)]
        return JSONResponse({"voices": names if legacy else [{"id": name, "name": name} for name in names]})

    async def _speak(self, body: OpenAiBody, request: Request) -> Response:
        self._check_model(body.model)
        timeout_seconds = request_timeout_seconds(request.headers, self._max_timeout_seconds)
        language = next(iter(body.languages().values()), "")
        finding = self._voices.find(body.voice, language, timeout_seconds)
        voice = await run_while_connected(request.receive, finding)
        chunks = self._backend.stream(body.input, self._options(body, voice, language), timeout_seconds)
        response_format = OpenAiEvents() if body.stream_format == "sse" else PlainAudio()
        return SpeechResponse(chunks, self._emit, response_format, self._ignored_header(body))

    def _options(self, body: OpenAiBody, voice: str, language: str) -> SpeechOptions:
        """Returns the options of a request; defaults that clients of OpenAI's API expect belong here."""
        options = SpeechOptions(
            voice=voice,
            speed=body.speed,
            emotion=body.emotion or emotion_of(body.instructions or ""),
            encoding=ENCODINGS[body.response_format],
            sample_rate_hz=PCM_RATE_HZ if body.response_format == "pcm" else 0,
            text_format=body.text_format or (TextFormat.MARKDOWN if is_markdown(body.input) else TextFormat.PLAIN),
            # OpenAI answers "..." with audio, and its clients send such sentences of a longer text.
            unpronounceable_text=UnpronounceableText.SILENCE,
        )
        if language and not voice:  # a voice that is named speaks its own language
            options["language"] = language
        if recording := body.recording():
            options["reference"] = recording
        return options

    def _ignored_header(self, body: OpenAiBody) -> dict[str, str]:
        """Returns the header that names the members without effect; empty if there are none."""
        ignored = [name for name in body.unknown_members() if MEMBER.fullmatch(name)]
        if not self._voices.follows_language(body.voice):
            ignored += body.languages()
        return {IGNORED_HEADER: ", ".join(ignored[:MAX_IGNORED])} if ignored else {}

    def _check_model(self, name: str) -> None:
        """Raises ProblemError for a model that is none of the accepted ones, nor a dated version of one."""
        if not {name, DATE.sub("", name)} & set(self._models):
            raise _unknown_model(name, self._models)


def _names(voice: Voice) -> Iterator[str]:
    """Yields what a request may name a voice, and its speakers."""
    yield voice.id
    yield from (f"{voice.id}:{speaker}" for speaker in voice.speakers)
    yield from voice.aliases


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "phonoscope"}


def emotion_of(instructions: str) -> str:
    """Returns the emotion that the first word for an emotion in `instructions` names, or ""."""
    words = (word.lower() for word in WORD.findall(instructions))
    return next((EMOTION_WORDS[word] for word in words if word in EMOTION_WORDS), "")


def _unknown_model(model: str, models: Sequence[str]) -> ProblemError:
    description = f"{model[:64]!r} is not a model of this service; use one of: {', '.join(models)}"
    violation = FieldViolation("model", description)
    return ProblemError(Problem(HTTPStatus.NOT_FOUND, "MODEL_UNKNOWN", f"model: {description}", (violation,)))
