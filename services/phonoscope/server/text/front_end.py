"""Splits text into sentences and converts them to the voice's symbols, lazily.

Built by `build.py`, called by `speech/text_producer.py` on the single text thread. The pipeline: `normalise`,
`characters`, `split`, a phonemizer (espeak-ng), `phoneme_ids`. docs/text.md explains it with examples and lists
differences from piper-tts.
"""

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.events import UnspokenKind
from phonoscope.server.text.abbreviations import surely_abbreviates
from phonoscope.server.text.characters import Characters
from phonoscope.server.text.latex import without_latex
from phonoscope.server.text.lexicon import EMPTY, Lexicon
from phonoscope.server.text.line_ends import with_pauses
from phonoscope.server.text.normalise import Normalised, normalise
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.phoneme_ids import MARKS, spell, split_phonemes
from phonoscope.server.text.phonemizer import Clause, Phonemizer, Preparable, SpokenWord
from phonoscope.server.text.plain import plain_stretches
from phonoscope.server.text.split import CLOSERS, Span, split
from phonoscope.server.text.unspoken import count_symbols
from phonoscope.server.text.verbalize.verbalizer import prepare, verbalize
from phonoscope.server.text.word_alignment import PLAIN, IsolatedWords, SentenceAlignment, WordAligner
from phonoscope.server.text.words import is_speakable
from phonoscope.server.types import PhonemeScheme

_PAUSE_MARKS: Final = frozenset(",;:")
_WIDE_PAUSES: Final = frozenset("，、：；︙")
Starts = Callable[[str, str], list[tuple[int, int]]]
"""Returns where each word of a text starts: in its phonemes, and in the text."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """The input of one utterance: its symbols and its position in the caller's text.

    Attributes:
        start, stop: character offsets in the original text, `stop` excluded.
        symbols: phoneme ids in the voice's scheme, with begin, pads and end; the text itself for "plain" schemes.
        unknown_phonemes: phonemes left out because the voice has no id for them.
        alignment: its words, if requested.
        text: the normalised text.
    """

    start: int
    stop: int
    symbols: tuple[int, ...] | str
    unknown_phonemes: int = 0
    alignment: SentenceAlignment = PLAIN
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Phonemes of characters `start` to `stop` of the normalised text, and its words if the phonemizer knows them."""

    start: int
    stop: int
    phonemes: str
    words: tuple[SpokenWord, ...] = ()


