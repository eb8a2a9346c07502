"""The nouns of the client: what a caller passes in and gets back. Frozen records; no gRPC, no protobuf."""

import enum
from dataclasses import dataclass
from typing import Final

from phonoscope.client.timings import NO_TIMINGS, Timings


class Encoding(enum.Enum):
    """How samples become bytes, one channel always. The server refuses, with Unimplemented, what it does not serve."""

    LINEAR16 = "linear16"
    WAV = "wav"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"
    MP3 = "mp3"
    AAC = "aac"
    MULAW = "mulaw"
    ALAW = "alaw"


class TimingType(enum.Enum):
    """What there are timings of."""

    WORD = "word"
    PHONEME = "phoneme"
    VISEME = "viseme"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a word or a phrase is said: by `ipa`, or as other words are, by `respelling`; one of both.

    Attributes:
        phrase: whole words. In small letters they stand for any case; with a capital, for that spelling only.
        ipa: the International Phonetic Alphabet, such as "təˈmɑːtoʊ".
        respelling: such as "sequel" for "SQL".
    """

    phrase: str
    ipa: str = ""
    respelling: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """A whole text, spoken.

    Attributes:
        audio: all of it, in `encoding`.
        seed: the one that was used; pass it again to get the same audio.
        request_id: the request's name in the server's logs.
        voice: who spoke, as voice or voice:speaker.
        timings: what `timing_types` asked for.
    """

    audio: bytes
    sample_rate_hz: int
    encoding: Encoding
    audio_seconds: float
    seed: int
    request_id: str
    voice: str
    timings: Timings = NO_TIMINGS


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """One piece of a spoken text; the `audio` of all chunks, in order, is one stream in `encoding`.

    Attributes:
        audio: whole samples, always; none in a last piece that only tells of a mark at the very end.
        audio_seconds: duration of this piece.
        sequence: number of the piece, from 0.
        seed, request_id, voice: as in Speech, on the first chunk; None, "" and "" on the others.
        text_span: of `stream_pieces`: the characters of all pieces joined, (start, stop), that it speaks.
        timings: what `timing_types` asked for, of all that begins to sound in this piece.
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


class Flush(enum.Enum):
    """In place of a piece of text: speak what has come, without waiting for more. Its one member is FLUSH."""

    FLUSH = "flush"


FLUSH: Final = Flush.FLUSH


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that the server has loaded.

    Attributes:
        id: what to pass as `voice`.
        language: BCP 47 tag.
        sample_rate_hz: rate at which it is made.
        speakers: names in order of their numbers; empty when there is one.
        is_default: whether `voice=""` means this one.
        engine: what speaks it, such as "vits".
        quality: as its maker states it; "" when unknown.
        precision: in which its vocoder computes: "float32", "bfloat16" or "float16"; "" from an older server.
        emotion_rendering: what it makes of emotions: "none", "prosody" or "native"; "" from an older server.
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
