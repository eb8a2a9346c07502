"""What a caller asked for becomes what will be done, or a refusal that names every field at fault.

Called by ③ synthesizer before anything else. The ranges are those of the contract, protos/phonoscope/tts/v1/tts.proto.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from phonoscope.common.errors import FieldViolation, InvalidRequest, NotServed, ServiceError
from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import BYTES_PER_SAMPLE
from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody, mixed
from phonoscope.server.types import Encoding, SpeechRequest, Voice

SPEED_RANGE: Final = (0.25, 4.0)
PITCH_RANGE: Final = (0.5, 2.0)
SAMPLE_RATE_RANGE_HZ: Final = (8_000, 48_000)
VOLUME_GAIN_RANGE_DB: Final = (-96.0, 16.0)
LONGEST_REQUEST_ID: Final = 128
LONGEST_SPEAKER_NUMBER: Final = 9
MOST_NAMES_SHOWN: Final = 20
INTENSITY_RANGE: Final = (0.0, 1.0)
WEIGHT_RANGE: Final = (0.0, 1.0)
NEUTRAL_NAME: Final = "neutral"
# A sum of 32-bit floats may pass one by its rounding.
MOST_WEIGHT: Final = 1.0 + 1e-5

_ENCODING_NAMES: Final = frozenset(encoding.value for encoding in Encoding)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """A request with nothing left open: every default applied, every name looked up.

    Attributes:
        speed, pitch, volume_gain_db: asked for, those of the emotions included.
        prosody: of the emotions alone.
    """

    text: str
    voice: Voice
    speaker: int
    speed: float
    pitch: float
    encoding: Encoding
    sample_rate_hz: int
    volume_gain_db: float
    seed: int
    request_id: str
    prosody: Prosody = NEUTRAL

    @property
    def bytes_per_second(self) -> int:
        """How much a second of its audio takes."""
        codec = CODECS.get(self.encoding)
        if codec is None:
            return self.sample_rate_hz * BYTES_PER_SAMPLE
        return codec.bytes_per_second(self.sample_rate_hz)

    @property
    def speaker_id(self) -> str:
        """The voice, or voice:speaker, as a caller would ask for it again."""
        return f"{self.voice.id}:{self.voice.speakers[self.speaker]}" if self.voice.speakers else self.voice.id


class RequestResolver:
    """Checks requests against the loaded voices and the server's limits.

    Args:
        voices: the loaded voices, the default first.
        most_characters: longest text served.
    """

    def __init__(self, voices: Sequence[Voice], *, most_characters: int) -> None:
        self._voices = {voice.id: voice for voice in voices}
        self._default = voices[0]
        self._most_characters = most_characters

    def resolve(self, request: SpeechRequest, *, in_pieces: bool = False) -> ResolvedRequest:
        """Returns the request with nothing left open.

        Args:
            request: as it came.
            in_pieces: its text comes later, and must not be here.

        Raises:
            InvalidRequest: with a violation for every field at fault.
            NotServed: the fields are good, but the voice renders no emotions, and one is asked for.
        """
        faults: list[InvalidRequest] = []

        def checked(check: Callable[[SpeechRequest], T], otherwise: T) -> T:
            try:
                return check(request)
            except InvalidRequest as fault:
                faults.append(fault)
                return otherwise

        text = checked(_no_text if in_pieces else self._text, "")
        voice, speaker = checked(self._voice, (self._default, 0))
        encoding = checked(_encoding, Encoding.LINEAR16)
        prosody = checked(_prosody, NEUTRAL)
        resolved = ResolvedRequest(
            text=text,
            voice=voice,
            speaker=speaker,
            speed=checked(_speed, 1.0) * prosody.rate,
            pitch=checked(_pitch, 1.0) * prosody.pitch,
            encoding=encoding,
            sample_rate_hz=checked(_sample_rate, 0) or _own_rate(voice, encoding),
            volume_gain_db=checked(_volume_gain, 0.0) + prosody.gain_db,
            seed=secrets.randbits(64) if request.seed is None else request.seed,
            request_id=checked(_request_id, ""),
            prosody=prosody,
        )
        if faults:
            raise _joined(faults)
        if prosody is not NEUTRAL and voice.emotion_rendering == "none":
            raise NotServed(
                f"{voice.id} renders no emotions; leave them out, or send a voice that renders them: see ListVoices",
                reason="EMOTION_NOT_SERVED",
            )
        return resolved

    def check_length(self, characters: int) -> None:
        """Raises InvalidRequest for a text of more characters than are served."""
        if characters > self._most_characters:
            raise InvalidRequest.of(
                "text",
                f"has {characters} characters, the limit is {self._most_characters}; send it in parts",
                reason="TEXT_TOO_LONG",
            )

    def _text(self, request: SpeechRequest) -> str:
        if not request.text.strip():
            raise InvalidRequest.of("text", "is empty; send at least one word", reason="TEXT_EMPTY")
        self.check_length(len(request.text))
        return request.text

    def _voice(self, request: SpeechRequest) -> tuple[Voice, int]:
        if request.speaker_id in ("", "default"):
            voice = self._voice_of_language(request.language) if request.language else self._default
            return voice, voice.default_speaker
        name, _, speaker = request.speaker_id.partition(":")
        if (named := self._voices.get(name)) is None:
            raise InvalidRequest.of(
                "speaker_id",
                f"{_shown(name)} is not loaded; voices: {_listed(list(self._voices))}",
                reason="VOICE_UNKNOWN",
            )
        if request.language and not speaks(named, request.language):
            raise InvalidRequest.of(
                "language",
                f"{_shown(request.language)} is not the language of {named.id}, which speaks {named.language}; "
                "leave one of the two empty",
                reason="LANGUAGE_MISMATCH",
            )
        return named, _speaker_number(named, speaker)

    def _voice_of_language(self, language: str) -> Voice:
        for voice in self._voices.values():  # the default first
            if speaks(voice, language):
                return voice
        languages = sorted({voice.language for voice in self._voices.values()})
        raise InvalidRequest.of(
            "language",
            f"no loaded voice speaks {_shown(language)}; languages: {_listed(languages)}",
            reason="LANGUAGE_UNKNOWN",
        )


def speaks(voice: Voice, language: str) -> bool:
    """Whether a voice's language is the asked BCP 47 tag or a variety of it: "en" covers "en-US"."""
    asked = language.replace("_", "-").lower()
    own = voice.language.lower()
    return own == asked or own.startswith(asked + "-")


