"""Measures what espeak-ng makes of a character in each voice: a word, a name, a code such as "letter 1EC5", silence.

Called by `characters.py`. No table lists what the 140 languages of espeak-ng can read, so each character is read once
for each voice, in a frame of Latin letters, and the result is kept.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from typing import Final

from phonoscope.server.text.phonemizer import Phonemizer

# Letters of scripts that no voice reads, with codes that begin differently: all that they share is the word "letter".
_UNREAD: Final = ("\u16a0", "\ua000", "\ua4d1")
# Letters that most voices know by their script only, "Chinese letter": they share a word, too, at the end.
_OF_SCRIPTS: Final = ("\u4f60", "\u304b")
_SHORTEST_WORD: Final = 3
_FLAG: Final = re.compile(r"\([a-z0-9-]+\)")
_UNHEARD: Final = re.compile(r"\([a-z0-9-]+\)|[ˈˌ]")
_MAX_MEASURED: Final = 32_768


class Readability:
    """What a phonemizer reads; measures on demand, keeps the results."""

    def __init__(self, phonemizer: Phonemizer) -> None:
        self._phonemizer = phonemizer
        self.is_part_of_words = functools.lru_cache(_MAX_MEASURED)(self._is_part_of_words)
        self.is_spoken = functools.lru_cache(_MAX_MEASURED)(self._is_spoken)
        self.is_native = functools.lru_cache(_MAX_MEASURED)(self._is_native)
        self.is_mark_heard = functools.lru_cache(_MAX_MEASURED)(self._is_mark_heard)
        self.is_minus_heard = functools.lru_cache(None)(self._is_minus_heard)
        self.is_ordinal_heard = functools.lru_cache(None)(self._is_ordinal_heard)
        self._words_of_codes = functools.lru_cache(None)(self._measured_words_of_codes)

    def _is_part_of_words(self, letter: str, voice: str) -> bool:
        """Returns whether a word with this letter is read as a word, in contrast to letter by letter."""
        phonemes = self._heard(f"ta{letter.lower()}ta", voice)
        return " " not in phonemes and not self._is_code(phonemes, voice)

    def _is_spoken(self, character: str, voice: str) -> bool:
        """Returns whether a character on its own is heard, and not as a code."""
        phonemes = self._heard(f"ta {character} ta", voice)
        return phonemes != self._heard("ta ta", voice) and not self._is_code(phonemes, voice)

    def _is_native(self, character: str, voice: str) -> bool:
        """Returns whether a character is spoken in the voice's language, in contrast to its English name."""
        clauses = self._phonemizer.clauses(character, voice)
        return self.is_spoken(character, voice) and not any(_FLAG.search(clause.phonemes) for clause in clauses)

    def _is_mark_heard(self, mark: str, voice: str) -> bool:
        """Returns whether a combining mark changes a Latin letter, and does not break its word."""
        phonemes = self._heard(f"tae{mark}ta", voice)
        is_word = " " not in phonemes and not self._is_code(phonemes, voice)
        return is_word and phonemes != self._heard("taeta", voice)

    def _is_minus_heard(self, voice: str) -> bool:
        """Returns whether the hyphen of "-5" is read as a minus sign."""
        return self._heard("-5", voice) != self._heard("5", voice)

    def _is_ordinal_heard(self, sign: str, voice: str) -> bool:
        """Returns whether a sign after a number makes it an ordinal, such as 1º in Spanish: one word, and another."""
        phonemes = self._heard(f"1{sign}", voice)
        return " " not in phonemes and phonemes != self._heard("1", voice)

    def _is_code(self, phonemes: str, voice: str) -> bool:
        return any(word in phonemes for word in self._words_of_codes(voice))

    def _measured_words_of_codes(self, voice: str) -> tuple[str, ...]:
        """Returns the phonemes of "letter" in this language, in each form that it has; none if they are unknown."""
        first = _shared([self._heard(letter, voice) for letter in _UNREAD]).strip()
        last = _shared([self._heard(letter, voice)[::-1] for letter in _OF_SCRIPTS])[::-1].strip()
        return tuple(word for word in (first, last) if len(word) >= _SHORTEST_WORD)

    def _heard(self, text: str, voice: str) -> str:
        phonemes = " ".join(clause.phonemes for clause in self._phonemizer.clauses(text, voice))
        return " ".join(_UNHEARD.sub("", phonemes).split())


def _shared(texts: Sequence[str]) -> str:
    """Returns what all texts begin with."""
    columns = zip(*texts, strict=False)
    return "".join(column[0] for column in itertools.takewhile(lambda column: len(set(column)) == 1, columns))
