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
from phonoscope.server.messages import shown
from phonoscope.server.text.ipa_symbols import UnknownSymbol
from phonoscope.server.text.lexicon import EMPTY, BadPronunciation, Lexicon
from phonoscope.server.text.passage import Passage, Script
from phonoscope.server.text.ssml.document import known_ipa, read_document
from phonoscope.server.types import TIMING_TYPES, Encoding, SpeechRequest, TimingType, Voice
from phonoscope.server.voice_choice import VoiceChoice

LONGEST_SSML_RATIO: Final = 8
MOST_PRONUNCIATIONS: Final = 1_000
SPEED_RANGE: Final = (0.25, 4.0)
PITCH_RANGE: Final = (0.5, 2.0)
SAMPLE_RATE_RANGE_HZ: Final = (8_000, 48_000)
VOLUME_GAIN_RANGE_DB: Final = (-96.0, 16.0)
LONGEST_REQUEST_ID: Final = 128
INTENSITY_RANGE: Final = (0.0, 1.0)
WEIGHT_RANGE: Final = (0.0, 1.0)
NEUTRAL_NAME: Final = "neutral"
# A sum of 32-bit floats may pass one by its rounding.
MOST_WEIGHT: Final = 1.0 + 1e-5

# Whose decoders add a delay of their own that no stream can state.
WITHOUT_TIMINGS: Final = frozenset({Encoding.MP3, Encoding.AAC})
_ENCODING_NAMES: Final = frozenset(encoding.value for encoding in Encoding)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """A request with nothing left open: every default applied, every name looked up.

    Attributes:
        source: the text or document, as it came; offsets count its characters.
        script: what of it is said.
        speed, pitch, volume_gain_db: asked for, those of the emotions included.
        prosody: of the emotions alone.
        lexicon: how words are said.
        timing_types: what to tell of, besides the audio.
    """

    source: str
    script: Script
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
    lexicon: Lexicon = EMPTY
    timing_types: frozenset[TimingType] = frozenset()

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
        return speaker_name(self.voice, self.speaker)

    @property
    def changes_pitch(self) -> bool:
        """Whether any of it is said at another pitch than the voice's own."""
        return self.pitch != 1.0 or self.prosody.pitch_range != 1.0 or self.script.has_pitch

    @property
    def speakers(self) -> list[tuple[Voice, int]]:
        """Everybody who speaks in it."""
        others = ((one.voice, one.speaker) for one in self.script.passages if one.voice is not None)
        return list(dict.fromkeys([(self.voice, self.speaker), *others]))


def speaker_name(voice: Voice, speaker: int) -> str:
    """Returns a voice, or voice:speaker, as a caller would ask for it."""
    return f"{voice.id}:{voice.speakers[speaker]}" if voice.speakers else voice.id