def _no_text(request: SpeechRequest) -> str:
    if request.text:
        raise InvalidRequest.of(
            "settings.text", "must be empty; send the text in messages of its own, after it", reason="TEXT_IN_SETTINGS"
        )
    return ""


def _speaker_number(voice: Voice, speaker: str) -> int:
    if not speaker:
        return voice.default_speaker
    if speaker in voice.speakers:
        return voice.speakers.index(speaker)
    if speaker.isascii() and speaker.isdecimal() and len(speaker) <= LONGEST_SPEAKER_NUMBER:
        number = int(speaker)
        if number < max(1, len(voice.speakers)):
            return number
    if not voice.speakers:
        raise InvalidRequest.of(
            "speaker_id",
            f"{voice.id} has one speaker and {_shown(speaker)} is not it; send {voice.id!r}",
            reason="SPEAKER_UNKNOWN",
        )
    raise InvalidRequest.of(
        "speaker_id",
        f"{voice.id} has no speaker {_shown(speaker)}; send a number from 0 to {len(voice.speakers) - 1}, or a name "
        "that ListVoices gives",
        reason="SPEAKER_UNKNOWN",
    )


def _speed(request: SpeechRequest) -> float:
    return _ratio("speed", request.speed, SPEED_RANGE, reason="SPEED_OUT_OF_RANGE")


def _pitch(request: SpeechRequest) -> float:
    return _ratio("pitch", request.pitch, PITCH_RANGE, reason="PITCH_OUT_OF_RANGE")


def _ratio(field: str, value: float, limits: tuple[float, float], *, reason: str) -> float:
    """Returns the ratio, 1.0 for the 0 of an absent field."""
    if value == 0:
        return 1.0
    return _within(field, value, limits, "send a ratio from {:g} to {:g}, 1 is neutral", reason=reason)


def _within(field: str, value: float, limits: tuple[float, float], advice: str, *, reason: str) -> float:
    """Returns a value within its limits; `advice` takes these."""
    low, high = limits
    if not low <= value <= high:  # NaN fails too
        raise InvalidRequest.of(field, f"is {value:g}; {advice.format(low, high)}", reason=reason)
    return value


def _prosody(request: SpeechRequest) -> Prosody:
    """Returns what the asked emotions make of the voice."""
    weights = _weights(request)
    intensity = _intensity(request)
    scaled = {name: weight * intensity for name, weight in weights.items() if name != NEUTRAL_NAME}
    return mixed(scaled) if any(scaled.values()) else NEUTRAL


def _weights(request: SpeechRequest) -> dict[str, float]:
    """Returns the asked emotions by name, in small letters."""
    if not request.emotion_weights:
        return {_emotion_name("emotion", request.emotion): 1.0} if request.emotion else {}
    if request.emotion:
        raise InvalidRequest.of(
            "emotion", "is there beside emotion_weights; send one of the two", reason="EMOTION_TWICE"
        )
    weights: dict[str, float] = {}
    for given, weight in request.emotion_weights.items():
        name = _emotion_name("emotion_weights", given)
        if name in weights:
            raise InvalidRequest.of("emotion_weights", f"has {_shown(given)} twice", reason="EMOTION_WEIGHTS_INVALID")
        advice = f"for {_shown(name)}: send {{:g}} to {{:g}}"
        weights[name] = _within("emotion_weights", weight, WEIGHT_RANGE, advice, reason="EMOTION_WEIGHTS_INVALID")
    if (total := sum(weights.values())) > MOST_WEIGHT:
        raise InvalidRequest.of(
            "emotion_weights", f"sum to {total:g}; send at most 1 in all", reason="EMOTION_WEIGHTS_INVALID"
        )
    return weights


