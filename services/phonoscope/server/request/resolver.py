"""Resolves a caller's request, or raises an error that names every invalid field.

Called by `speech/synthesizer.py` before anything else; `fields.py` checks each field.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from phonoscope.common.errors import InvalidRequest, NotServed
from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import BYTES_PER_SAMPLE
from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.messages import other_voices
from phonoscope.server.request import fields
from phonoscope.server.request.references import References
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.text.lexicon import EMPTY, Lexicon
from phonoscope.server.text.markdown.document import read_markdown
from phonoscope.server.text.passage import Passage, Script
from phonoscope.server.text.ssml.document import read_document
from phonoscope.server.types import (
    Encoding,
    Recording,
    SpeechRequest,
    TextFormat,
    TimingType,
    UnpronounceableText,
    Voice,
)

LONGEST_SSML_RATIO: Final = 8
# Approximate duration of an English character at speed 1, for admission before exact lengths are known.
SECONDS_PER_CHARACTER: Final = 0.065
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """A fully resolved request: every default applied, every name looked up.

    Attributes:
        source: the text or document, as received; offsets count its characters.
        source_field: the field that contained it.
        script: the parts of it to speak.
        speed, pitch, volume_gain_db: of the request's own voice, including the effect of its emotions.
        prosody: of the emotions alone, for voices that render them by prosody.
        emotion_weights, emotion_intensity: as requested, for voices that render emotions natively.
        emotion_is_auto: whether each sentence's emotion is to be found; prosody is neutral, weights are empty then.
        lexicons: pronunciations, by the language of the speaking voice.
        timing_types: timings to return with the audio.
        text_format: how the source is written, unless it is a document.
        unpronounceable_text: what a text with nothing to pronounce is answered with.
        emotion_reference: the recording whose emotion its voices speak with.
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
    lexicons: Mapping[str, Lexicon] = field(default_factory=dict)
    timing_types: frozenset[TimingType] = frozenset()
    source_field: str = "text"
    emotion_weights: Mapping[str, float] = field(default_factory=dict)
    emotion_intensity: float = 1.0
    emotion_is_auto: bool = False
    text_format: TextFormat = "plain"
    unpronounceable_text: UnpronounceableText = "error"
    emotion_reference: Recording | None = None

    @property
    def has_emotion(self) -> bool:
        """Whether any emotion but neutral is requested."""
        is_named = any(name != fields.NEUTRAL_NAME and weight for name, weight in self.emotion_weights.items())
        return (is_named or self.emotion_is_auto) and bool(self.emotion_intensity)

    def prosody_of(self, voice: Voice) -> Prosody:
        """Returns the emotions' prosody for a voice: neutral if the engine renders them natively."""
        return NEUTRAL if voice.emotion_rendering == "native" else self.prosody

    def prosody_of_sentence(self, voice: Voice, weights: Mapping[str, float]) -> Prosody:
        """Returns the prosody of a sentence whose emotion was found, in addition to `prosody_of`."""
        is_native = voice.emotion_rendering == "native"
        return NEUTRAL if is_native else fields.prosody(weights, self.emotion_intensity)

    def speed_of(self, voice: Voice) -> float:
        """Returns the speed at which a voice speaks."""
        own, other = self.prosody_of(self.voice), self.prosody_of(voice)
        return self.speed if other is own else self.speed * other.rate / own.rate

    def pitch_of(self, voice: Voice) -> float:
        """Returns the pitch at which a voice speaks, as a ratio to its own."""
        own, other = self.prosody_of(self.voice), self.prosody_of(voice)
        return self.pitch if other is own else self.pitch * other.pitch / own.pitch

    @property
    def bytes_per_second(self) -> int:
        """Bytes per second of its audio."""
        codec = CODECS.get(self.encoding)
        if codec is None:
            return self.sample_rate_hz * BYTES_PER_SAMPLE
        return codec.bytes_per_second(self.sample_rate_hz)

    @property
    def speaker_id(self) -> str:
        """The voice, or voice:speaker, as a caller would request it again."""
        return speaker_name(self.voice, self.speaker)

    def lexicon(self, voice: Voice) -> Lexicon:
        """Returns the pronunciations for a voice."""
        return self.lexicons.get(voice.language, EMPTY)

    def seconds(self, characters: float) -> float:
        """Returns the approximate duration of this many spoken characters."""
        return characters * SECONDS_PER_CHARACTER / self.speed

    def too_large(self, audio_seconds: float, max_bytes: int) -> InvalidRequest:
        """Returns the error for a unary reply whose audio is at least this long."""
        size = audio_seconds * self.bytes_per_second
        return InvalidRequest.of(
            self.source_field,
            f"results in at least {audio_seconds:.0f} s of audio, {size / 2**20:.1f} MiB as {self.encoding.name} at "
            f"{self.sample_rate_hz} Hz; the maximum of a unary response is {max_bytes / 2**20:.1f} MiB; call "
            "SynthesizeStream with the same request, or send less text",
            reason="REPLY_TOO_LARGE",
        )

    @property
    def changes_pitch(self) -> bool:
        """Whether any of it is spoken at a pitch other than the voice's own."""
        voices = [voice for voice, _ in self.speakers]
        is_changed = self.script.has_pitch or self._changes_range
        return is_changed or any(self.pitch_of(voice) != 1.0 for voice in voices)

    @property
    def needs_speaker_pitch(self) -> bool:
        """Whether it cannot be spoken before the speakers' own pitch is known."""
        return self.script.has_hertz or self._changes_range

    @property
    def _changes_range(self) -> bool:
        return self.may_change_prosody or any(self.prosody_of(voice).pitch_range != 1.0 for voice, _ in self.speakers)

    @property
    def may_change_prosody(self) -> bool:
        """Whether emotions that are yet to be found may change rate, pitch and loudness."""
        if not (self.emotion_is_auto and self.emotion_intensity):
            return False
        return any(voice.emotion_rendering == "prosody" for voice, _ in self.speakers)

    @property
    def speakers(self) -> list[tuple[Voice, int]]:
        """All its speakers."""
        others = ((one.voice, one.speaker) for one in self.script.passages if one.voice is not None)
        return list(dict.fromkeys([(self.voice, self.speaker), *others]))


