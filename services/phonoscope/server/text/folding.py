"""Finds plainer letters for one that a voice cannot read: ễ is e, ß is ss, ʰ is h.

Called by `characters.py`. The plainer letters keep as many marks as the voice reads. Source: the decompositions and
names of the Unicode character database; the table has the letters that have neither.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

_WITHOUT_DECOMPOSITION: Final = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "ı": "i", "ȷ": "j", "ŋ": "ng",
    "Ŋ": "Ng", "ĸ": "k", "ŧ": "t", "Ŧ": "T", "ə": "a", "Ə": "A", "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O", "ƒ": "f",
    "ʻ": "’", "ʽ": "’", "ꞌ": "’",
}  # fmt: skip
_NAME: Final = re.compile(
    r"(?:LATIN|MODIFIER|SUBSCRIPT|SUPERSCRIPT)(?: LATIN)? (?:SUBSCRIPT )?(SMALL|CAPITAL) "
    r"(?:LETTER|LIGATURE) (?:[A-Z]+ )?([A-Z]{1,2})(?: WITH .*)?"
)


def folded(letter: str, is_read: Callable[[str], bool]) -> str | None:
    """Returns the nearest letters of which all are read; None if there are none."""
    return next((plain for plain in _candidates(letter) if all(map(is_read, plain))), None)


def _candidates(letter: str) -> Iterator[str]:
    """Yields plainer forms of a letter, from near to far."""
    if plain := _WITHOUT_DECOMPOSITION.get(letter):
        yield plain
    for form in ("NFD", "NFKD"):
        parts = unicodedata.normalize(form, letter)
        while len(parts) > 1 and unicodedata.category(parts[-1])[0] == "M":
            parts = parts[:-1]
            yield unicodedata.normalize("NFC", parts)
            if plain := _WITHOUT_DECOMPOSITION.get(parts):
                yield plain
        if parts != letter:
            yield "".join(part for part in parts if unicodedata.category(part)[0] != "M")
    if named := _NAME.fullmatch(unicodedata.name(letter, "")):
        yield named[2] if named[1] == "CAPITAL" else named[2].lower()
