"""The data types of the inference service: what passes between its layers.

Frozen records only; no torch, no protobuf. `rpc/` makes a SpeechRequest, `request/` resolves it, `text/` and `speech/`
make Utterances, `scheduling/` and `engines/` turn these into samples, `audio/` turns samples into bytes.
"""

import enum
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

EmotionRendering = Literal["none", "prosody", "native"]
Gender = Literal["", "female", "male"]
GENDERS: Final[tuple[Gender, ...]] = get_args(Gender)
Mixture = tuple[tuple[str, int], ...]
"""Ids of loaded voices, each with its weight."""
ReferenceUse = Literal["none", "optional", "required"]


class Encoding(enum.Enum):
    """How samples become bytes; always one channel."""

    LINEAR16 = "linear16"
    WAV = "wav"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"
    MP3 = "mp3"
    AAC = "aac"
    MULAW = "mulaw"
    ALAW = "alaw"


@dataclass(frozen=True, slots=True)
class PhonemeScheme:
    """How a voice represents text as integers.

    Attributes:
        kind: "espeak" for IPA by espeak-ng, "text" for ids of the text's own characters, "plain" where the engine
            reads the text itself: `ids` is empty then, and so are the alphabets of the voice.
        espeak_voice: espeak-ng's name of the language, such as "en-us".
        ids: phoneme (one code point, or a cluster) to one or more ids; includes Piper's marks "_" (pad), "^" (begin of
            sentence) and "$" (end of sentence).
        clusters: sequences of phonemes that the voice treats as one, such as ("a", "ɪ").
        other_scripts: scripts that it reads besides those of its language, such as "Latin".
        reads_numbers: whether its phonemizer puts numbers into words itself.
    """

    kind: Literal["espeak", "text", "plain"]
    espeak_voice: str
    ids: Mapping[str, tuple[int, ...]] = field(hash=False)
    clusters: frozenset[tuple[str, ...]] = frozenset()
    other_scripts: frozenset[str] = frozenset()
    reads_numbers: bool = False

    @property
    def language(self) -> str:
        """The language without its region, such as "en"."""
        return self.espeak_voice.partition("-")[0].lower()


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording of a person, checked and prepared, for engines that speak like one. Make it with `Recording.of`.

    Attributes:
        samples: in [-1, 1], shape (n,), one channel, without silence at the ends; read-only.
        sample_rate_hz: of `samples`; the `reference_rate_hz` of the voice that gets it.
        transcript: the words of the recording; "" where they are unknown.
        digest: hexadecimal; equal for equal samples, rate and transcript. A key for what engines derive from it.
    """

    samples: NDArray[np.float32] = field(repr=False)
    sample_rate_hz: int
    transcript: str = field(repr=False)
    digest: str

    @classmethod
    def of(cls, samples: NDArray[np.float32], sample_rate_hz: int, transcript: str = "") -> Self:
        """Returns the recording of these samples, which become read-only."""
        own = np.ascontiguousarray(samples, np.float32)
        own.flags.writeable = False
        digest = hashlib.blake2b(own.data, digest_size=16)
        digest.update(f"{sample_rate_hz}:{transcript}".encode())
        return cls(own, sample_rate_hz, transcript, digest.hexdigest())

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that an engine has loaded, or a mixture of such voices.

    Attributes:
        id: unique name, such as "en_US-joe-medium".
        language: BCP 47 tag, such as "en-US".
        sample_rate_hz: the rate of the engine's samples.
        speakers: names by speaker number; empty for a voice of one speaker.
        default_speaker: number used when a request names none.
        engine: name of the engine, such as "vits".
        quality: as its publisher states it, such as "medium"; empty when unknown.
        precision: what its engine computes in; final once the engine is warm.
        emotion_rendering: "prosody" where emotions change rate, pitch and loudness, "native" where the engine renders
            them itself, "none" where it cannot.
        has_timings: whether its engine reports how long each symbol lasts.
        alphabets: phoneme alphabets in which a caller may write pronunciations, such as "ipa".
        reference: the recording that it speaks like unless a request brings another one; None where it has none.
        aliases: other names of its speakers, with their numbers.
        gender: as its maker states it; "" when unknown.
        grade: as its maker gives it, such as "A" or "C+"; "" when unknown.
        mixing_group: voices of one group can be mixed: they have the same engine, network and sample rate, and one
            speaker each. "" for a voice that cannot.
        mixture: the loaded voices that it mixes; empty for a loaded voice.
        reference_use: whether a request may bring a recording to speak like; "required" where the engine cannot speak
            without one, neither its own nor the request's.
        takes_emotion_reference: whether a request may bring a recording whose emotion the engine speaks with.
        reference_rate_hz: the sample rate of the recordings that its engine gets; 0 for `sample_rate_hz`.
        max_speed: the highest speed that has its effect; a request for more is refused.
        base: the id of the loaded voice that speaks it, where that is another one: see `loaded_id`.
    """

    id: str
    language: str
    sample_rate_hz: int
    phonemes: PhonemeScheme
    speakers: tuple[str, ...] = ()
    default_speaker: int = 0
    engine: str = ""
    quality: str = ""
    precision: str = "float32"
    emotion_rendering: EmotionRendering = "prosody"
    has_timings: bool = True
    alphabets: tuple[str, ...] = ("ipa",)
    reference: Recording | None = None
    aliases: tuple[tuple[str, int], ...] = ()
    gender: Gender = ""
    grade: str = ""
    mixing_group: str = ""
    mixture: Mixture = ()
    reference_use: ReferenceUse = "none"
    takes_emotion_reference: bool = False
    reference_rate_hz: int = 0
    max_speed: float = math.inf
    base: str = ""

    @property
    def loaded_id(self) -> str:
        """The id under which its engine and the metrics know it.

        A mixture has that of its first voice, a named recording that of the voice that speaks it.
        """
        return self.mixture[0][0] if self.mixture else self.base or self.id

    @property
    def takes_reference(self) -> bool:
        """Whether a request may bring a recording to speak like."""
        return self.reference_use != "none"

    @property
    def needs_reference(self) -> bool:
        """Whether it cannot speak a request that brings no recording."""
        return self.reference_use == "required" and self.reference is None

    @property
    def recording_rate_hz(self) -> int:
        """The sample rate of the recordings that its engine gets."""
        return self.reference_rate_hz or self.sample_rate_hz


