"""The values that callers pass to the client and get back: frozen records and enums, without gRPC or protobuf."""

import enum
from dataclasses import dataclass, field
from typing import Final

from phonoscope.client.timings import NO_TIMINGS, Timings


class Encoding(enum.Enum):
    """Audio encoding, always with one channel. The server raises Unimplemented for one that it does not support."""

    LINEAR16 = "linear16"
    WAV = "wav"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"
    MP3 = "mp3"
    AAC = "aac"
    MULAW = "mulaw"
    ALAW = "alaw"


class TimingType(enum.Enum):
    """Kinds of timings."""

    WORD = "word"
    PHONEME = "phoneme"
    VISEME = "viseme"
    MARK = "mark"


class Gender(enum.Enum):
    """The gender that a voice sounds like."""

    FEMALE = "female"
    MALE = "male"


class TextFormat(enum.Enum):
    """How a text is written."""

    PLAIN = "plain"
    MARKDOWN = "markdown"


class UnpronounceableText(enum.Enum):
    """Response to a text with nothing to pronounce, such as an emoji."""

    ERROR = "error"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Pronunciation of a word or a phrase: either `ipa` or `respelling`.

    Attributes:
        phrase: whole words. In lower case it matches any case; with a capital letter, only that spelling.
        ipa: phonemes in the International Phonetic Alphabet, such as "təˈmɑːtoʊ".
        respelling: words to speak instead, such as "sequel" for "SQL".
    """

    phrase: str
    ipa: str = ""
    respelling: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a person who speaks: either `audio` or `name`.

    Attributes:
        audio: an audio file, such as the content of a WAV, FLAC, MP3 or Ogg file, of 3 to 30 s and up to 10 MiB.
        name: of a recording that the server has.
        transcript: the words in `audio`, if they are known.
    """

    audio: bytes = field(default=b"", repr=False)
    name: str = ""
    transcript: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Speech:
    """The speech of a whole text.

    Attributes:
        audio: all audio, in `encoding`.
        seed: random seed that was used; pass it again to get the same audio.
        request_id: id of the request in the server's logs.
        voice: voice that was used, as voice or voice:speaker.
        timings: the timings that `timing_types` requested.
        emotion_fallback: with the emotion auto: why a sentence is neutral whose emotion was not found, such as
            "timeout"; "" when all were found.
    """

    audio: bytes
    sample_rate_hz: int
    encoding: Encoding
    audio_seconds: float
    seed: int
    request_id: str
    voice: str
    timings: Timings = NO_TIMINGS
    emotion_fallback: str = ""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Part of a speech; the `audio` of all chunks, joined in order, is one stream in `encoding`.

    Attributes:
        audio: whole samples; empty in a last chunk that only has a mark at the very end.
        audio_seconds: duration of this chunk.
        sequence: number of the chunk, from 0.
        seed, request_id, voice: as in Speech, on the first chunk; None, "" and "" on the others.
        text_span: only from `stream_pieces`: the characters (start, stop) of all pieces joined that it speaks.
        timings: the requested timings that start in this chunk.
        emotion_fallback: as in Speech, of the sentences that start in this chunk.
    """

    audio: bytes
    sample_rate_hz: int
    encoding: Encoding
    audio_seconds: float
    sequence: int
    seed: int | None = None
    request_id: str = ""
    voice: str = ""
    text_span: tuple[int, int] | None = None
    timings: Timings = NO_TIMINGS
    emotion_fallback: str = ""


class Flush(enum.Enum):
    """In place of a piece of text: speak the text so far without waiting for more. Its one member is FLUSH."""

    FLUSH = "flush"


FLUSH: Final = Flush.FLUSH


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that the server has loaded.

    Attributes:
        id: value of the option `voice`.
        language: BCP 47 tag.
        sample_rate_hz: native sample rate.
        speakers: names in the order of their numbers; empty when there is only one.
        is_default: whether `voice=""` means this one.
        engine: name of its engine, such as "vits".
        quality: as its publisher states it; "" when unknown.
        precision: number format of its vocoder: "float32", "bfloat16" or "float16"; "" from an older server.
        emotion_rendering: how it renders emotions: "none", "prosody" or "native"; "" from an older server.
        aliases: other values of the option `voice` for it, or for one of its speakers.
        gender: "female" or "male", as its maker states; "" when unknown.
        grade: as its maker gives it, such as "A" or "C+"; "" when unknown.
        reference_use: whether it takes a recording to speak like: "none", "optional" or "required"; "" from an older
            server.
        takes_emotion_reference: whether it takes a recording to speak with its emotion.
        is_recording: whether it is a recording of the server, whose name `Recording` takes.
    """

    id: str
    language: str
    sample_rate_hz: int
    speakers: tuple[str, ...]
    is_default: bool
    engine: str
    quality: str
    precision: str = ""
    emotion_rendering: str = ""
    aliases: tuple[str, ...] = ()
    gender: str = ""
    grade: str = ""
    reference_use: str = ""
    takes_emotion_reference: bool = False
    is_recording: bool = False
