"""Splits text into sentences lazily, so that the first can be spoken before the rest is examined.

Called by `front_end`. It is conservative: espeak-ng finds sentence ends missed here, but a cut inside a sentence
cannot be undone. It is based on the rules of Unicode Standard Annex 29 (sentence boundaries) and adds lists of
abbreviations.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phonoscope.server.text.abbreviations import may_abbreviate

_OPENERS: Final = "\"'“”‘’„«»‹›([{¿¡-–—*•"

# “ closes in German and opens in Chinese, and French puts a space before »: both count only after the end of a word.
_CLOSERS: Final = r"[\"'”’»›)\]}」』）》】〉]*(?:(?:“| »)(?=\s|$))?"
CLOSERS: Final = re.compile(_CLOSERS)
"""Quotes and brackets that close with the mark just before them; matches the empty string where there are none."""

# Of bounded length, so that `incremental.py` knows how far to look ahead.
ITEM: Final = re.compile(r"[^\S\n]{0,16}(?:[-*+•‣◦▪]|\d{1,2}[.)])[^\S\n]{1,16}(?=\S)")
"""How an item of a list begins."""

BOUNDARY: Final = re.compile(
    rf"(?P<paragraph>\n[^\S\n]*\n)|(?P<item>\n(?={ITEM.pattern}))|"
    rf"(?P<wide>[。！？｡।॥]+{_CLOSERS})|(?<![.!?؟۔])(?P<stop>[.!?؟۔]++){_CLOSERS}(?=\s)"
)
"""Where a sentence may end: at empty lines, before items of a list and after wide marks always; after `stop` marks if
`ends_sentence`."""
_NEXT: Final = re.compile(rf"\s*[{re.escape(_OPENERS)}]*\s*(.)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `stop` (excluded) of a text, without space around them."""

    start: int
    stop: int


def split(text: str, language: str) -> Iterator[Span]:
    """Yields the sentences of `text` in a language such as "en"; does not read past the current sentence."""
    start = 0
    for match in BOUNDARY.finditer(text):
        if match["stop"] is not None and not ends_sentence(text, match, language):
            continue
        if (span := stripped(text, start, match.end())) is not None:
            yield span
        start = match.end()
    if (span := stripped(text, start, len(text))) is not None:
        yield span


def following(text: str, start: int, max_characters: int | None = None) -> str | None:
    """Returns the first character from `start`, within so many, that is neither white space nor an opening mark."""
    found = _NEXT.match(text, start, len(text) if max_characters is None else start + max_characters)
    return found.group(1) if found else None


def ends_sentence(text: str, match: re.Match[str], language: str, max_characters: int | None = None) -> bool:
    """Returns whether the marks of a `stop` match end a sentence; looks `max_characters` ahead at most."""
    marks = match["stop"]
    if ".." in marks:
        return False  # the sentence continues after an ellipsis, or trails off
    character = following(text, match.end(), max_characters)
    if character is None:
        return True
    if not character.isalnum() or character.islower():
        return False
    return marks != "." or not may_abbreviate(text, match.start("stop"), language)


def stripped(text: str, start: int, stop: int) -> Span | None:
    """Returns the characters from `start` to `stop` without surrounding space; None if none are left."""
    while start < stop and text[start].isspace():
        start += 1
    while start < stop and text[stop - 1].isspace():
        stop -= 1
    return Span(start, stop) if start < stop else None
