"""The JSON bodies of requests, as pydantic models. Unknown members are rejected.

Ranges are the speech server's to check: its errors name the value, the limit and the fix, and the gateway passes them
on. Values that protobuf cannot carry are rejected here. FastAPI takes the docstrings for the OpenAPI document.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from phonoscope.gateway.backend.base import Encoding, Pronunciation, SpeechOptions, TimingType

INT32_MAX = 2**31 - 1
Ratio = Annotated[float, Field(allow_inf_nan=False)]


class RequestModel(BaseModel):
    """A strict JSON object: no type conversion, no unknown members."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, strict=True)

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: object) -> object:
        """Rejects lone surrogates, which JSON can express and UTF-8 cannot."""
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            raise ValueError("contains a lone surrogate; send complete Unicode characters")
        return value


class PronunciationBody(RequestModel):
    """The pronunciation of a word or phrase: either ipa or respelling."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["ipa"]}, {"required": ["respelling"]}]})

    phrase: str
    """Whole words. In lower case it matches any case; with a capital letter it matches that spelling only."""
    ipa: str = ""
    """International Phonetic Alphabet, such as təˈmɑːtoʊ."""
    respelling: str = ""
    """Other words, such as sequel for SQL."""

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        if {"ipa", "respelling"} <= self.model_fields_set or not {"ipa", "respelling"} & self.model_fields_set:
            raise ValueError('requires either "ipa" or "respelling"')
        return self

    def record(self) -> Pronunciation:
        """Returns the record for the backend."""
        return Pronunciation(self.phrase, self.ipa, self.respelling)


class SpeechSettings(RequestModel):
    """How a text is synthesized; every member is optional."""

    voice: str = ""
    """Voice id, or voice:speaker; defaults to the default voice, or the first voice of `language`."""

    speed: Ratio = 1.0
    """Speaking rate as a ratio, 0.25 to 4.0."""

    pitch: Ratio = 1.0
    """Pitch as a ratio, 0.5 to 2.0."""

    emotion: str = ""
    """happy, angry, sad, afraid, disgusted, melancholic, surprised or calm; defaults to none."""

    emotion_weights: dict[str, Ratio] = {}
    """A mix of emotions, in place of `emotion`: weights from 0 to 1 by name, with a sum of at most 1."""

    emotion_intensity: Ratio | None = None
    """Strength of the emotions, 0 to 1; defaults to 1."""

    language: str = ""
    """BCP 47 tag such as en-US; defaults to the voice's language. auto selects a voice for the text's script."""

    encoding: Annotated[Encoding, Field(strict=False)] = Encoding.LINEAR16
    """Audio encoding; linear16 is 16-bit little-endian samples without a header."""

    sample_rate_hz: Annotated[int, Field(ge=0, le=INT32_MAX)] = 0
    """8000 to 48000; 0 is the voice's rate."""

    volume_gain_db: Ratio = 0.0
    """Gain in decibels, -96 to +16."""

    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] | None = None
    """The same text, settings and seed give the same audio; defaults to a random seed."""

    request_id: str = ""
    """Id of the request in logs; defaults to one that the server generates."""

    pronunciations: list[PronunciationBody] = []
    """Pronunciations for this text; up to 1000."""

    timings: list[Annotated[TimingType, Field(strict=False)]] = []
    """Which timings to return. Over HTTP, only with `stream_format` sse."""

    def options(self) -> SpeechOptions:
        """Returns the options for the backend."""
        return SpeechOptions(
            voice=self.voice,
            speed=self.speed,
            pitch=self.pitch,
            emotion=self.emotion,
            emotion_weights=self.emotion_weights,
            emotion_intensity=self.emotion_intensity,
            language=self.language,
            encoding=self.encoding,
            sample_rate_hz=self.sample_rate_hz,
            volume_gain_db=self.volume_gain_db,
            seed=self.seed,
            request_id=self.request_id,
            pronunciations=[pronunciation.record() for pronunciation in self.pronunciations],
            timing_types=self.timings,
        )


class SpeechBody(SpeechSettings):
    """Either a text or an SSML document, how it is synthesized, and the format of the response."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["ssml"]}]})

    text: str = ""
    """Text to synthesize."""
    ssml: str = ""
    """SSML 1.1 document to synthesize, in place of `text`."""
    stream_format: Literal["audio", "sse"] = "audio"
    """audio streams the audio bytes; sse streams the WebSocket's messages as events, with audio in base64."""

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if len({"text", "ssml"} & self.model_fields_set) != 1:
            raise _member_error("text", 'requires either "text" or "ssml"')
        if self.timings and self.stream_format == "audio":
            message = 'not supported in plain audio; set "stream_format": "sse", or use WebSocket /v1/speech/stream'
            raise _member_error("timings", message)
        return self

    def options(self) -> SpeechOptions:
        """Returns the options for the backend."""
        return SpeechOptions(**super().options(), ssml=self.ssml)


def _member_error(field: str, message: str) -> PydanticCustomError:
    """Returns the error of a member that conflicts with others; validation_errors.py reads its name."""
    return PydanticCustomError("member", "{message}", {"message": message, "field": field})


class LegacyBody(RequestModel):
    """The request body of an older web page."""

    text: str
    """Text to synthesize."""
    speaker_id: str | None = None
    """Voice id, or voice:speaker."""
    emotion: str | None = None
    """Emotion by name."""
    speed: Ratio | None = None
    """Speaking rate as a ratio; 0 or absent means 1.0."""
    pitch: Ratio | None = None
    """Pitch as a ratio; 0 or absent means 1.0."""

    def options(self) -> SpeechOptions:
        """Returns the options for the backend."""
        return SpeechOptions(
            voice=self.speaker_id or "",
            emotion=self.emotion or "",
            speed=self.speed or 1.0,
            pitch=self.pitch or 1.0,
            encoding=Encoding.LINEAR16,
        )


class OpenAiVoice(RequestModel):
    """A custom voice of OpenAI's API."""

    id: str
    """Voice id."""


class OpenAiBody(RequestModel):
    """OpenAI's createSpeech (platform.openai.com/docs/api-reference/audio/createSpeech)."""

    model: Annotated[str, Field(examples=["tts-1"])]
    """A model of GET /v1/models."""
    input: str
    """Text to synthesize."""
    voice: str | OpenAiVoice
    """An OpenAI voice name, or a voice of GET /v1/voices."""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    """Audio format; pcm is 16-bit little-endian samples at 24 kHz."""
    speed: Ratio = 1.0
    """Speaking rate as a ratio, 0.25 to 4.0."""
    stream_format: Literal["sse", "audio"] = "audio"
    """audio streams the audio bytes; sse streams events with audio in base64."""
    instructions: str | None = None
    """The first word for an emotion, such as "cheerful" or "calmly", selects that emotion; the rest is ignored."""


BODY_SCHEMAS: Final[Mapping[str, type[RequestModel]]] = {
    "/v1/speech": SpeechBody,
    "/v1/audio/speech": OpenAiBody,
    "/api/tts": LegacyBody,
}
"""The schema of the request body, by path."""