class Stopwatch:
    """Accumulates the time spent inside its context."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


class Reading(Iterator[Sentence]):
    """A lazy iterator over the sentences of one text, with statistics so far.

    Attributes:
        splitting: runs while the text is split into sentences.
        unknown_phonemes: left out because the voice has no id for them, including those of skipped sentences.
        unspoken: characters of the text that are not spoken, by kind.
        marks_left: names of marks after the last word; available at the end.
    """

    def __init__(
        self, front_end: "TextFrontEnd", passage: Passage, scheme: PhonemeScheme, lexicon: Lexicon, *, is_aligned: bool
    ) -> None:
        self.splitting = Stopwatch()
        self.unknown_phonemes = 0
        self.unspoken: Counter[UnspokenKind] = Counter()
        self.marks_left: tuple[str, ...] = ()
        self._sentences = front_end.read(passage, scheme, lexicon, self, is_aligned=is_aligned)
        self._seconds = 0.0

    def __next__(self) -> Sentence:
        began = time.perf_counter()
        try:
            return next(self._sentences)
        finally:
            self._seconds += time.perf_counter() - began

    @property
    def split_seconds(self) -> float:
        """Time spent on normalising the text and splitting it into sentences."""
        return self.splitting.seconds

    @property
    def phonemize_seconds(self) -> float:
        """Time spent on all other steps: phonemes and their ids."""
        return self._seconds - self.splitting.seconds


class TextFrontEnd:
    """Converts text to sentences of phoneme ids, lazily: the cost of the first does not depend on the text length.

    Args:
        verbalizes: whether numbers are put into words first; otherwise espeak-ng reads them as Piper's voices do.
    """

    def __init__(self, phonemizer: Phonemizer, *, max_phonemes: int = 400, verbalizes: bool = True) -> None:
        if max_phonemes < 1:
            raise ValueError(f"max_phonemes is {max_phonemes}; it must be at least 1")
        self._phonemizer = phonemizer
        self._max_phonemes = max_phonemes
        self._verbalizes = verbalizes
        self._alone = IsolatedWords(phonemizer)
        self._characters = Characters(phonemizer)

    def check(self, scheme: PhonemeScheme) -> None:
        """Raises VoiceFileError when `scheme` is unusable: marks are missing or the language is unknown."""
        if scheme.kind == "plain":
            return
        missing = [mark for mark in MARKS if mark not in scheme.ids]
        if missing:
            raise VoiceFileError(
                f"the voice's phoneme_id_map lacks {' '.join(missing)}; use a voice that Piper's training exported"
            )
        if scheme.kind == "espeak":
            self._phonemizer.check_voice(scheme.espeak_voice)

    def prepare(self, scheme: PhonemeScheme) -> None:
        """Loads the data of a scheme's language, so that its first text does not wait for it; 0.2 s for most, once."""
        if scheme.kind == "espeak" and isinstance(self._phonemizer, Preparable):
            self._phonemizer.prepare(scheme.espeak_voice)
        if self._verbalizes and scheme.kind != "plain" and not scheme.reads_numbers:
            prepare(scheme.espeak_voice)

    def sentences(
        self, text: str | Passage, scheme: PhonemeScheme, lexicon: Lexicon = EMPTY, *, is_aligned: bool = False
    ) -> "Reading":
        """Returns the sentences of `text` that contain speech, in order and lazily.

        A sentence of more than `max_phonemes` phonemes is split at a clause or a space. Sentences include their word
        alignment if `is_aligned`, or if a passage or the lexicon sets the pronunciation or prosody of parts of them.
        """
        return Reading(self, Passage(text) if isinstance(text, str) else text, scheme, lexicon, is_aligned=is_aligned)

    def read(
        self, passage: Passage, scheme: PhonemeScheme, lexicon: Lexicon, reading: "Reading", *, is_aligned: bool
    ) -> Iterator[Sentence]:
        """Yields the sentences of `reading`, which calls this and receives the statistics."""
        language = scheme.language
        with reading.splitting:
            passage = with_pauses(without_latex(lexicon.rewrite(passage), language))
            if self._verbalizes and not scheme.reads_numbers:
                passage = verbalize(passage, scheme.espeak_voice)
            known = scheme.ids if scheme.kind == "text" else ()
            normal = self._characters.read(normalise(passage.text, known), scheme)
            reading.unspoken.update(normal.unspoken)
            spans = split(normal.text, language)
        if scheme.kind == "plain":
            for start, stop, text, alignment in plain_stretches(passage, normal, spans):
                yield Sentence(start, stop, text, alignment=alignment, text=text)
            return
        words = WordAligner(passage, normal, scheme, self._alone) if is_aligned or not passage.is_plain else None
        while True:
            with reading.splitting:
                span = next(spans, None)
            if span is None:
                break
            if not is_speakable(skipped := normal.text[span.start : span.stop]):
                reading.unspoken += count_symbols(skipped)
                continue
            for stretch in self._stretches(normal.text, span, scheme, language):
                needed = words if words and (is_aligned or words.are_told_of(stretch.start, stretch.stop)) else None
                for sentence, is_voiced in self._spelled(stretch, passage, normal, scheme, needed):
                    reading.unknown_phonemes += sentence.unknown_phonemes
                    if is_voiced:
                        yield sentence
        reading.marks_left = words.marks_left if words else ()

    def _spelled(
        self, stretch: _Stretch, passage: Passage, normal: Normalised, scheme: PhonemeScheme, words: WordAligner | None
    ) -> Iterator[tuple[Sentence, bool]]:
        """Yields a stretch as sentences, several if overrides exceed the limit, and whether each is voiced."""
        if words is None:
            spelling = spell(split_phonemes(stretch.phonemes, scheme.clusters), scheme)
            start, stop = passage.source(*normal.source(stretch.start, stretch.stop))
            text = normal.text[stretch.start : stretch.stop]
            yield Sentence(start, stop, spelling.ids, spelling.unknown, text=text), spelling.voiced
            return
        parts = words.spelled(stretch.start, stretch.stop, stretch.phonemes, self._max_phonemes, stretch.words)
        for spelling, alignment, start, stop in parts:
            text = normal.text[stretch.start : stretch.stop]
            yield Sentence(start, stop, spelling.ids, spelling.unknown, alignment, text), spelling.voiced

    def _stretches(self, text: str, span: Span, scheme: PhonemeScheme, language: str) -> Iterator[_Stretch]:
        sentence = text[span.start : span.stop]
        if scheme.kind == "text":
            clauses = [Clause(" ".join(sentence.split()), "", ends_sentence=True, stop=len(sentence))]
        else:
            clauses = self._phonemizer.clauses(sentence, scheme.espeak_voice)
        words = [word for clause in clauses for word in clause.words]
        starts = functools.partial(self._alone.starts, scheme=scheme)
        for stretch in _join(sentence, clauses, language, self._max_phonemes, starts):
            own = tuple(
                SpokenWord(span.start + word.start, span.start + word.stop, word.phonemes)
                for word in words
                if stretch.start <= word.start < stretch.stop
            )
            yield _Stretch(span.start + stretch.start, span.start + stretch.stop, stretch.phonemes, own)


