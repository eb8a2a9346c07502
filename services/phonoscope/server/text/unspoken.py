"""Counts the characters that are not spoken, by kind, so that no accepted character is lost in silence.

Called by `normalise.py` and `characters.py`, which decide what is not spoken; `telemetry/` exports the counts.
Punctuation and white space are no loss: they shape pauses. Source: Unicode Standard Annex 44 (general categories).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from phonoscope.server.events import UnspokenKind

EMOJI: Final = (
    "\u2300-\u2302\u2304-\u2317\u2319-\u2324\u2326-\u232a\u232c-\u238a\u238c-\u23cd\u23cf-\u23ff"
    "\u25a0-\u266c\u2670-\u2775\u2795-\u2797\u27a1\u27b0\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f12a-\U0001f12f\U0001f14a-\U0001f14f\U0001f16a-\U0001f16f"
    "\U0001f18a-\U0001f1ff\U0001f200-\U0001faff"
)
"""Emoji, dingbats and other pictures, as ranges of a character class; not those that stand for a letter or a word."""

_SELECTOR: Final = re.compile("[\u20e3\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_PICTURE: Final = re.compile(f"[{EMOJI}]")
_CATEGORIES: Final[Mapping[str, UnspokenKind]] = {
    "Cc": "control", "Cf": "format", "Co": "private_use", "Cn": "unassigned", "Cs": "unassigned",
    "L": "letter", "M": "mark", "N": "digit", "S": "symbol",
}  # fmt: skip


def kind_of(character: str) -> UnspokenKind | None:
    """Returns the kind of a character that is not spoken; None for punctuation and white space."""
    category = unicodedata.category(character)
    if category in ("Mn", "Me") and _SELECTOR.match(character):
        return "format"  # selects how the character before it looks
    if category[0] == "S" and _PICTURE.match(character):
        return "emoji"
    if character.isspace():
        return None
    return _CATEGORIES.get(category) or _CATEGORIES.get(category[0])


def count(characters: Iterable[str]) -> Counter[UnspokenKind]:
    """Returns how many of these characters are of each kind."""
    return Counter(kind for character in characters if (kind := kind_of(character)) is not None)


def count_symbols(text: str) -> Counter[UnspokenKind]:
    """Returns the symbols of a text that is skipped because it has nothing else to speak."""
    return Counter({"symbol": found} if (found := sum(unicodedata.category(one)[0] == "S" for one in text)) else {})
