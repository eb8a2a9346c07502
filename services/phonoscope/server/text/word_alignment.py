"""Aligns the words of a sentence with its phonemes: pronunciation, prosody and position of each word and sound.

`front_end` calls it for sentences that need an alignment or have overrides. Phonemes and ids are those of one
utterance; characters are those of the normalised text until `Passage.source` converts them to source offsets.
"""

import functools
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.text.normalise import Normalised
from phonoscope.server.text.passage import Passage, covering
from phonoscope.server.text.phoneme_ids import SILENT, Spelling, spell, split_phonemes
from phonoscope.server.text.phonemizer import Phonemizer, SpokenWord
from phonoscope.server.text.sequence_alignment import STRESS, align, shares
from phonoscope.server.text.words import words
from phonoscope.server.types import PhonemeScheme

MAX_WORDS_KNOWN: Final = 20_000
# Written after the sound that they modify.
_SUFFIXES: Final = frozenset("ːˑʰʷʲˠˤⁿˡʼ˞˥˦˧˨˩")


class Word(NamedTuple):
    """A word: source offsets `start` to `stop`, phoneme ids `first` to `last` (both excluded at the end)."""

    start: int
    stop: int
    first: int
    last: int


class Sound(NamedTuple):
    """A phoneme with its stress and length, and the range of its ids."""

    phoneme: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SentenceAlignment:
    """Alignment data of an utterance in addition to its ids.

    Attributes:
        manners: prosody from an id on, ascending from 0; empty if all is as requested.
        marks: names, and the id that each precedes.
    """

    words: tuple[Word, ...] = ()
    sounds: tuple[Sound, ...] = ()
    manners: tuple[tuple[int, Prosody], ...] = ()
    marks: tuple[tuple[int, str], ...] = ()


PLAIN: Final = SentenceAlignment()


