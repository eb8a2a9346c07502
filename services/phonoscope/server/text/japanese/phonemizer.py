"""A phonemizer of Japanese with English words in it, for voices that were trained on the phonemes of misaki.

Built by `text/phonemizers.py`, called by `front_end` on the text thread. `notation.py` writes signs and dates as
words, `reading.py` finds words and their kana, `moras.py` writes these in IPA. Latin words that the dictionary knows,
and abbreviations in capitals, sound as the Japanese say them; others are read by espeak-ng in American English.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.text.japanese import reading
from phonoscope.server.text.japanese.moras import ipa_of
from phonoscope.server.text.japanese.notation import in_words
from phonoscope.server.text.normalise import edited
from phonoscope.server.text.phonemizer import Clause, Phonemizer, SpokenWord
from phonoscope.server.text.wide_marks import (
    CLOSE_QUOTES,
    DASHES,
    DOTS,
    MARK,
    OPEN_QUOTES,
    SOUNDS,
    STOPS,
    TERMINATORS,
)

VOICE: Final = "ja-misaki"
"""The name of this phonemizer's only voice. Schemes with it set `reads_numbers`."""

_ENGLISH_VOICE: Final = "en-us"
# A clause without a mark ends before an accent phrase once it has this many symbols, before any word once it has the
# larger number; an utterance may have 400.
_LONG: Final = 280
_LONGEST: Final = 340

_LONGEST_ABBREVIATION: Final = 5  # letters; a longer word in capitals is a word

