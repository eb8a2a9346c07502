"""Plain forms of characters that are only another way to write letters, digits and units: 𝗛 is H, ① is 1, ㎏ is kg.

Called by `normalise.py` for every language. Superscripts, fractions and symbols are not here: they have a meaning of
their own, and `characters.py` reads them. Source: the decompositions of the Unicode character database.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

COMPATIBLE: Final = (
    "\u02bc\u2102\u2103\u2109-\u2115\u2119-\u211d\u2121\u2124\u2128\u212c\u212d\u212f-\u2131\u2133\u2134\u2139"
    "\u213b-\u213f\u2145-\u2149\u2160-\u217f\u2460-\u24ff\u2776-\u2794\u2798-\u27a0\u27a2-\u27af\u27b1-\u27be"
    "\u3200-\u33ff\ufb00-\ufb06\ufb13-\ufb17\ufb20-\ufb4f\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdfc\ufe70-\ufefc"
    "\uff03-\uff06\uff0b\uff10-\uff19\uff1c-\uff1e\uff20-\uff3a\uff3e\uff41-\uff5a\uff5e\uff66-\uff9f\uffe0-\uffe6"
    "\u0262\u026a\u0274\u0276\u0280\u028f\u0299\u029c\u029f\u1d00-\u1d2b\ua730\ua731\ua7ae\ua7af\ua7b2"
    "\U0001d400-\U0001d7ff\U0001f100-\U0001f10c\U0001f110-\U0001f129\U0001f130-\U0001f149\U0001f150-\U0001f169"
    "\U0001f170-\U0001f189\U0001fbf0-\U0001fbf9"
)
"""These characters, as ranges of a character class; includes a few that have no plain form."""

_ROMAN: Final = "\u2160-\u217f"
_HALF_WIDTH: Final = "\uff66-\uff9f"
# What is read as one: a Roman numeral, and a half-width letter with its voicing mark.
_UNITS: Final = re.compile(f"[{_ROMAN}]+|[{_HALF_WIDTH}]+|.", re.DOTALL)
_UNITS_OF_MEASURE: Final = re.compile("[\u2103\u2109\u3371-\u33df\u33ff]")
_ARROWS: Final = re.compile("[\u2794\u2798-\u27af\u27b1-\u27be]")
_APOSTROPHES: Final = {"\u02bc": "\u2019"}  # espeak-ng calls the letter "ejective"
_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_CANONICAL_ROMAN: Final = re.compile(r"M*(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_NAMED_LETTER: Final = re.compile(
    r"(?:(?:NEGATIVE )?(?:CIRCLED|SQUARED|PARENTHESIZED) LATIN CAPITAL LETTER|LATIN LETTER SMALL CAPITAL) ([A-Z]{1,2})"
)
_SMALL: Final = "LATIN LETTER"
_KEPT: Final = frozenset(("<super>", "<sub>", "<fraction>"))  # of which `characters.py` knows the meaning


def plain_parts(run: str, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yields the parts of a run of such characters, each with its plain form.

    Args:
        run: adjacent characters of COMPATIBLE.
        before: the character before it; "" at the start of the text.
        after: the character after it; "" at the end of the text.
    """
    units = _UNITS.findall(run)
    for index, unit in enumerate(units):
        plain = _plain_form(unit)
        following = units[index + 1] if index + 1 < len(units) else after
        if plain != unit:
            plain = _apart(unit, plain, before, following)
        yield unit, plain
        before = plain[-1:]


def _apart(unit: str, plain: str, before: str, following: str) -> str:
    """Adds the spaces that keep numbers apart from what is around them."""
    if _UNITS_OF_MEASURE.match(unit):
        return f" {plain}" if before.isdecimal() else plain
    if not _stands_alone(unit):
        return plain
    return f"{' ' if before.isalnum() else ''}{plain}{' ' if following.isalnum() else ''}"


def _stands_alone(unit: str) -> bool:
    """Returns whether it is a whole number, in contrast to a digit such as 𝟓."""
    category = unicodedata.category(unit[0])
    return category == "Nl" or (category == "No" and unicodedata.numeric(unit[0], None) is not None)


@functools.lru_cache(maxsize=4096)
def _plain_form(unit: str) -> str:
    """Returns the plain form of one unit of a run; itself if it has none."""
    if "\u2160" <= unit[0] <= "\u217f":
        return _roman(unit)
    if "\uff66" <= unit[0] <= "\uff9f":
        return unicodedata.normalize("NFKC", unit)
    if _ARROWS.match(unit):
        return "→"
    return _APOSTROPHES.get(unit) or _form_of_one(unit)


def _form_of_one(unit: str) -> str:
    name = unicodedata.name(unit, "")
    if named := _NAMED_LETTER.fullmatch(name):
        return named[1].lower() if name.startswith(_SMALL) else named[1]
    value = unicodedata.numeric(unit, None)
    if value is not None and value.is_integer() and not _is_marked_number(unit):
        return str(int(value))
    return unicodedata.normalize("NFC", _expanded(unit))


def _is_marked_number(unit: str) -> bool:
    """Returns whether a number has punctuation of its own: ⒈ is "1.", ⑴ is "(1)"."""
    return not unicodedata.normalize("NFKC", unit).isalnum()


def _expanded(character: str) -> str:
    """Returns a character's compatibility decomposition, in which superscripts, subscripts and fractions stay."""
    tag, *codes = unicodedata.decomposition(character).split() or [""]
    if not tag.startswith("<") or tag in _KEPT:
        return character
    return "".join(_expanded(chr(int(code, 16))) for code in codes)


def _roman(numeral: str) -> str:
    """Returns a Roman numeral as a number; as Latin letters if it is not well formed."""
    letters = unicodedata.normalize("NFKC", numeral)
    upper = letters.upper()
    if not _CANONICAL_ROMAN.fullmatch(upper):
        return letters
    values = [_VALUES[letter] for letter in upper]
    signed = (-one if one < later else one for one, later in zip(values, [*values[1:], 0], strict=True))
    return str(sum(signed))