class _Placed(NamedTuple):
    """A word of the passage, `start` to `stop`, and the range of its symbols, `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


class WordAligner:
    """Aligns the words of one passage; reports each mark once, with the word that it precedes.

    Args:
        passage: the passage to read.
        normal: its normalised text.
        scheme: phoneme scheme of the voice.
        alone: reads a word in isolation, see IsolatedWords.
    """

    def __init__(self, passage: Passage, normal: Normalised, scheme: PhonemeScheme, alone: "IsolatedWords") -> None:
        self._passage = passage
        self._normal = normal
        self._scheme = scheme
        self._alone = alone
        self._marks = deque(passage.marks)
        edges = [edge for one in passage.overrides for edge in (one.start, one.stop)]
        self._cuts = deque(sorted(normal.place(edge) for edge in edges))
        self._overrides_said: set[int] = set()  # by start offset

    @property
    def marks_left(self) -> tuple[str, ...]:
        """Marks after the last word."""
        return tuple(mark.name for mark in self._marks)

    def are_told_of(self, start: int, stop: int) -> bool:
        """Returns whether characters `start` to `stop` have a manner or an override, or follow a pending mark."""
        first, last = self._normal.source(start, stop)
        ranges = self._passage.overrides, self._passage.manners
        return (bool(self._marks) and self._marks[0].at < last) or any(covering(one, first, last) for one in ranges)

    def spelled(
        self, start: int, stop: int, phonemes: str, max_symbols: int, spoken: Sequence[SpokenWord] = ()
    ) -> Iterator[tuple[Spelling, SentenceAlignment, int, int]]:
        """Yields the ids of characters `start` to `stop`, their alignment, and their source offsets.

        If overrides make it longer than `max_symbols` phonemes, it is split into parts. `spoken` are its words, if the
        phonemizer knows them.
        """
        symbols, placed = self._placed(start, stop, phonemes, spoken)
        source = self._passage.source(*self._normal.source(start, stop))
        parts = list(_parts(placed, len(symbols), max_symbols))
        for index, (part, first, last) in enumerate(parts):
            spelling = spell(symbols[first:last], self._scheme)
            own = [_Placed(word.start, word.stop, word.first - first, word.last - first) for word in part]
            alignment = self._alignment(own, symbols[first:last], spelling)
            begins = source[0] if index == 0 or not part else self._passage.source(part[0].start, part[0].stop)[0]
            ends = source[1] if index + 1 == len(parts) else self._passage.source(part[-1].start, part[-1].stop)[1]
            yield spelling, alignment, begins, ends

    def _placed(
        self, start: int, stop: int, phonemes: str, spoken: Sequence[SpokenWord]
    ) -> tuple[list[str], list[_Placed]]:
        """Returns the symbols with overrides applied, and their words."""
        symbols = split_phonemes(phonemes, self._scheme.clusters)
        spans = list(self._spans(start, stop, spoken))
        if not spans:
            return symbols, []
        ranges = align(self._expected(spans, spoken), symbols)
        said: list[str] = []
        placed: list[_Placed] = []
        behind = 0
        for span, (low, high) in zip(spans, ranges, strict=True):
            first, last = self._normal.source(*span)
            said += symbols[behind:low]
            at = len(said)
            said += self._said(symbols[low:high], first, last)
            placed.append(_Placed(first, last, at, len(said)))
            behind = high
        return said + symbols[behind:], placed

    def _expected(self, spans: Sequence[tuple[int, int]], spoken: Sequence[SpokenWord]) -> list[Sequence[str]]:
        """Returns the phonemes of each span: those of the sentence, if the phonemizer knows its words."""
        text = self._normal.text
        whole = {(word.start, word.stop): split_phonemes(word.phonemes, self._scheme.clusters) for word in spoken}
        expected: list[Sequence[str]] = [
            whole.get(span) or self._alone(text[slice(*span)], self._scheme) for span in spans
        ]
        for word in spoken:
            cut = [at for at, (first, last) in enumerate(spans) if word.start <= first and last <= word.stop]
            match cut:
                case [one, other]:
                    sounds = whole[word.start, word.stop]
                    expected[one], expected[other] = shares(expected[one], expected[other], sounds)
        return expected

    def _spans(self, start: int, stop: int, spoken: Sequence[SpokenWord]) -> Iterator[tuple[int, int]]:
        """Yields the words of characters `start` to `stop`, cut where an override starts or ends within one."""
        for first, last in [word[:2] for word in spoken] or words(self._normal.text, start, stop):
            while self._cuts and self._cuts[0] < last:
                if (cut := self._cuts.popleft()) > first:
                    yield from self._parts(first, cut, spoken)
                    first = cut  # noqa: PLW2901
            yield from self._parts(first, last, spoken)

    def _parts(self, start: int, stop: int, spoken: Sequence[SpokenWord]) -> Iterator[tuple[int, int]]:
        """Yields a part of a word: as one, if the phonemizer knows its words."""
        if spoken:
            yield start, stop
        else:
            yield from words(self._normal.text, start, stop)

    def _said(self, symbols: list[str], first: int, last: int) -> Sequence[str]:
        """Returns a word's symbols: its own, or its override's, which only the first word of the override has."""
        override = covering(self._passage.overrides, first, last)
        if override is None:
            return symbols
        if override.start in self._overrides_said:
            return ()
        self._overrides_said.add(override.start)
        if override.ipa:
            return split_phonemes(override.ipa, self._scheme.clusters)
        return self._alone(override.alone, self._scheme)

    def _alignment(self, placed: Sequence[_Placed], symbols: Sequence[str], spelling: Spelling) -> SentenceAlignment:
        places = spelling.places
        heard = (word for word in placed if places[word.first] < places[word.last])
        return SentenceAlignment(
            words=tuple(_merged(self._word(word, places) for word in heard)),
            sounds=tuple(_sounds(symbols, places)),
            manners=tuple(self._manners(placed, places)),
            marks=tuple(self._taken_marks(placed, places)),
        )

    def _word(self, word: _Placed, places: Sequence[int]) -> Word:
        return Word(*self._passage.source(word.start, word.stop), places[word.first], places[word.last])

    def _manners(self, placed: Sequence[_Placed], places: Sequence[int]) -> Iterator[tuple[int, Prosody]]:
        """Yields the prosody of the utterance, from id 0 on; spaces and pauses belong to the word before them."""
        if not self._passage.manners:
            return
        before: Prosody | None = None
        for word in placed:
            manner = covering(self._passage.manners, word.start, word.stop)
            prosody = NEUTRAL if manner is None else manner.prosody
            if prosody != before:
                yield (places[word.first] if before is not None else 0), prosody
            before = prosody

    def _taken_marks(self, placed: Sequence[_Placed], places: Sequence[int]) -> Iterator[tuple[int, str]]:
        for word in placed:
            while self._marks and self._marks[0].at <= word.start:
                yield places[word.first], self._marks.popleft().name


class IsolatedWords:
    """Reads words in isolation and caches the results."""

    def __init__(self, phonemizer: Phonemizer) -> None:
        self._phonemizer = phonemizer
        self._known = functools.lru_cache(maxsize=MAX_WORDS_KNOWN)(self._read)

    def __call__(self, word: str, scheme: PhonemeScheme) -> tuple[str, ...]:
        """Returns the phonemes of a word in a voice's scheme."""
        return self._known(word, scheme.kind, scheme.espeak_voice, scheme.clusters)

    def starts(self, text: str, phonemes: str, scheme: PhonemeScheme) -> list[tuple[int, int]]:
        """Returns where each word of a text starts: in its phonemes (NFD), and in the text."""
        symbols = split_phonemes(phonemes)
        spans = list(words(text, 0, len(text)))
        if not spans or "".join(symbols) != unicodedata.normalize("NFD", phonemes):
            return []  # with languages named among the phonemes, places are unknown
        ranges = align([split_phonemes("".join(self(text[slice(*span)], scheme))) for span in spans], symbols)
        return [(first, start) for (first, _), (start, _) in zip(ranges, spans, strict=True)]

    def _read(self, word: str, kind: str, voice: str, clusters: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
        if kind == "text":
            return tuple(split_phonemes(word, clusters))
        phonemes = " ".join(clause.phonemes for clause in self._phonemizer.clauses(word, voice) if clause.phonemes)
        return tuple(split_phonemes(phonemes, clusters))


def _parts(placed: Sequence[_Placed], symbols: int, max_symbols: int) -> Iterator[tuple[Sequence[_Placed], int, int]]:
    """Yields words and ranges of symbols, cut before a word to stay within `max_symbols`; usually one range."""
    first, words_before = 0, 0
    for index, word in enumerate(placed):
        if word.last - first > max_symbols and index > words_before:
            yield placed[words_before:index], first, word.first
            first, words_before = word.first, index
    yield placed[words_before:], first, symbols


def _merged(words_: Iterator[Word]) -> Iterator[Word]:
    """Merges words that have the same source range."""
    before: Word | None = None
    for word in words_:
        if before is not None and (before.start, before.stop) == (word.start, word.stop):
            before = Word(word.start, word.stop, before.first, word.last)
            continue
        if before is not None:
            yield before
        before = word
    if before is not None:
        yield before


def _sounds(symbols: Sequence[str], places: Sequence[int]) -> Iterator[Sound]:
    """Attaches stress and length to their sounds; yields the sounds that the voice supports."""
    prefix, start = "", 0
    index = 0
    while index < len(symbols):
        symbol = symbols[index]
        if symbol in STRESS:
            prefix, start = symbol, index
        elif symbol in SILENT:
            prefix = ""
        else:
            first = start if prefix else index
            stop = index + 1
            while stop < len(symbols) and (
                _SUFFIXES.issuperset(symbols[stop]) or "\u0300" <= symbols[stop] <= "\u036f"
            ):
                stop += 1
            if places[first] < places[stop]:
                yield Sound(prefix + "".join(symbols[index:stop]), places[first], places[stop])
            prefix, index = "", stop - 1
        index += 1