def _emotion_name(field: str, given: str) -> str:
    name = given.lower()
    if name not in EMOTIONS and name != NEUTRAL_NAME:
        known = ", ".join((NEUTRAL_NAME, *EMOTIONS))
        raise InvalidRequest.of(field, f"{_shown(given)} is unknown; emotions: {known}", reason="EMOTION_UNKNOWN")
    return name


def _intensity(request: SpeechRequest) -> float:
    intensity = 1.0 if request.emotion_intensity is None else request.emotion_intensity
    reason = "EMOTION_INTENSITY_OUT_OF_RANGE"
    return _within("emotion_intensity", intensity, INTENSITY_RANGE, "send {:g} to {:g}", reason=reason)


def _encoding(request: SpeechRequest) -> Encoding:
    if not request.encoding:
        return Encoding.LINEAR16
    try:
        return Encoding(request.encoding)
    except ValueError:
        served = ", ".join(encoding.name for encoding in Encoding)
        raise InvalidRequest.of(
            "audio_config.encoding",
            f"{_shown(request.encoding)} is unknown; encodings served: {served}",
            reason="ENCODING_UNKNOWN",
        ) from None


def _sample_rate(request: SpeechRequest) -> int:
    low, high = SAMPLE_RATE_RANGE_HZ
    if request.sample_rate_hz and not low <= request.sample_rate_hz <= high:
        raise InvalidRequest.of(
            "audio_config.sample_rate_hertz",
            f"is {request.sample_rate_hz}; send {low} to {high}, or 0 for the voice's own rate",
            reason="SAMPLE_RATE_OUT_OF_RANGE",
        )
    codec = CODECS.get(Encoding(request.encoding)) if request.encoding in _ENCODING_NAMES else None
    if request.sample_rate_hz and codec and codec.rates_hz and request.sample_rate_hz not in codec.rates_hz:
        raise InvalidRequest.of(
            "audio_config.sample_rate_hertz",
            f"is {request.sample_rate_hz}, which {request.encoding.upper()} has not; send one of "
            f"{', '.join(str(rate) for rate in codec.rates_hz)}, or 0 for the one that suits the voice",
            reason="SAMPLE_RATE_OUT_OF_RANGE",
        )
    return request.sample_rate_hz


def _own_rate(voice: Voice, encoding: Encoding) -> int:
    """Returns the voice's own rate, or the one of the encoding's that suits it."""
    codec = CODECS.get(encoding)
    return voice.sample_rate_hz if codec is None else codec.rate_for(voice.sample_rate_hz)


def _volume_gain(request: SpeechRequest) -> float:
    field, reason = "audio_config.volume_gain_db", "VOLUME_GAIN_OUT_OF_RANGE"
    return _within(field, request.volume_gain_db, VOLUME_GAIN_RANGE_DB, "send {:g} to {:g} decibels", reason=reason)


def accepted_request_id(given: str) -> str:
    """Returns a caller's id where it is one, and one of our own otherwise."""
    return given if given and _is_request_id(given) else secrets.token_hex(8)


def _is_request_id(given: str) -> bool:
    return len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()


def _request_id(request: SpeechRequest) -> str:
    given = request.request_id
    if not given:
        return secrets.token_hex(8)
    if not _is_request_id(given):
        raise InvalidRequest.of(
            "request_id",
            f"has {len(given)} characters; send at most {LONGEST_REQUEST_ID} printable ASCII characters",
            reason="REQUEST_ID_INVALID",
        )
    return given


def _joined(faults: Sequence[InvalidRequest]) -> ServiceError:
    """Returns one error for all faults; its reason is the fault's own when there is one."""
    if len(faults) == 1:
        return faults[0]
    violations: list[FieldViolation] = [violation for fault in faults for violation in fault.violations]
    return InvalidRequest(violations, reason="SEVERAL_FIELDS")


def _shown(value: str) -> str:
    """Returns a caller's string as a message may hold it: quoted, escaped, not long."""
    return repr(value if len(value) <= 64 else value[:61] + "...")  # noqa: PLR2004  a screen's width


def _listed(names: Sequence[str]) -> str:
    """Returns the names as a message may hold them: the first few, and how many more there are."""
    more = len(names) - MOST_NAMES_SHOWN
    return ", ".join(names[:MOST_NAMES_SHOWN]) + (f" and {more} more, see ListVoices" if more > 0 else "")
