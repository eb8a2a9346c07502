"""Resolves each field of a request, or raises an error that names it. `resolver.py` combines the fields.

The ranges are those of the contract, protos/phonoscope/tts/v1/tts.proto.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody, mixed
from phonoscope.server.messages import shown
from phonoscope.server.text.ipa_symbols import UnknownSymbol, known_ipa
from phonoscope.server.text.lexicon import BadPronunciation, Lexicon
from phonoscope.server.types import (
    TEXT_FORMATS,
    TIMING_TYPES,
    UNPRONOUNCEABLE_TEXTS,
    Encoding,
    SpeechRequest,
    TextFormat,
    TimingType,
    UnpronounceableText,
    Voice,
)

T = TypeVar("T", bound=str)

MAX_PRONUNCIATIONS: Final = 1_000
SPEED_RANGE: Final = (0.25, 4.0)
PITCH_RANGE: Final = (0.5, 2.0)
SAMPLE_RATE_RANGE_HZ: Final = (8_000, 48_000)
VOLUME_GAIN_RANGE_DB: Final = (-96.0, 16.0)
LONGEST_REQUEST_ID: Final = 128
INTENSITY_RANGE: Final = (0.0, 1.0)
WEIGHT_RANGE: Final = (0.0, 1.0)
NEUTRAL_NAME: Final = "neutral"
AUTO_NAME: Final = "auto"
# A sum of 32-bit floats may exceed 1 by rounding.
MAX_WEIGHT: Final = 1.0 + 1e-5

# Their decoders add a delay that no stream can declare.
WITHOUT_TIMINGS: Final = frozenset({Encoding.MP3, Encoding.AAC})
_ENCODING_NAMES: Final = frozenset(encoding.value for encoding in Encoding)


def own_lexicon(request: SpeechRequest, voice: Voice, server: Lexicon) -> Lexicon:
    """Returns the request's own pronunciations, followed by the server's."""
    if (count := len(request.pronunciations)) > MAX_PRONUNCIATIONS:
        raise _no_pronunciation("", f"has {count} entries; send at most {MAX_PRONUNCIATIONS}")
    try:
        for index, given in enumerate(request.pronunciations):
            if given.ipa:
                _check_ipa(index, given.ipa, voice)
        return Lexicon.of(request.pronunciations, below=server)
    except BadPronunciation as bad:
        raise _no_pronunciation(f"[{bad.index}].{bad.part}", bad.fault) from None


def _check_ipa(index: int, ipa: str, voice: Voice) -> None:
    try:
        known_ipa(ipa, voice)
    except UnknownSymbol as fault:
        raise BadPronunciation(index, "ipa", str(fault)) from None


def _no_pronunciation(where: str, fault: str) -> InvalidRequest:
    return InvalidRequest.of(f"pronunciations{where}", fault, reason="PRONUNCIATION_INVALID")


def timing_types(request: SpeechRequest, encoding: Encoding) -> frozenset[TimingType]:
    """Returns the requested types of timings."""
    known = frozenset(kind for kind in TIMING_TYPES if kind in request.timing_types)
    if unknown := [kind for kind in request.timing_types if kind not in TIMING_TYPES]:
        names = ", ".join(kind.upper() for kind in TIMING_TYPES)
        description = f"{shown(unknown[0])} is unknown; use one or more of {names}"
        raise InvalidRequest.of("timing_types", description, reason="TIMING_TYPE_UNKNOWN")
    if known and encoding in WITHOUT_TIMINGS:
        description = (
            f"are not supported with {encoding.name}, whose decoders add a delay that the stream cannot declare; use "
            "another audio_config.encoding, such as OGG_OPUS, or leave timing_types empty"
        )
        raise InvalidRequest.of("timing_types", description, reason="TIMINGS_NOT_CARRIED")
    return known


def text_format(request: SpeechRequest) -> TextFormat:
    """Returns how the text is written."""
    known = _one_of("text_format", request.text_format or "plain", TEXT_FORMATS, "TEXT_FORMAT_", "TEXT_FORMAT_UNKNOWN")
    if known != "plain" and request.ssml:
        description = (
            f"{known} cannot be combined with ssml; send the text in the field text, or leave text_format unset"
        )
        raise InvalidRequest.of("text_format", description, reason="TEXT_FORMAT_OF_SSML")
    return known


def unpronounceable_text(request: SpeechRequest) -> UnpronounceableText:
    """Returns what a text with nothing to pronounce is answered with."""
    given = request.unpronounceable_text or "error"
    return _one_of(
        "unpronounceable_text", given, UNPRONOUNCEABLE_TEXTS, "UNPRONOUNCEABLE_TEXT_", "UNPRONOUNCEABLE_TEXT_UNKNOWN"
    )


def _one_of(field: str, given: str, known: Sequence[T], prefix: str, reason: str) -> T:
    """Returns the known value that is given; `prefix` is that of the values' names in the contract."""
    for value in known:
        if value == given:
            return value
    names = ", ".join(f"{prefix}{value.upper()}" for value in known)
    raise InvalidRequest.of(field, f"{shown(given)} is unknown; use one of {names}", reason=reason)


