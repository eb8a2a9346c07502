"""Makes the characters of a text readable for a voice: names symbols, unfolds letters, counts what nothing reads.

Called by `front_end.py` after `normalise`. A character stays as it is if the voice reads it; otherwise it becomes the
words of its meaning, or plainer letters; otherwise it is left out and counted, so that none is lost in silence. Text
of ASCII letters costs no scan.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from phonoscope.server.text.character_names import (
    ALPHABETS,
    CURRENCIES,
    ENGLISH_EXTRA,
    NAMES,
    PREFERRED,
    currency_name,
)
from phonoscope.server.text.folding import folded
from phonoscope.server.text.normalise import Normalised, edited
from phonoscope.server.text.notation import notation
from phonoscope.server.text.phonemizer import Phonemizer
from phonoscope.server.text.readability import Readability
from phonoscope.server.text.unspoken import count
from phonoscope.server.text.writing import is_of_latin_script, samples_of_block, script_of, scripts_of
from phonoscope.server.types import PhonemeScheme

# Of ASCII, espeak-ng is silent on some of these in some languages; it reads or pauses at all others.
_ASCII_SIGNS: Final = "^|`<>$"
_MATHEMATICS: Final = re.compile("[\u2190-\u21ff\u2200-\u22ff\u27c0-\u27ff\u2900-\u2aff]")
# Symbols above are CJK, emoji, music: none of them has a name in espeak-ng.
_FIRST_UNNAMED: Final = "\u3000"
_ELLIPSES: Final = "⋮⋯⋰⋱"  # shape a pause
_ORDINALS: Final = "ºª"
_MAX_KNOWN: Final = 65_536


class Characters:
    """Reads characters for any voice; one thread at a time.

    Args:
        phonemizer: is asked which characters it reads.
    """

    def __init__(self, phonemizer: Phonemizer) -> None:
        self._readability = Readability(phonemizer)
        self._known: dict[tuple[str, str], str] = {}  # replacements, by voice and character

    def read(self, normal: Normalised, scheme: PhonemeScheme) -> Normalised:
        """Returns a text in which every character is one that the voice reads, or punctuation."""
        if scheme.kind == "plain":
            return normal  # its engine reads text
        if scheme.kind == "text":
            return normal.then(edited(normal.text, _spelled(normal.text, scheme)))
        if normal.text.isascii() and not any(sign in normal.text for sign in (*_ASCII_SIGNS, "-")):
            return normal
        edits = notation(normal.text, scheme.language, scheme.espeak_voice, self._readability)
        noted = normal.then(edited(normal.text, edits))
        return noted.then(self._named(noted.text, scheme))

    def _named(self, text: str, scheme: PhonemeScheme) -> Normalised:
        """Replaces each character that the voice does not read."""
        odd = {one for one in set(text) if one >= "\x80" or one in _ASCII_SIGNS}
        new = {one: words for one in odd if (words := self._replacement(one, scheme)) != one}
        if not new:
            return Normalised(text)
        found = list(re.finditer(f"[{re.escape(''.join(new))}]", text))
        edits = ((match.start(), match.end(), _apart(new[match.group()], match)) for match in found)
        return edited(text, edits, count(match.group() for match in found if not new[match.group()].strip()))

    def _replacement(self, character: str, scheme: PhonemeScheme) -> str:
        """Returns what is read instead of a character: itself, words, or a space for nothing."""
        key = scheme.espeak_voice, character
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._found(character, scheme.language, scheme.espeak_voice)
        return self._known[key]

    def _found(self, character: str, language: str, voice: str) -> str:
        name = NAMES.get(language, {}).get(character) or (language == "en" and ENGLISH_EXTRA.get(character))
        if name and (character in PREFERRED or not self._readability.is_native(character, voice)):
            return name
        category = unicodedata.category(character)
        if category[0] in "PZ":
            return character
        if category[0] in "LM":
            return character if name else self._letter(character, language, voice)
        if category[0] == "N":
            is_own = script_of(character) in scripts_of(language)  # such as 〇
            return character if is_own else self._number(character, voice)
        return self._symbol(character, language, voice)

    def _letter(self, letter: str, language: str, voice: str) -> str:
        if is_of_latin_script(letter):
            return self._latin(letter, language, voice)
        if script_of(letter) in scripts_of(language):
            return letter
        if any(self._readability.is_spoken(sample, voice) for sample in samples_of_block(letter)):
            return letter
        plain = unicodedata.normalize("NFKC", letter)
        return self._letter(plain, language, voice) if len(plain) == 1 and plain != letter else " "

    def _latin(self, letter: str, language: str, voice: str) -> str:
        if unicodedata.category(letter)[0] == "M":
            return letter if self._readability.is_mark_heard(letter, voice) else ""
        if letter in _ORDINALS and self._readability.is_ordinal_heard(letter, voice):
            return letter
        if unicodedata.decomposition(letter).startswith(("<super>", "<sub>")):
            return unicodedata.normalize("NFKC", letter)
        if self._readability.is_part_of_words(letter, voice):
            return letter

        def is_read(plain: str) -> bool:
            if plain.isascii() or plain == "’":
                return True
            own = ALPHABETS.get(language)
            is_own = own is None or plain.lower() in own
            return is_own and self._readability.is_part_of_words(plain, voice)

        return folded(letter, is_read) or " "

    def _number(self, character: str, voice: str) -> str:
        value = unicodedata.numeric(character, None)
        if unicodedata.category(character) == "Nd" and value is not None:
            return character if self._readability.is_spoken(character, voice) else str(int(value))
        if character < _FIRST_UNNAMED and self._readability.is_spoken(character, voice):
            return character
        plain = unicodedata.normalize("NFKC", character)
        if plain.isascii():
            return plain
        return " " if value is None or not value.is_integer() else f" {int(value)} "

    def _symbol(self, character: str, language: str, voice: str) -> str:
        if character < _FIRST_UNNAMED and self._readability.is_spoken(character, voice):
            return character
        if character in _ELLIPSES:
            return character
        if (character in CURRENCIES or character == "₿") and (
            currency := currency_name(character, language, is_plural=False)
        ):
            return currency
        if language == "en" and _MATHEMATICS.match(character) and (name := unicodedata.name(character, "")):
            return name.lower()
        plain = unicodedata.normalize("NFKC", character)
        is_plainer = plain != character and plain.isascii() and plain not in _ASCII_SIGNS
        return plain if is_plainer or plain == "$" else " "


def _apart(words: str, match: re.Match[str]) -> str:
    """Returns words with spaces between them and the words around them."""
    if len(words) == 1 or unicodedata.category(match.group())[0] in "LMN":
        return words  # a letter within a word, or nothing
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return f"{' ' if _is_joined(before) else ''}{words}{' ' if _is_joined(after) else ''}"


def _is_joined(neighbour: str) -> bool:
    """Returns whether a neighbour would run into a word: neither space nor punctuation."""
    return bool(neighbour) and not neighbour.isspace() and unicodedata.category(neighbour)[0] != "P"


def _spelled(text: str, scheme: PhonemeScheme) -> Iterator[tuple[int, int, str]]:
    """Yields plainer letters for those of a text that have no id in a voice of characters."""

    def is_known(letter: str) -> bool:
        return all(part in scheme.ids for part in unicodedata.normalize("NFD", letter))

    for at, letter in enumerate(text):
        if letter >= "\x80" and not is_known(letter) and (plain := folded(letter, is_known)):
            yield at, at + 1, plain
