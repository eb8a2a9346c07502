"""What callers send, as pydantic models: the one place that knows the JSON of requests. Unknown members are refused.

Ranges that the speech server judges are not judged here: it names value, limit and way out, and the gateway passes
that on. What the wire cannot carry is refused here.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from phonoscope.gateway.backend.base import Encoding, Pronunciation, SpeechOptions, TimingType

INT32_MAX = 2**31 - 1
Ratio = Annotated[float, Field(allow_inf_nan=False)]


class RequestModel(BaseModel):
    """A JSON object, strict: a number is no text, and nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, strict=True)

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: object) -> object:
        """Refuses halves of characters, which JSON can spell and the wire cannot carry."""
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            raise ValueError("has half of a surrogate pair; send whole Unicode characters")
        return value


class PronunciationBody(RequestModel):
    """How a word or a phrase is said: by ipa, or as other words are, by respelling."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["ipa"]}, {"required": ["respelling"]}]})

    phrase: str
    """What is written: whole words. In small letters for any case; with a capital, for that spelling only."""
    ipa: str = ""
    """The International Phonetic Alphabet, such as təˈmɑːtoʊ."""
    respelling: str = ""
    """Other words, such as sequel for SQL."""

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        if {"ipa", "respelling"} <= self.model_fields_set or not {"ipa", "respelling"} & self.model_fields_set:
            raise ValueError('needs either "ipa" or "respelling"')
        return self

    def record(self) -> Pronunciation:
        """Returns the record for the backend."""
        return Pronunciation(self.phrase, self.ipa, self.respelling)


class SpeechSettings(RequestModel):
    """How a text is spoken; each member has a neutral default."""

    voice: str = ""
    """Voice id, or voice:speaker; empty for the default voice, or the first one of `language`."""

    speed: Ratio = 1.0
    """Speaking rate as a ratio, 0.25 to 4.0."""

    pitch: Ratio = 1.0
    """Pitch as a ratio, 0.5 to 2.0."""

    emotion: str = ""
    """happy, angry, sad, afraid, disgusted, melancholic, surprised or calm; empty for none."""

    emotion_weights: dict[str, Ratio] = {}
    """Emotions mixed, in place of emotion: weights of 0 to 1 by name, at most 1 in all."""

    emotion_intensity: Ratio | None = None
    """How far to go towards the emotions, 0 to 1; absent means 1."""

    language: str = ""
    """BCP 47 tag such as en-US; empty for the voice's own; auto for a voice that reads the text's script."""

    encoding: Annotated[Encoding, Field(strict=False)] = Encoding.LINEAR16
    """Form of the audio: linear16 is 16-bit little-endian samples without header."""

    sample_rate_hz: Annotated[int, Field(ge=0, le=INT32_MAX)] = 0
    """8000 to 48000; 0 for the voice's own rate."""

    volume_gain_db: Ratio = 0.0
    """-96 to +16."""

    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] | None = None
    """The same text, settings and seed give the same audio."""

    request_id: str = ""
    """Names the request in logs; empty lets the server make one."""

    pronunciations: list[PronunciationBody] = []
    """How words of this text are said; at most 1 000."""

    timings: list[Annotated[TimingType, Field(strict=False)]] = []
    """What to tell of where it is heard. Over HTTP with `stream_format` sse only."""

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
    """A text or an SSML document, how it is spoken, and how it comes back."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["ssml"]}]})

    text: str = ""
    """What to say."""
    ssml: str = ""
    """What to say, as a document of SSML 1.1, in place of text."""
    stream_format: Literal["audio", "sse"] = "audio"
    """audio streams the bytes; sse sends events: the WebSocket's messages, each with its audio in base64."""

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        if len({"text", "ssml"} & self.model_fields_set) != 1:
            raise _member_error("text", 'give either "text" or "ssml"')
        if self.timings and self.stream_format == "audio":
            words = 'cannot be told in plain audio; add "stream_format": "sse", or use WS /v1/speech/stream'
            raise _member_error("timings", words)
        return self

    def options(self) -> SpeechOptions:
        """Returns the options for the backend."""
        return SpeechOptions(**super().options(), ssml=self.ssml)


def _member_error(field: str, words: str) -> PydanticCustomError:
    """Returns the error of a member that is wrong by what others are; validation_errors.py reads its name."""
    return PydanticCustomError("member", "{words}", {"words": words, "field": field})


class LegacyBody(RequestModel):
    """The older contract: what the web page of a system before this one sent."""

    text: str
    """What to say."""
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
    """A voice by id, as OpenAI's API has voices of one's own."""

    id: str
    """Voice id."""


class OpenAiBody(RequestModel):
    """OpenAI's createSpeech (platform.openai.com/docs/api-reference/audio/createSpeech)."""

    model: Annotated[str, Field(examples=["tts-1"])]
    """One of GET /v1/models."""
    input: str
    """What to say."""
    voice: str | OpenAiVoice
    """A name of OpenAI's, or a voice of GET /v1/voices."""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    """pcm is 16-bit little-endian at 24 kHz."""
    speed: Ratio = 1.0
    """0.25 to 4.0."""
    stream_format: Literal["sse", "audio"] = "audio"
    """audio streams the bytes; sse sends events with base64."""
    instructions: str | None = None
    """The first word that names an emotion, such as "cheerful" or "calmly", chooses it; the rest changes nothing."""


BODY_SCHEMAS: Final[Mapping[str, type[RequestModel]]] = {
    "/v1/speech": SpeechBody,
    "/v1/audio/speech": OpenAiBody,
    "/api/tts": LegacyBody,
}
"""The schema of the request body, by path."""
