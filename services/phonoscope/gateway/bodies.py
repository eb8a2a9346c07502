"""What callers send, as pydantic models: the one place that knows the JSON of requests. Unknown members are refused.

Ranges that the speech server judges are not judged here: it names value, limit and way out, and the gateway passes
that on. What the wire cannot carry is refused here.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from phonoscope.client import Encoding, SpeechOptions

INT32_MOST = 2**31 - 1
Ratio = Annotated[float, Field(allow_inf_nan=False)]


class Body(BaseModel):
    """A JSON object, strict: a number is no text, and nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, strict=True)

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: object) -> object:
        """Refuses halves of characters, which JSON can spell and the wire cannot carry."""
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("has half of a surrogate pair; send whole Unicode characters")
        return value


class Settings(Body):
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
    """BCP 47 tag such as en-US; empty for the voice's own."""

    encoding: Annotated[Encoding, Field(strict=False)] = Encoding.LINEAR16
    """Form of the audio: linear16 is 16-bit little-endian samples without header."""

    sample_rate_hz: Annotated[int, Field(ge=0, le=INT32_MOST)] = 0
    """8000 to 48000; 0 for the voice's own rate."""

    volume_gain_db: Ratio = 0.0
    """-96 to +16."""

    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] | None = None
    """The same text, settings and seed give the same audio."""

    request_id: str = ""
    """Names the request in logs; empty lets the server make one."""

    def options(self) -> SpeechOptions:
        """Returns the client's options."""
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
        )


class SpeechBody(Settings):
    """A text, and how it is spoken."""

    text: str
    """What to say."""


class LegacyBody(Body):
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


class OpenAiVoice(Body):
    """A voice by id, as OpenAI's API has voices of one's own."""

    id: str
    """Voice id."""


class OpenAiBody(Body):
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


class Start(Settings):
    """First message of a text over WebSocket: how it is spoken."""

    type: Literal["start"]


class Text(Body):
    """The next piece of the text, of any size."""

    type: Literal["text"]
    text: str


class Step(Body):
    """flush: speak what came so far. end: the text is over. cancel: make no more of it."""

    type: Literal["flush", "end", "cancel"]


ClientMessage = Annotated[Start | Text | Step, Field(discriminator="type")]