def _join(
    text: str,
    clauses: Iterable[Clause],
    language: str,
    limit: int,
    starts: Callable[[str, str], list[tuple[int, int]]],
) -> Iterator[_Stretch]:
    """Joins clauses until one ends a sentence, or until the next would exceed the limit."""
    start = stop = 0
    phonemes = ""
    for clause in clauses:
        for piece in _pieces(text, stop, clause, language, limit, starts):
            if phonemes and len(phonemes) + len(piece.phonemes) > limit:
                yield _stripped(text, start, stop, phonemes)
                phonemes = ""
            if not phonemes:
                start = piece.start
            phonemes += piece.phonemes
            stop = piece.stop
        if clause.ends_sentence and not _goes_on(text, clause, language):
            yield _stripped(text, start, stop, phonemes)
            phonemes = ""
    if phonemes:
        yield _stripped(text, start, stop, phonemes)


def _pieces(text: str, start: int, clause: Clause, language: str, limit: int, starts: Starts) -> Iterator[_Stretch]:
    """Splits a clause at spaces into pieces of at most `limit` phonemes; usually there is only one."""
    phonemes = clause.phonemes + _closing(text, clause, language)
    begin, stop = start, _after_closers(text, clause.stop)
    places = starts(text[start:stop], phonemes) if len(phonemes) > limit else []
    done = 0
    while len(phonemes) - done > limit:
        space = phonemes.rfind(" ", done + 1, done + limit)
        cut = done + limit if space < 0 else space + 1
        middle = next((begin + at for first, at in places if first >= cut and begin + at > start), 0)
        middle = middle or _near(text, start, stop, (cut - done) / (len(phonemes) - done))
        yield _Stretch(start, middle, phonemes[done:cut])
        start, done = middle, cut
    yield _Stretch(start, stop, phonemes[done:])


def _closing(text: str, clause: Clause, language: str) -> str:
    """Returns the phonemes that close a clause: its mark, and a space if the sentence continues."""
    if _goes_on(text, clause, language):
        return " "
    if clause.terminator:
        return clause.terminator + (" " if clause.terminator in _PAUSE_MARKS else "")
    if clause.ends_sentence or not clause.phonemes or clause.stop >= len(text):
        return ""
    return "" if text[: clause.stop].rstrip()[-1:] in _WIDE_PAUSES else " "


def _goes_on(text: str, clause: Clause, language: str) -> bool:
    """Returns whether espeak-ng mistook the stop of an abbreviation for the end of a sentence."""
    if clause.terminator != ".":
        return False
    last = clause.stop - 1
    while last > 0 and text[last].isspace():
        last -= 1
    return text[last] == "." and surely_abbreviates(text, last, language)


def _after_closers(text: str, stop: int) -> int:
    """Returns the offset after the closing quotes and brackets at `stop`."""
    found = CLOSERS.match(text, stop) if stop > 0 and not text[stop - 1].isspace() else None
    return stop if found is None else found.end()


def _near(text: str, start: int, stop: int, share: float) -> int:
    """Returns the offset of the word that starts at about the fraction `share` between `start` and `stop`."""
    middle = start + round((stop - start) * share)
    space = text.find(" ", middle - 1, stop)
    return middle if space < 0 else space + 1


def _stripped(text: str, start: int, stop: int, phonemes: str) -> _Stretch:
    while start < stop and text[start].isspace():
        start += 1
    while start < stop and text[stop - 1].isspace():
        stop -= 1
    return _Stretch(start, stop, phonemes)
