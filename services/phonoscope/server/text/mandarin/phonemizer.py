"""A phonemizer of Mandarin with English words in it, for voices that were trained on the phonemes of misaki.

Built by `text/phonemizers.py`, called by `front_end` on the text thread. Numbers become words, runs of characters are
read by `reading.py`, and runs of Latin letters by espeak-ng in American English. Phonemes are IPA with Chao's tone
letters; the engine's spelling gives them their numbers. Brackets and quotes, which the voices were trained with, are
phonemes too.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.text.mandarin import reading
from phonoscope.server.text.mandarin.numbers import in_words
from phonoscope.server.text.normalise import edited
from phonoscope.server.text.phonemizer import Clause, Phonemizer
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

VOICE: Final = "cmn-misaki"
"""The name of this phonemizer's only voice. Schemes with it set `reads_numbers`."""

_ENGLISH_VOICE: Final = "en-us"
# A clause without a mark ends after the word that reaches this many symbols; an utterance may have 400.
_LONG: Final = 300

_HAN: Final = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LATIN: Final = "A-Za-zÀ-ÖØ-öø-ɏ"
_TOKEN: Final = re.compile(
    rf"""
    (?P<han>[{_HAN}]+)
    | (?P<latin>[{_LATIN}][{_LATIN}'’]*(?:[ .&-][{_LATIN}][{_LATIN}'’]*)*)
    | (?P<dash>[{DASHES}]+)
    | (?P<dots>{DOTS})
    | (?P<mark>{MARK})
    | (?P<open>[{OPEN_QUOTES}（(])
    | (?P<close>[{CLOSE_QUOTES}）)])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WIDE_POINT: Final = re.compile(r"(?<=\d)．(?=\d)")
_WIDE_TO_PLAIN: Final[Mapping[int, int | str]] = {
    **{code: code - 0xFEE0 for code in range(0xFF10, 0xFF1A)},
    ord("％"): "%",
    ord("＋"): "+",
}
# Sounds that a voice of Mandarin has with another meaning, or not at all.
_ENGLISH_SOUNDS: Final = (("ɚ", "əɹ"), ("oː", "ɔː"), ("x", "k"), ("r", "ɹ"))


class _Sound(NamedTuple):
    """A part of a text: its phonemes, the mark that it is ("" for none), and the offset after it."""

    phonemes: str
    mark: str
    stop: int


class Mandarin:
    """A Phonemizer of one voice, VOICE; thread-safe.

    Args:
        english: reads English words.
    """

    def __init__(self, english: Phonemizer) -> None:
        self._english = english

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when `voice` is another one, or the packages that read Chinese are missing."""
        if voice != VOICE:
            raise VoiceFileError(f'there is no Mandarin voice "{voice}"; use "{VOICE}"')
        if not reading.are_installed():
            raise VoiceFileError("reading Chinese needs jieba and pypinyin; run: pip install 'phonoscope[kokoro]'")

    def prepare(self, voice: str) -> None:  # noqa: ARG002 - there is one
        """Begins to load the dictionaries."""
        reading.load_in_background()

    def clauses(self, text: str, voice: str) -> list[Clause]:  # noqa: ARG002 - there is one
        """Reads all of `text`; a clause ends at a mark, or at a word if there is none for long."""
        return list(self._clauses(text))

    def _clauses(self, text: str) -> Iterator[Clause]:
        plain = _WIDE_POINT.sub(".", text.translate(_WIDE_TO_PLAIN))
        normal = edited(plain, in_words(plain))
        phonemes, behind = "", 0
        for sound in self._sounds(normal.text):
            stop = max(behind, normal.source(0, sound.stop)[1])
            if sound.mark:
                is_end = sound.mark in STOPS and bool(phonemes)
                yield Clause(phonemes.strip(), sound.mark if phonemes else "", is_end, stop)
                phonemes, behind = "", stop
                continue
            phonemes += sound.phonemes
            if len(phonemes) >= _LONG and phonemes.endswith(" ") and stop < len(text):
                yield Clause(phonemes.strip(), "", ends_sentence=False, stop=stop)
                phonemes, behind = "", stop
        if behind < len(text):
            yield Clause(phonemes.strip(), "", ends_sentence=True, stop=len(text))

    def _sounds(self, text: str) -> Iterator[_Sound]:
        """Yields the parts of a text; every word's phonemes end with a space."""
        for match in _TOKEN.finditer(text):
            kind, found, stop = match.lastgroup, match.group(), match.end()
            if kind == "han":
                at = match.start()
                for word, ipa in reading.words(found):
                    at += len(word)
                    yield _Sound(f"{ipa} ", "", at)
            elif kind == "latin":
                yield _Sound(f"{self._spoken(found)} ", "", stop)
            elif kind == "mark":
                yield _Sound("", TERMINATORS[found[0]], stop)
            else:
                yield _Sound(_PUNCTUATION.get(kind or "", {}).get(found[0], ""), "", stop)

    def _spoken(self, english: str) -> str:
        letter = f"{english}." if len(english) == 1 else english  # espeak-ng reads "A" as the article
        clauses = self._english.clauses(letter, _ENGLISH_VOICE)
        phonemes = " ".join(clause.phonemes for clause in clauses if clause.phonemes)
        for sound, plainer in _ENGLISH_SOUNDS:
            phonemes = phonemes.replace(sound, plainer)
        return phonemes


# Round brackets stay wide: "(ma)" would look like espeak-ng's change to a language "ma".
_PUNCTUATION: Final = {
    **SOUNDS,
    "open": {**SOUNDS["open"], **dict.fromkeys("（(", "（")},
    "close": {**SOUNDS["close"], **dict.fromkeys("）)", "） ")},
}
