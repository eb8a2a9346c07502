"""Start times of words, phonemes, visemes and marks, in seconds of the audio as delivered.

`audio_assembler.py` records them for each sentence with its first samples, when phoneme durations are known. They are
returned with the audio in which they begin.

The voice has a pad between any two phonemes, which is part of both: each gets half of it. Between two words it has a
space, which in fluent speech is not silence but the closure of the next sound: short ones belong to the next word.
"""

import math
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final, Protocol, TypeVar

from phonoscope.server.text.visemes import SILENCE, viseme_of
from phonoscope.server.text.word_alignment import SentenceAlignment, Sound
from phonoscope.server.types import TimingType

# A shorter gap between two words is inaudible.
SHORTEST_SILENCE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class WordTiming:
    """A word, as written in the request, at characters `start` to `stop` of it."""

    word: str
    start_seconds: float
    end_seconds: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class PhonemeTiming:
    """A phoneme, in IPA."""

    phoneme: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class VisemeTiming:
    """A viseme, one of VISEMES."""

    viseme: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class MarkTiming:
    """A mark of a document."""

    name: str
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Timings:
    """What begins in a piece of audio."""

    words: tuple[WordTiming, ...] = ()
    phonemes: tuple[PhonemeTiming, ...] = ()
    visemes: tuple[VisemeTiming, ...] = ()
    marks: tuple[MarkTiming, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.phonemes or self.visemes or self.marks)


class _Timing(Protocol):
    @property
    def start_seconds(self) -> float: ...


TimingT = TypeVar("TimingT", bound=_Timing)


class TimingNotes:
    """Timings that were recorded and not returned yet.

    Args:
        wanted: the types to record.
    """

    def __init__(self, wanted: Collection[TimingType]) -> None:
        self._wanted = wanted
        self._words: deque[WordTiming] = deque()
        self._phonemes: deque[PhonemeTiming] = deque()
        self._visemes: deque[VisemeTiming] = deque()
        self._marks: deque[MarkTiming] = deque()

    def note(self, alignment: SentenceAlignment, written: str, written_from: int, times: Sequence[float]) -> None:
        """Records a sentence.

        Args:
            alignment: its words.
            written: the text that its offsets refer to, from `written_from` on.
            written_from: offset of the first character of `written`.
            times: when each phoneme id begins, and when the last one ends, in seconds.
        """
        bounds = [times[0], *((before + after) / 2 for before, after in pairwise(times[:-1])), times[-1]]
        if "word" in self._wanted:
            for word, start, end in _spans(alignment.words, bounds):
                text = written[word.start - written_from : word.stop - written_from]
                self._words.append(WordTiming(text, start, end, word.start, word.stop))
        if "phoneme" in self._wanted:
            spans = _spans(alignment.sounds, bounds)
            self._phonemes += (PhonemeTiming(sound.phoneme, start, end) for sound, start, end in spans)
        if "viseme" in self._wanted:
            self._visemes += _visemes(alignment.sounds, bounds)
        for at, name in alignment.marks:
            self.mark(name, bounds[at])

    def mark(self, name: str, seconds: float) -> None:
        """Records a mark."""
        if "mark" in self._wanted:
            self._marks.append(MarkTiming(name, seconds))

    def begun_by(self, seconds: float) -> Timings | None:
        """Returns and removes what begins before then; None if no timings are requested."""
        if not self._wanted:
            return None
        return Timings(
            tuple(_taken(self._words, seconds)),
            tuple(_taken(self._phonemes, seconds)),
            tuple(_taken(self._visemes, seconds)),
            tuple(_taken(self._marks, seconds)),
        )


def _taken(timings: deque[TimingT], seconds: float) -> Iterator[TimingT]:
    while timings and timings[0].start_seconds < seconds:
        yield timings.popleft()


class _Ranged(Protocol):
    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...


RangedT = TypeVar("RangedT", bound=_Ranged)


def _spans(heard: Sequence[RangedT], bounds: Sequence[float]) -> Iterator[tuple[RangedT, float, float]]:
    """Yields each with its start and end; one starts where the previous one ended, unless there is a gap."""
    before = -math.inf
    for one in heard:
        start, end = bounds[one.first], bounds[one.last]
        yield one, (before if start - before < SHORTEST_SILENCE_SECONDS else start), end
        before = end


def _visemes(sounds: Sequence[Sound], bounds: Sequence[float]) -> Iterator[VisemeTiming]:
    """Yields a sentence's visemes, from its first sound to its end; equal neighbours are merged."""
    for viseme, alike in groupby(_shapes(sounds, bounds), key=itemgetter(0)):
        spans = [(start, end) for _, start, end in alike]
        yield VisemeTiming(viseme, spans[0][0], spans[-1][1])


def _shapes(sounds: Sequence[Sound], bounds: Sequence[float]) -> Iterator[tuple[str, float, float]]:
    """Yields each sound's viseme, and silence in gaps between sounds and after the last one."""
    before = None
    for sound, start, end in _spans(sounds, bounds):
        if before is not None and before < start:
            yield SILENCE, before, start
        yield viseme_of(sound.phoneme), start, end
        before = end
    if before is not None and before < bounds[-1]:
        yield SILENCE, before, bounds[-1]