def speed(request: SpeechRequest) -> float:
    """Returns the rate of speech, as a ratio."""
    return _ratio("speed", request.speed, SPEED_RANGE, reason="SPEED_OUT_OF_RANGE")


def pitch(request: SpeechRequest) -> float:
    """Returns the pitch, as a ratio."""
    return _ratio("pitch", request.pitch, PITCH_RANGE, reason="PITCH_OUT_OF_RANGE")


def _ratio(field: str, value: float, limits: tuple[float, float], *, reason: str) -> float:
    """Returns the ratio; 1.0 for an absent field (0)."""
    if value == 0:
        return 1.0
    return _within(field, value, limits, reason=reason)


def _within(field: str, value: float, limits: tuple[float, float], *, reason: str, key: str = "") -> float:
    """Returns a value after checking its limits; `key` is that of an entry of a map."""
    low, high = limits
    if not low <= value <= high:  # NaN fails too
        given = f"{shown(key)}: {value:g}" if key else f"{value:g}"
        raise InvalidRequest.of(field, f"{given} is out of range; use {low:g} to {high:g}", reason=reason)
    return value


def prosody(weights: Mapping[str, float], intensity: float) -> Prosody:
    """Returns the prosody for emotions of these weights."""
    scaled = {name: weight * intensity for name, weight in weights.items() if name != NEUTRAL_NAME}
    return mixed(scaled) if any(scaled.values()) else NEUTRAL


def emotion_weights(request: SpeechRequest) -> Mapping[str, float]:
    """Returns the weights of emotions by name, in lower case."""
    if not request.emotion_weights:
        if emotion_is_auto(request):
            return {}
        return {_emotion_name("emotion", request.emotion): 1.0} if request.emotion else {}
    if request.emotion:
        raise InvalidRequest.of(
            "emotion", "cannot be combined with emotion_weights; send one of the two", reason="EMOTION_TWICE"
        )
    weights: dict[str, float] = {}
    for given, weight in request.emotion_weights.items():
        name = _emotion_name("emotion_weights", given)
        if name in weights:
            description = f"{shown(given)} is a duplicate (case is ignored); send each emotion once"
            raise InvalidRequest.of("emotion_weights", description, reason="EMOTION_WEIGHTS_INVALID")
        weights[name] = _within("emotion_weights", weight, WEIGHT_RANGE, reason="EMOTION_WEIGHTS_INVALID", key=name)
    if (total := sum(weights.values())) > MAX_WEIGHT:
        description = f"the weights add up to {total:g}; use a sum of at most 1"
        raise InvalidRequest.of("emotion_weights", description, reason="EMOTION_WEIGHTS_INVALID")
    return weights


