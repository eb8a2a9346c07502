"""The JSON body of OpenAI's speech API, as its contract has it and as its clients send it. Used by openai_routes.py.

Sources: platform.openai.com/docs/api-reference/audio/createSpeech; for members of other servers of this API,
Kokoro-FastAPI (`lang_code`, `stream`) and those of its clients. FastAPI takes the docstrings for the OpenAPI document.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from phonoscope.gateway.backend.base import Recording, TextFormat
from phonoscope.gateway.schemas import Ratio, RecordingBody, RequestModel

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
StreamFormat = Literal["sse", "audio"]
REQUIRED: Final = ("model", "input", "voice")
# Kokoro's codes of languages, as BCP 47 tags; other codes are tags already.
_LANGUAGES: Final = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}


class OpenAiVoice(RequestModel):
    """A custom voice of OpenAI's API."""

    id: str
    """Voice id."""


def _voice_name(value: object) -> object:
    """Returns the id of a voice that is sent as an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("id"), str):
        return value["id"]
    raise PydanticCustomError(
        "voice", 'is not valid; send the name of a voice, or an object such as {{"id": "alloy"}}'
    )


def _number(value: object) -> object:
    """Returns the number in a text; a value that is none unchanged, for the error."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _unchanged(value: object) -> object:
    return value


class OpenAiBody(RequestModel):
    """OpenAI's createSpeech. null stands for the default of an optional member."""

    EXAMPLE: ClassVar[str] = '{"model": "tts-1", "input": "Hello.", "voice": "alloy"}'

    model: Annotated[str, Field(examples=["tts-1"])]
    """A model of GET /v1/models, also with a date, such as tts-1-1106."""
    input: str
    """Text to synthesize."""
    voice: Annotated[str, BeforeValidator(_voice_name, json_schema_input_type=str | OpenAiVoice)]
    """An OpenAI voice name, a voice of GET /v1/audio/voices, or a mixture such as af_bella(2)+af_sky."""
    response_format: Annotated[AudioFormat, BeforeValidator(_unchanged, json_schema_input_type=AudioFormat | None)] = (
        "mp3"
    )
    """Audio format; pcm is 16-bit little-endian samples at 24 kHz."""
    speed: Annotated[Ratio, BeforeValidator(_unchanged, json_schema_input_type=Ratio | None)] = 1.0
    """Speaking rate as a ratio, 0.25 to 4.0."""
    stream_format: Annotated[StreamFormat, BeforeValidator(_unchanged, json_schema_input_type=StreamFormat | None)] = (
        "audio"
    )
    """audio streams the audio bytes; sse streams events with audio in base64."""
    instructions: str | None = None
    """The first word for an emotion, such as "cheerful" or "calmly", selects that emotion; the rest is ignored."""
    emotion: str | None = None
    """Emotion by name, or auto, which finds the emotion of each sentence by its text; an extension of OpenAI's API.
    Overrides instructions."""
    text_format: Annotated[TextFormat, Field(strict=False)] | None = None
    """plain or markdown; an extension of OpenAI's API. Defaults to markdown for a text with marks of Markdown."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: member for name, member in value.items() if member is not None or name in REQUIRED}

    def languages(self) -> Mapping[str, str]:
        """Returns the languages that the body asks for, as BCP 47 tags by member."""
        return {}

    def recording(self) -> Recording | None:
        """Returns the recording to speak like."""
        return None

    def unknown_members(self) -> list[str]:
        """Returns the names of members that have no meaning here."""
        return list(self.model_extra or {})


class LenientOpenAiBody(OpenAiBody):
    """OpenAI's createSpeech, as its clients send it. Unknown members are ignored, and the response names them."""

    model_config = ConfigDict(extra="allow")

    speed: Annotated[Ratio, BeforeValidator(_number, json_schema_input_type=Ratio | str | None)] = 1.0
    """Speaking rate as a ratio, 0.25 to 4.0; also as a text."""
    stream: bool | None = None
    """Accepted and without effect: the audio is always streamed."""
    reference: RecordingBody | None = None
    """Recording to speak like; an extension of OpenAI's API."""
    lang_code: str | None = None
    """Language of the default voice: a BCP 47 tag, or Kokoro's code, such as "a" for en-US."""
    language: str | None = None
    """The same as lang_code."""

    def languages(self) -> Mapping[str, str]:
        """Returns the languages that the body asks for, as BCP 47 tags by member."""
        stated = {"lang_code": self.lang_code, "language": self.language}
        return {member: _LANGUAGES.get(code.lower(), code) for member, code in stated.items() if code}

    def recording(self) -> Recording | None:
        """Returns the recording to speak like."""
        return self.reference.record() if self.reference else None