def speaker_name(voice: Voice, speaker: int) -> str:
    """Returns a voice, or voice:speaker, as a caller would request it."""
    return f"{voice.id}:{voice.speakers[speaker]}" if voice.speakers else voice.id


class RequestResolver:
    """Checks requests against the loaded voices and the server's limits.

    Args:
        voices: the loaded voices, the default first.
        server_lexicon: the server's own entries for a language.
        max_characters: longest text served.
        skips_unsupported_ssml: whether to skip unsupported parts of a document.
        finds_emotions: whether an emotion service is there to be asked.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        server_lexicon: Callable[[str], Lexicon] = lambda _language: EMPTY,
        *,
        max_characters: int,
        skips_unsupported_ssml: bool = False,
        finds_emotions: bool = False,
    ) -> None:
        self._voices = tuple(voices)
        self._choice = VoiceChoice(voices)
        self._references = References(voices, self._choice)
        self._server_lexicon = server_lexicon
        self._max_characters = max_characters
        self._skips_unsupported_ssml = skips_unsupported_ssml
        self._finds_emotions = finds_emotions

    def resolve(self, request: SpeechRequest, *, in_pieces: bool = False) -> ResolvedRequest:
        """Returns the fully resolved request.

        Args:
            request: as received.
            in_pieces: its text arrives later, and must be absent here.

        Raises:
            InvalidRequest: with a violation for every invalid field.
            NotServed: the fields are valid, but a voice does not support what one of them requests.
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
        encoding = checked(fields.encoding, Encoding.LINEAR16)
        no_weights: Mapping[str, float] = {}
        weights = checked(fields.emotion_weights, no_weights)
        intensity = checked(fields.emotion_intensity, 1.0)
        prosody = fields.prosody(weights, intensity)
        own = NEUTRAL if voice.emotion_rendering == "native" else prosody
        text_format: TextFormat = checked(fields.text_format, "plain")
        script = checked(lambda asked: self._script(asked, source, text_format, voice), Script(()))
        speaking = {one.voice.language for one in script.passages if one.voice is not None} | {voice.language}
        resolved = ResolvedRequest(
            source=source,
            script=script,
            voice=voice,
            speaker=speaker,
            speed=checked(fields.speed, 1.0) * own.rate,
            pitch=checked(fields.pitch, 1.0) * own.pitch,
            encoding=encoding,
            sample_rate_hz=checked(fields.sample_rate, 0) or fields.own_rate(voice, encoding),
            volume_gain_db=checked(fields.volume_gain, 0.0) + own.gain_db,
            seed=secrets.randbits(64) if request.seed is None else request.seed,
            request_id=checked(fields.request_id, ""),
            prosody=prosody,
            lexicons=checked(lambda asked: self._lexicons(asked, voice, speaking), {}),
            timing_types=checked(lambda asked: fields.timing_types(asked, encoding), frozenset()),
            source_field="ssml" if request.ssml else "text",
            emotion_weights=weights,
            emotion_intensity=intensity,
            emotion_is_auto=fields.emotion_is_auto(request),
            text_format=text_format,
            unpronounceable_text=checked(fields.unpronounceable_text, "error"),
        )
        checked(lambda asked: self._references.check(asked, [one for one, _ in resolved.speakers]), None)
        if faults:
            raise InvalidRequest.joined(faults)
        self._references.check_served(request, resolved.speakers)
        self._check_served(resolved)
        return resolved

    def _check_served(self, resolved: ResolvedRequest) -> None:
        """Raises InvalidRequest or NotServed if the server, or a voice, does not support what is requested."""
        if resolved.emotion_is_auto and not self._finds_emotions:
            raise NotServed(
                "emotion: auto needs the emotion service, and this server has none; name an emotion, or start the "
                "service (phonoscope emotion) and set the server's --emotion-address",
                reason="EMOTION_AUTO_NOT_SERVED",
            )
        voices = [voice for voice, _ in resolved.speakers]
        if slow := [one for one in voices if resolved.speed_of(one) > one.max_speed]:
            low, high = fields.SPEED_RANGE[0], slow[0].max_speed
            description = f"{resolved.speed:g} is out of range for {slow[0].id}; use {low:g} to {high:g}"
            raise InvalidRequest.of("speed", description, reason="SPEED_OUT_OF_RANGE")
        if resolved.has_emotion and (unable := [one for one in voices if one.emotion_rendering == "none"]):
            able = [one.id for one in self._voices if one.emotion_rendering != "none"]
            raise NotServed(
                f"{unable[0].id} does not support emotions; remove them, or {other_voices(able)}",
                reason="EMOTION_NOT_SERVED",
            )
        if resolved.timing_types and (unable := [one for one in voices if not one.has_timings]):
            able = [one.id for one in self._voices if one.has_timings]
            raise NotServed(
                f"{unable[0].id} does not support timings; leave timing_types empty, or {other_voices(able)}",
                reason="TIMINGS_NOT_SERVED",
            )

    def check_length(self, characters: int, field: str = "text") -> None:
        """Raises InvalidRequest for a text that exceeds the maximum length."""
        if characters > self._max_characters:
            raise InvalidRequest.of(
                field,
                f"has {characters} characters; the maximum is {self._max_characters}; send several requests",
                reason="TEXT_TOO_LONG",
            )

    def _source(self, request: SpeechRequest) -> str:
        """Returns the text or the document."""
        if request.ssml:
            if request.text:
                description = "cannot be combined with text; send one of the two"
                raise InvalidRequest.of("ssml", description, reason="TEXT_TWICE")
            maximum = LONGEST_SSML_RATIO * self._max_characters
            if len(request.ssml) > maximum:
                description = f"has {len(request.ssml)} characters; the maximum is {maximum}; send several requests"
                raise InvalidRequest.of("ssml", description, reason="TEXT_TOO_LONG")
            return request.ssml
        is_silence = request.text and request.unpronounceable_text == "silence"
        if not request.text.strip() and not is_silence:
            raise InvalidRequest.of("text", "is empty; send at least one word, or ssml", reason="TEXT_EMPTY")
        self.check_length(len(request.text))
        return request.text

    def _lexicons(self, request: SpeechRequest, voice: Voice, languages: Collection[str]) -> Mapping[str, Lexicon]:
        """Returns each language's pronunciations: the request's own first, then the server's."""
        known = {name: fields.own_lexicon(request, voice, self._server_lexicon(name)) for name in languages}
        return {name: lexicon for name, lexicon in known.items() if lexicon.size}

    def _voice(self, request: SpeechRequest) -> tuple[Voice, int]:
        return self._references.voice_of(request)

    def _script(self, request: SpeechRequest, source: str, text_format: TextFormat, voice: Voice) -> Script:
        if not source:
            return Script(())
        if not request.ssml:
            return read_markdown(source) if text_format == "markdown" else Script((Passage(source),))
        skips = self._skips_unsupported_ssml
        script = read_document(source, voice, self._choice, skips_unsupported=skips)
        self.check_length(script.characters, "ssml")
        return script


def _no_text(request: SpeechRequest) -> str:
    if request.text or request.ssml:
        field = "settings.text" if request.text else "settings.ssml"
        raise InvalidRequest.of(
            field, "must be empty; send plain text in the messages after the settings", reason="TEXT_IN_SETTINGS"
        )
    return ""