class RequestResolver:
    """Checks requests against the loaded voices and the server's limits.

    Args:
        voices: the loaded voices, the default first.
        most_characters: longest text served.
        skips_unsupported_ssml: whether to pass over what a document has that is not served.
    """

    def __init__(self, voices: Sequence[Voice], *, most_characters: int, skips_unsupported_ssml: bool = False) -> None:
        self._choice = VoiceChoice(voices)
        self._most_characters = most_characters
        self._skips_unsupported_ssml = skips_unsupported_ssml

    def resolve(self, request: SpeechRequest, lexicon: Lexicon = EMPTY, *, in_pieces: bool = False) -> ResolvedRequest:
        """Returns the request with nothing left open.

        Args:
            request: as it came.
            lexicon: of the server.
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

        source = checked(_no_text if in_pieces else self._source, "")
        voice, speaker = checked(self._voice, (self._choice.default, 0))
        encoding = checked(_encoding, Encoding.LINEAR16)
        prosody = checked(_prosody, NEUTRAL)
        resolved = ResolvedRequest(
            source=source,
            script=checked(lambda asked: self._script(asked, source, voice), Script(())),
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
            lexicon=checked(lambda asked: _lexicon(asked, voice, lexicon), EMPTY),
            timing_types=checked(lambda asked: _timing_types(asked, encoding), frozenset()),
        )
        if faults:
            raise _joined(faults)
        if prosody is not NEUTRAL and any(one.emotion_rendering == "none" for one, _ in resolved.speakers):
            raise NotServed(
                f"{voice.id} renders no emotions; leave them out, or send a voice that renders them: see ListVoices",
                reason="EMOTION_NOT_SERVED",
            )
        return resolved

    def check_length(self, characters: int, field: str = "text") -> None:
        """Raises InvalidRequest for a text of more characters than are served."""
        if characters > self._most_characters:
            raise InvalidRequest.of(
                field,
                f"has {characters} characters, the limit is {self._most_characters}; send it in parts",
                reason="TEXT_TOO_LONG",
            )

    def _source(self, request: SpeechRequest) -> str:
        """Returns the text or the document."""
        if request.ssml:
            if request.text:
                raise InvalidRequest.of("ssml", "is there beside text; send one of the two", reason="TEXT_TWICE")
            most = LONGEST_SSML_RATIO * self._most_characters
            if len(request.ssml) > most:
                description = f"has {len(request.ssml)} characters, the limit is {most}; send it in parts"
                raise InvalidRequest.of("ssml", description, reason="TEXT_TOO_LONG")
            return request.ssml
        if not request.text.strip():
            raise InvalidRequest.of("text", "is empty; send at least one word, or ssml", reason="TEXT_EMPTY")
        self.check_length(len(request.text))
        return request.text

    def _voice(self, request: SpeechRequest) -> tuple[Voice, int]:
        return self._choice.asked(request.speaker_id, request.language, request.text)

    def _script(self, request: SpeechRequest, source: str, voice: Voice) -> Script:
        if not source:
            return Script(())
        if not request.ssml:
            return Script((Passage(source),))
        skips = self._skips_unsupported_ssml
        script = read_document(source, voice, self._choice, skips_unsupported=skips)
        self.check_length(script.characters, "ssml")
        return script


def _no_text(request: SpeechRequest) -> str:
    if request.text or request.ssml:
        field = "settings.text" if request.text else "settings.ssml"
        raise InvalidRequest.of(
            field, "must be empty; send plain text in messages of its own, after it", reason="TEXT_IN_SETTINGS"
        )
    return ""


def _lexicon(request: SpeechRequest, voice: Voice, server: Lexicon) -> Lexicon:
    """Returns the request's own pronunciations, in front of the server's."""
    if (count := len(request.pronunciations)) > MOST_PRONUNCIATIONS:
        raise _no_pronunciation("", f"has {count} entries; send at most {MOST_PRONUNCIATIONS}")
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


def _timing_types(request: SpeechRequest, encoding: Encoding) -> frozenset[TimingType]:
    known = frozenset(kind for kind in TIMING_TYPES if kind in request.timing_types)
    if unknown := [kind for kind in request.timing_types if kind not in TIMING_TYPES]:
        description = f"{shown(unknown[0])} is unknown; send {', '.join(kind.upper() for kind in TIMING_TYPES)}"
        raise InvalidRequest.of("timing_types", description, reason="TIMING_TYPE_UNKNOWN")
    if known and encoding in WITHOUT_TIMINGS:
        description = (
            f"cannot go with {encoding.name}, whose stream begins with a delay that it cannot state; send another "
            "audio_config.encoding, such as OGG_OPUS, or no timing_types"
        )
        raise InvalidRequest.of("timing_types", description, reason="TIMINGS_NOT_CARRIED")
    return known


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
            raise InvalidRequest.of("emotion_weights", f"has {shown(given)} twice", reason="EMOTION_WEIGHTS_INVALID")
        advice = f"for {shown(name)}: send {{:g}} to {{:g}}"
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
        raise InvalidRequest.of(field, f"{shown(given)} is unknown; emotions: {known}", reason="EMOTION_UNKNOWN")
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
            f"{shown(request.encoding)} is unknown; encodings served: {served}",
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
