"""Timings of a speech, in replies to requests with `timing_types`. Frozen records.

Seconds count from the start of the whole audio as delivered, also in the chunks of a stream.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class WordTiming:
    """A word; in Chinese, a character.

    Attributes:
        word: as it is written in the request.
        text_span: its characters (start, stop) in the text, in the SSML document, or in all pieces joined.
    """

    word: str
    start_seconds: float
    end_seconds: float
    text_span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PhonemeTiming:
    """A phoneme in the International Phonetic Alphabet, with its stress and length marks: "ˈɑː"."""

    phoneme: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class VisemeTiming:
    """A mouth shape of MPEG-4: sil, pp, ff, th, dd, kk, ch, ss, nn, rr, aa, e, ih, oh or ou."""

    viseme: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class MarkTiming:
    """A mark of an SSML document."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Timings:
    """The requested timings, each kind in ascending order; those of a stream's chunks can be added."""

    words: tuple[WordTiming, ...] = ()
    phonemes: tuple[PhonemeTiming, ...] = ()
    visemes: tuple[VisemeTiming, ...] = ()
    marks: tuple[MarkTiming, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.phonemes or self.visemes or self.marks)

    def __add__(self, later: "Timings") -> "Timings":
        return Timings(
            words=self.words + later.words,
            phonemes=self.phonemes + later.phonemes,
            visemes=self.visemes + later.visemes,
            marks=self.marks + later.marks,
        )


NO_TIMINGS: Final = Timings()