def emotion_is_auto(request: SpeechRequest) -> bool:
    """Whether the emotion of each sentence is to be found by the emotion service."""
    return request.emotion.lower() == AUTO_NAME


def _emotion_name(field: str, given: str) -> str:
    name = given.lower()
    if name not in EMOTIONS and name != NEUTRAL_NAME:
        names = (NEUTRAL_NAME, *EMOTIONS) if field == "emotion_weights" else (AUTO_NAME, NEUTRAL_NAME, *EMOTIONS)
        known = ", ".join(names)
        raise InvalidRequest.of(field, f"{shown(given)} is unknown; use one of {known}", reason="EMOTION_UNKNOWN")
    return name


def emotion_intensity(request: SpeechRequest) -> float:
    """Returns the intensity of the emotions, 0 to 1."""
    intensity = 1.0 if request.emotion_intensity is None else request.emotion_intensity
    reason = "EMOTION_INTENSITY_OUT_OF_RANGE"
    return _within("emotion_intensity", intensity, INTENSITY_RANGE, reason=reason)


def encoding(request: SpeechRequest) -> Encoding:
    """Returns the encoding."""
    if not request.encoding:
        return Encoding.LINEAR16
    try:
        return Encoding(request.encoding)
    except ValueError:
        supported = ", ".join(encoding.name for encoding in Encoding)
        raise InvalidRequest.of(
            "audio_config.encoding",
            f"{shown(request.encoding)} is unknown; use one of {supported}",
            reason="ENCODING_UNKNOWN",
        ) from None


def sample_rate(request: SpeechRequest) -> int:
    """Returns the sample rate in hertz, 0 for the one that suits the voice."""
    low, high = SAMPLE_RATE_RANGE_HZ
    if request.sample_rate_hz and not low <= request.sample_rate_hz <= high:
        raise InvalidRequest.of(
            "audio_config.sample_rate_hertz",
            f"{request.sample_rate_hz} is out of range; use {low} to {high}, or 0 for the voice's own rate",
            reason="SAMPLE_RATE_OUT_OF_RANGE",
        )
    codec = CODECS.get(Encoding(request.encoding)) if request.encoding in _ENCODING_NAMES else None
    if request.sample_rate_hz and codec and codec.rates_hz and request.sample_rate_hz not in codec.rates_hz:
        raise InvalidRequest.of(
            "audio_config.sample_rate_hertz",
            f"{request.sample_rate_hz} is not supported by {request.encoding.upper()}; use one of "
            f"{', '.join(str(rate) for rate in codec.rates_hz)}, or 0 for the one that suits the voice",
            reason="SAMPLE_RATE_OUT_OF_RANGE",
        )
    return request.sample_rate_hz


def own_rate(voice: Voice, encoding: Encoding) -> int:
    """Returns the voice's own rate, or the encoding's rate that suits it."""
    codec = CODECS.get(encoding)
    return voice.sample_rate_hz if codec is None else codec.rate_for(voice.sample_rate_hz)


def volume_gain(request: SpeechRequest) -> float:
    """Returns the gain in decibels."""
    field, reason = "audio_config.volume_gain_db", "VOLUME_GAIN_OUT_OF_RANGE"
    return _within(field, request.volume_gain_db, VOLUME_GAIN_RANGE_DB, reason=reason)


def accepted_request_id(given: str) -> str:
    """Returns the caller's id if it is valid, and a generated one otherwise."""
    return given if given and _is_request_id(given) else secrets.token_hex(8)


def _is_request_id(given: str) -> bool:
    return len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()


def request_id(request: SpeechRequest) -> str:
    """Returns the request's id, or a generated one."""
    given = request.request_id
    if not given:
        return secrets.token_hex(8)
    if not _is_request_id(given):
        raise InvalidRequest.of(
            "request_id",
            f"is not valid; use at most {LONGEST_REQUEST_ID} characters, all of them printable ASCII",
            reason="REQUEST_ID_INVALID",
        )
    return given