TextFormat = Literal["plain", "markdown"]
TEXT_FORMATS: Final[tuple[TextFormat, ...]] = get_args(TextFormat)
UnpronounceableText = Literal["error", "silence"]
UNPRONOUNCEABLE_TEXTS: Final[tuple[UnpronounceableText, ...]] = get_args(UnpronounceableText)
TimingType = Literal["word", "phoneme", "viseme", "mark"]
TIMING_TYPES: Final[tuple[TimingType, ...]] = get_args(TimingType)


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How to pronounce a word or phrase: as phonemes (IPA), or as other words."""

    phrase: str
    ipa: str = ""
    respelling: str = ""


@dataclass(frozen=True, slots=True)
class GivenRecording:
    """A recording as a request brings it, unchecked.

    Attributes:
        audio: an audio file; empty where `name` is given.
        name: of a recording that the server has.
        transcript: the words in `audio`.
    """

    audio: bytes = field(default=b"", repr=False)
    name: str = ""
    transcript: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A request as received: unchecked; zero and empty still mean "unset"."""

    text: str
    speaker_id: str = ""
    speed: float = 0.0
    pitch: float = 0.0
    emotion: str = ""
    emotion_weights: Mapping[str, float] = field(default_factory=dict)
    emotion_intensity: float | None = None
    language: str = ""
    encoding: str = ""
    sample_rate_hz: int = 0
    volume_gain_db: float = 0.0
    seed: int | None = None
    request_id: str = ""
    ssml: str = ""
    pronunciations: Sequence[Pronunciation] = ()
    timing_types: Sequence[str] = ()
    text_format: str = ""
    unpronounceable_text: str = ""
    reference: GivenRecording | None = None
    emotion_reference: GivenRecording | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence, ready for an engine, with everything that any engine may need.

    Attributes:
        voice_id: the loaded voice to speak with.
        symbols: the voice's front end's output for the sentence, in order: phoneme ids, or characters. Only the engine
            interprets them; other code only counts them.
        speaker: speaker number within the voice.
        seed: of this utterance's noise; the samples depend on it and the other fields alone.
        text, language: the sentence as read, and the language of its voice as a BCP 47 tag.
        speed: rate as a ratio to the voice's own; 2.0 is twice as fast.
        rates: of each symbol, as a ratio to `speed`; empty where all are 1.
        variation, rhythm_variation: how much intonation and rhythm vary, as ratios to the voice's own.
        emotion_weights, emotion_intensity: as requested, for voices that render emotions natively; empty for
            all others.
        reference: the recording to speak like; None where the voice speaks like itself.
        emotion_reference: the recording whose emotion to speak with, `emotion_intensity` strong; None for none. There
            are no `emotion_weights` then.
        is_streamed: whether its first audio is wanted before the rest; otherwise all of it at once.
        mixture: the loaded voices to mix, `voice_id` first; empty for one voice. Their `Voice.mixing_group` is one.
    """

    voice_id: str
    symbols: Sequence[int] | str
    speaker: int = 0
    seed: int = 0
    text: str = ""
    language: str = ""
    speed: float = 1.0
    rates: tuple[float, ...] = ()
    variation: float = 1.0
    rhythm_variation: float = 1.0
    emotion_weights: Mapping[str, float] = field(default_factory=dict)
    emotion_intensity: float = 1.0
    reference: Recording | None = None
    emotion_reference: Recording | None = None
    is_streamed: bool = False
    mixture: Mixture = ()

    @property
    def speeds(self) -> tuple[float, ...]:
        """The speed of each symbol."""
        return tuple(self.speed * rate for rate in self.rates) or (self.speed,) * len(self.symbols)
