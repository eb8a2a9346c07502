"""The JSON bodies of requests, as pydantic models. Unknown members are rejected.

The members that say how a text is synthesized are made from the list of options that client, CLI and gateway share.

Ranges are the speech server's to check: its errors name the value, the limit and the fix, and the gateway passes them
on. Values that protobuf cannot carry are rejected here. FastAPI takes the docstrings for the OpenAPI document.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Self, cast, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from phonoscope.gateway.backend.base import (
    Encoding,
    Option,
    Pronunciation,
    Recording,
    SpeechOptions,
    TextFormat,
    TimingType,
    UnpronounceableText,
    option_specs,
)

RECORDINGS: Final = ("reference", "emotion_reference")
INT32_MAX = 2**31 - 1
Ratio = Annotated[float, Field(allow_inf_nan=False)]


class RequestModel(BaseModel):
    """A strict JSON object: no type conversion, no unknown members. `EXAMPLE` is what errors recommend."""

    EXAMPLE: ClassVar[str] = '{"text": "Hello."}'
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, strict=True)

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: object) -> object:
        """Rejects lone surrogates, which JSON can express and UTF-8 cannot."""
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            raise ValueError("contains a lone surrogate; send complete Unicode characters")
        return value


def _decoded(value: object) -> object:
    """Returns the bytes of a text in base64."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise PydanticCustomError("base64", "is not base64; send the bytes of an audio file in base64") from None


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


class RecordingBody(RequestModel):
    """A recording of a person who speaks: either audio or name."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["audio"]}, {"required": ["name"]}]})

    audio: Annotated[bytes, BeforeValidator(_decoded), WithJsonSchema({"type": "string", "format": "byte"})] = b""
    """An audio file in base64: 3 to 30 s of one person's speech as WAV, FLAC, MP3, Ogg, MP4 or WebM."""
    name: str = ""
    """The name of a recording that the server has."""
    transcript: str = ""
    """The words in the audio, if they are known."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if len({"audio", "name"} & self.model_fields_set) != 1:
            raise ValueError('requires either "audio" or "name"')
        return self

    def record(self) -> Recording:
        """Returns the record for the backend."""
        return Recording(self.audio, self.name, self.transcript)


class _OptionMembers(RequestModel):
    """How a text is synthesized; every member is optional."""

    def options(self) -> SpeechOptions:
        """Returns the options for the backend."""
        members = {name: getattr(self, _member(name)) for name in _settings_options()}
        members["pronunciations"] = [one.record() for one in members["pronunciations"]]
        for name in RECORDINGS:
            members[name] = members[name] and members[name].record()
        return cast("SpeechOptions", members)


def _settings_options() -> Mapping[str, Option]:
    """Returns the options that are members of a request: all but the document, which stands beside the text."""
    return {name: option for name, option in option_specs().items() if name != "ssml"}


def _member(name: str) -> str:
    """Returns the JSON member of an option."""
    return "timings" if name == "timing_types" else name


def _field(option: Option, hint: object) -> tuple[object, object]:
    """Returns the strict JSON type of an option, and its default with the description for the OpenAPI document."""
    json_type = _JSON_TYPES.get(hint, hint)
    if option.minimum is not None:
        integer = Annotated[int, Field(ge=option.minimum, le=option.maximum or INT32_MAX)]
        json_type = integer if hint is int else integer | None
    if json_type == dict[str, Ratio]:
        return json_type, Field(default_factory=dict, description=option.doc)
    default = [] if option.default == () else option.default
    return json_type, Field(default=default, description=option.doc)


_JSON_TYPES: Final[Mapping[object, object]] = {
    float: Ratio,
    float | None: Ratio | None,
    Mapping[str, float]: dict[str, Ratio],
    Encoding: Annotated[Encoding, Field(strict=False)],
    Sequence[Pronunciation]: list[PronunciationBody],
    Recording | None: RecordingBody | None,
    Collection[TimingType]: list[Annotated[TimingType, Field(strict=False)]],
    TextFormat: Annotated[TextFormat, Field(strict=False)],
    UnpronounceableText: Annotated[UnpronounceableText, Field(strict=False)],
}

if TYPE_CHECKING:

    class SpeechSettings(_OptionMembers):
        """The members that this package reads by name; the others come from the list of options."""

        timings: list[TimingType]

else:
    _HINTS = get_type_hints(SpeechOptions)
    SpeechSettings = create_model(
        "SpeechSettings",
        __base__=_OptionMembers,
        __doc__=_OptionMembers.__doc__,
        **{_member(name): _field(option, _HINTS[name]) for name, option in _settings_options().items()},
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
        options = super().options()
        options["ssml"] = self.ssml
        return options


def _member_error(field: str, message: str) -> PydanticCustomError:
    """Returns the error of a member that conflicts with others; validation_errors.py reads its name."""
    return PydanticCustomError("member", "{message}", {"message": message, "field": field})


class LegacyBody(RequestModel):
    """The request body of an older web page."""

    text: str
    """Text to synthesize."""
    speaker_id: str | None = None
    """Voice id, voice:speaker, or a mixture such as af_bella(2)+af_sky."""
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
