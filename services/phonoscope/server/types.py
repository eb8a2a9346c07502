"""The nouns of the inference service: what passes between its layers.

Frozen records only; no torch, no protobuf. ② servicer makes a SpeechRequest, ③ synthesizer resolves it, ④ text makes
phoneme ids, ⑤ scheduler and ⑥ engines turn Utterances into samples, ⑧ audio turns samples into bytes.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

EmotionRendering = Literal["none", "prosody", "native"]


class Encoding(enum.Enum):
    """How samples become bytes, one channel always."""

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
    """How a voice wants its text spelled as integers.

    Attributes:
        kind: "espeak" for IPA by espeak-ng, "text" for the code points of the text itself.
        espeak_voice: espeak-ng's name of the language, such as "en-us".
        ids: phoneme (one code point, or a cluster) to one or more ids; holds Piper's marks "_" (pad), "^" (begin of
            sentence) and "$" (end of sentence).
        clusters: sequences of phonemes that the voice knows as one, such as ("a", "ɪ").
    """

    kind: Literal["espeak", "text"]
    espeak_voice: str
    ids: Mapping[str, tuple[int, ...]] = field(hash=False)
    clusters: frozenset[tuple[str, ...]] = frozenset()

    @property
    def language(self) -> str:
        """The language, without its variety, such as "en"."""
        return self.espeak_voice.partition("-")[0].lower()


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that an engine has loaded.

    Attributes:
        id: unique name, such as "en_US-joe-medium".
        language: BCP 47 tag, such as "en-US".
        sample_rate_hz: the rate at which the engine makes it.
        speakers: names by speaker number; empty for a voice of one speaker.
        default_speaker: number used when a request names none.
        engine: name of the engine, such as "vits".
        quality: what the maker states, such as "medium"; empty when unknown.
        emotion_rendering: "prosody" where emotions move rate, pitch and loudness, "native" where the engine renders
            them itself, "none" where it cannot.
        length_scale, noise_scale, noise_w_scale: the voice's own inference settings (Kim et al. 2021, section 2.2).
    """

    id: str
    language: str
    sample_rate_hz: int
    phonemes: PhonemeScheme
    speakers: tuple[str, ...] = ()
    default_speaker: int = 0
    engine: str = ""
    quality: str = ""
    emotion_rendering: EmotionRendering = "prosody"
    length_scale: float = 1.0
    noise_scale: float = 0.667
    noise_w_scale: float = 0.8


TimingType = Literal["word", "phoneme", "viseme", "mark"]
TIMING_TYPES: Final[tuple[TimingType, ...]] = get_args(TimingType)


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a word or phrase is said: by phonemes (IPA), or by other words."""

    phrase: str
    ipa: str = ""
    respelling: str = ""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What a caller asked for, as it came: nothing checked, zero and empty still mean "unset"."""

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


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence, ready for an engine: the unit of `prepare`.

    Attributes:
        voice_id: the voice to speak with.
        phoneme_ids: ids with pads and marks, as the voice's PhonemeScheme has them.
        speaker: speaker number within the voice.
        length_scale: the voice's own duration as a ratio, before it is rounded to frames; 2.0 is twice as slow.
        noise_scale: standard deviation of the prior's noise, as a ratio.
        noise_w_scale: standard deviation of the durations' noise, as a ratio.
        seed: of this utterance's noise; the samples depend on it and the other fields alone.
        speed: rate as a ratio of what the voice would do without it; 2.0 is twice as fast.
        rates: of each phoneme id, as a ratio to `speed`; empty where all are 1.
    """

    voice_id: str
    phoneme_ids: tuple[int, ...]
    speaker: int
    length_scale: float
    noise_scale: float
    noise_w_scale: float
    seed: int
    speed: float = 1.0
    rates: tuple[float, ...] = ()

    @property
    def speeds(self) -> tuple[float, ...]:
        """The speed of each phoneme id."""
        return tuple(self.speed * rate for rate in self.rates) or (self.speed,) * len(self.phoneme_ids)