_JAPANESE: Final = (
    "\u3005-\u3007\u3041-\u3096\u3099-\u309e\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_LATIN: Final = "A-Za-zÀ-ÖØ-öø-ɏ"
_LATIN_WORD: Final = rf"[{_LATIN}][{_LATIN}'’]*(?:[.&+-][{_LATIN}][{_LATIN}'’]*)*"
_TOKEN: Final = re.compile(
    rf"""
    (?P<japanese>(?:[{_JAPANESE}]|\d+(?:[.,]\d+)*)+)
    | (?P<latin>{_LATIN_WORD}(?:[ ]{_LATIN_WORD})*)
    | (?P<dash>[{DASHES}]+)
    | (?P<dots>{DOTS})
    | (?P<mark>{MARK})
    | (?P<open>[{OPEN_QUOTES}])
    | (?P<close>[{CLOSE_QUOTES}])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Digits on both sides of a cut, perhaps with what joins them.
_CUT: Final = "|"
_DIGIT: Final = "[0-9〇一二三四五六七八九十百千万億兆]"
_WITHIN_NUMBER: Final = re.compile(rf"{_DIGIT}[.,:/-]?\{_CUT}[.,:/-]?{_DIGIT}")
_LATIN_WORDS: Final = re.compile(_LATIN_WORD)
# The wide forms that stay in normalised text, between digits.
_WIDE: Final = re.compile(r"(?<=\d)[．，／：－]|－(?=\d)|％")
_NARROW: Final[Mapping[int, int]] = {ord(wide): ord(wide) - 0xFEE0 for wide in "．，／：－％"}
# American sounds that Kokoro writes otherwise than Japanese ones with the same symbol.
_ENGLISH_SOUNDS: Final = (
    (re.compile("ɜː"), "ɜɹ"), (re.compile("[ːʲ]"), ""), (re.compile("ʔ"), "t"), (re.compile("x"), "k"),
    (re.compile("r"), "ɹ"), (re.compile("o(?!ʊ)"), "ɔ"), (re.compile("e(?!ɪ)"), "ɛ"),
)  # fmt: skip


class _Sound(NamedTuple):
    """Characters `start` to `stop` of a text: a word, a mark, or what is silent.

    Attributes:
        phonemes: of a word, with a space at the end, or of a quote or a dash.
        mark: the phoneme of a mark that ends a clause; "" for all others.
        starts_phrase: whether an accent phrase may start here.
        is_word: whether it is a word.
    """

    start: int
    stop: int
    phonemes: str = ""
    mark: str = ""
    starts_phrase: bool = True
    is_word: bool = False


class Japanese:
    """A Phonemizer of one voice, VOICE; thread-safe.

    Args:
        english: reads English words.
    """

    def __init__(self, english: Phonemizer) -> None:
        self._english = english

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when `voice` is another one, or the package that reads Japanese is missing."""
        if voice != VOICE:
            raise VoiceFileError(f'there is no Japanese voice "{voice}"; use "{VOICE}"')
        if not reading.are_installed():
            raise VoiceFileError("reading Japanese needs pyopenjtalk-plus; run: pip install 'phonoscope[kokoro]'")

    def prepare(self, voice: str) -> None:  # noqa: ARG002 - there is one
        """Begins to load the dictionaries."""
        reading.load_in_background()

    def clauses(self, text: str, voice: str) -> list[Clause]:  # noqa: ARG002 - there is one
        """Reads all of `text`; a clause ends at a mark, or between accent phrases if there is none for long."""
        plain = _WIDE.sub(lambda match: match.group().translate(_NARROW), text)
        normal = edited(plain, in_words(plain))
        clauses: list[Clause] = []
        clause = _ClauseInProgress(text, 0)
        for sound in self._sounds(normal.text):
            if clause.ends_before(sound):
                clauses.append(clause.ended("", ends_sentence=False))
                clause = _ClauseInProgress(text, clause.stop)
            clause.add(sound, *normal.source(sound.start, sound.stop))
            if sound.mark:
                is_end = sound.mark in STOPS and bool(clause.phonemes)
                clauses.append(clause.ended(sound.mark if clause.phonemes else "", ends_sentence=is_end))
                clause = _ClauseInProgress(text, clause.stop)
        if clause.start < len(text):
            clause.stop = len(text)
            clauses.append(clause.ended("", ends_sentence=True))
        return clauses

    def _sounds(self, text: str) -> Iterator[_Sound]:
        for kind, start, stop in _runs(text):
            found = text[start:stop]
            if kind == "japanese":
                behind = start
                for word in reading.words(found):
                    phonemes = f"{ipa_of(word.kana)} " if word.kana else ""
                    yield _Sound(behind, start + word.stop, phonemes, "", word.starts_phrase, is_word=bool(phonemes))
                    behind = start + word.stop
            elif kind == "latin":
                yield from self._spoken(found, start)
            elif kind == "mark":
                yield _Sound(start, stop, mark=TERMINATORS[found[0]])
            else:
                yield _Sound(start, stop, SOUNDS.get(kind, {}).get(found[0], ""))

    def _spoken(self, english: str, start: int) -> Iterator[_Sound]:
        """Reads English words; as one, if espeak-ng joins some of them."""
        clauses = self._english.clauses(english, _ENGLISH_VOICE)
        phonemes = " ".join(clause.phonemes for clause in clauses if clause.phonemes)
        for sound, japanese in _ENGLISH_SOUNDS:
            phonemes = sound.sub(japanese, phonemes)
        spans = [found.span() for found in re.finditer(r"\S+", english)]
        said = phonemes.split()
        if len(said) != len(spans):
            spans, said = [(0, len(english))], [" ".join(said)]
        for (first, last), word in zip(spans, said, strict=True):
            yield _Sound(start + first, start + last, f"{word} ", is_word=bool(word))


class _ClauseInProgress:
    """A clause of `text` from `start` on, as far as it is read: until `stop`."""

    def __init__(self, text: str, start: int) -> None:
        self.start = self.stop = start
        self.phonemes = ""
        self._text = text
        self._words: list[SpokenWord] = []

    def ends_before(self, sound: _Sound) -> bool:
        """Returns whether it is too long for another word, or for another accent phrase."""
        limit = _LONG if sound.starts_phrase else _LONGEST
        return sound.is_word and len(self.phonemes) >= limit and self.phonemes.endswith(" ")

    def add(self, sound: _Sound, start: int, stop: int) -> None:
        """Adds a sound of characters `start` to `stop`. Words of one number, or of one sign, are one word."""
        self.phonemes += sound.phonemes
        self.stop = max(self.stop, stop)
        if not sound.is_word:
            return
        phonemes = sound.phonemes.rstrip()
        behind = self._words[-1].stop if self._words else start
        is_rest = start < behind or start == stop or _is_within_number(self._text, start)
        if self._words and is_rest:
            last = self._words.pop()
            self._words.append(SpokenWord(last.start, max(last.stop, stop), f"{last.phonemes} {phonemes}"))
        else:
            self._words.append(SpokenWord(start, stop, phonemes))

    def ended(self, terminator: str, *, ends_sentence: bool) -> Clause:
        """Returns the clause with what ends it."""
        return Clause(self.phonemes.strip(), terminator, ends_sentence, self.stop, tuple(self._words))


def _runs(text: str) -> Iterator[tuple[str, int, int]]:
    """Yields kind, start and stop of each part of a text.

    Latin words that sound as the Japanese say them belong to the Japanese that they touch.
    """
    begin = behind = 0  # of Japanese
    for match in _TOKEN.finditer(text):
        kind, start, stop = match.lastgroup or "", match.start(), match.end()
        for first, last in _japanese_parts(kind, match.group(), start):
            if first > behind:
                yield from _run(begin, behind)
                begin = first
            behind = last
        if behind < stop:
            yield from _run(begin, behind)
            begin = behind = stop
            yield kind, start, stop
    yield from _run(begin, behind)


def _run(start: int, stop: int) -> Iterator[tuple[str, int, int]]:
    if start < stop:
        yield "japanese", start, stop


def _japanese_parts(kind: str, found: str, start: int) -> list[tuple[int, int]]:
    """Returns the ranges of a token that are read as Japanese: all, each of its Latin words, or none."""
    if kind == "japanese":
        return [(start, start + len(found))]
    words = list(_LATIN_WORDS.finditer(found)) if kind == "latin" else []
    are_japanese = all(_sounds_japanese(word.group()) for word in words)
    return [(start + word.start(), start + word.end()) for word in words] if are_japanese else []


def _sounds_japanese(latin: str) -> bool:
    is_abbreviation = latin.isupper() and len(latin) <= _LONGEST_ABBREVIATION
    return is_abbreviation or len(latin) == 1 or reading.has_word(latin)


def _is_within_number(text: str, at: int) -> bool:
    return _WITHIN_NUMBER.search(text[max(0, at - 2) : at] + _CUT + text[at : at + 2]) is not None
