"""Normalises text before reading: NFC, plain spaces and line ends, no unspeakable characters.

Called first by `front_end`, so that later steps see one kind of space and no control characters, emoji or lone
surrogates. Offsets into the result lead back to the original text. Source: Unicode Standard Annexes 15
(normalisation) and 44 (general categories), Unicode Technical Standard 51 (emoji).
"""

import bisect
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_EMOJI: Final = (
    "\u2300-\u23ff\u25a0-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f0ff\U0001f10d-\U0001f1ff\U0001f200-\U0001faff"
)
_SELECTORS_AND_TAGS: Final = "\u20e3\ufe00-\ufe0f\U000e0000-\U000e0fff"
_CONTROLS: Final = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
)
_SPACES: Final = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNASSIGNED: Final = "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"
_HYPHENS: Final = "\u2010\u2011"
_ODD: Final = _EMOJI + _SELECTORS_AND_TAGS + _CONTROLS + _SPACES + _UNASSIGNED + _HYPHENS

_ODD_CHARACTER: Final = re.compile(f"[{_ODD}]")
# An emoji before a mark is removed with the space before it: "Great 😀." becomes "Great.", not "Great dot".
_EMOJI_BEFORE_MARK: Final = rf"(?P<gone>[^\S\n]*[{_EMOJI}][{_EMOJI}{_SELECTORS_AND_TAGS}\u200d]*(?=[.,;:!?…)]))"
_ODD_STRETCH: Final = re.compile(rf"\r\n|{_EMOJI_BEFORE_MARK}|[{_ODD}]")
# ASCII never combines with the previous character, so NFC changes text only between two ASCII characters.
_ODD_OR_DECOMPOSED: Final = re.compile(rf"\r\n|{_EMOJI_BEFORE_MARK}|[{_ODD}]|[\x00-\x7f]?[^\x00-\x7f{_ODD}]+")

_LINE: Final = "\n"
_PARAGRAPH: Final = "\n\n"
_REPLACEMENTS: Final = {
    **dict.fromkeys(("\r\n", "\r", "\x0b", "\x85", "\u2028"), _LINE),
    **dict.fromkeys(("\x0c", "\u2029"), _PARAGRAPH),
    **dict.fromkeys(_HYPHENS, "-"),
    "\u200b": " ",
    **dict.fromkeys("❓❔", "?"),
    **dict.fromkeys("❕❗❢❣", "!"),
}
_EMOJI_ONLY: Final = re.compile(f"[{_EMOJI}]")
_JOINERS: Final = "\u200c\u200d"
_FIRST_SCRIPT_WITH_JOINERS: Final = "\u0600"  # Arabic; Persian and the Indian scripts spell with joiners
_FIRST_SCRIPT_AFTER: Final = "\u1e00"


@dataclass(frozen=True, slots=True)
class Normalised:
    """Normalised text, with a mapping back to the original text.

    Attributes:
        text: the normalised text.
        anchors: offsets in `text` where the distance to the original changes, ascending; empty when it never does.
        originals: the original offset of each anchor.
    """

    text: str
    anchors: tuple[int, ...] = ()
    originals: tuple[int, ...] = ()

    def original(self, offset: int) -> int:
        """Returns the original offset of the character at `offset` of `text`; ends map to ends."""
        index = bisect.bisect_right(self.anchors, offset) - 1
        if index < 0:
            return offset if not self.originals else min(offset, self.originals[0])
        original = self.originals[index] + offset - self.anchors[index]
        return original if index + 1 == len(self.originals) else min(original, self.originals[index + 1])

    def place(self, original: int) -> int:
        """Returns the offset in `text` of the character at `original` of the original text."""
        index = bisect.bisect_right(self.originals, original) - 1
        if index < 0:
            return original if not self.anchors else min(original, self.anchors[0])
        place = self.anchors[index] + original - self.originals[index]
        return place if index + 1 == len(self.anchors) else min(place, self.anchors[index + 1])


def normalise(text: str) -> Normalised:
    """Returns `text` without unspeakable characters; plain text is returned unchanged after one scan."""
    composed = unicodedata.is_normalized("NFC", text)
    if composed and _ODD_CHARACTER.search(text) is None:
        return Normalised(text)
    pieces: list[str] = []
    anchors: list[int] = []
    originals: list[int] = []
    read = written = 0
    for match in (_ODD_STRETCH if composed else _ODD_OR_DECOMPOSED).finditer(text):
        pieces.append(text[read : match.start()])
        written += match.start() - read
        read = match.start()
        for odd, replacement in _replaced(match, text):
            pieces.append(replacement)
            written += len(replacement)
            read += len(odd)
            if len(replacement) != len(odd):
                anchors.append(written)
                originals.append(read)
    pieces.append(text[read:])
    return Normalised("".join(pieces), tuple(anchors), tuple(originals))


def _replaced(match: re.Match[str], text: str) -> Iterator[tuple[str, str]]:
    """Yields the parts of a match, each with its replacement."""
    found = match.group()
    if len(found) == 1 or match["gone"] is not None or _ODD_CHARACTER.match(found):
        yield found, _replacement(match, text)
        return
    start = 0
    for at in range(1, len(found) + 1):
        if at == len(found) or not _joins_what_is_before(found[at]):
            yield found[start:at], unicodedata.normalize("NFC", found[start:at])
            start = at


def _joins_what_is_before(character: str) -> bool:
    """Returns whether NFC may combine it with the previous character: marks, later letters of a Korean syllable."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def _replacement(match: re.Match[str], text: str) -> str:
    odd = match.group()
    if match["gone"] is not None:
        return ""
    if (known := _REPLACEMENTS.get(odd)) is not None:
        return known
    if _EMOJI_ONLY.match(odd) or odd.isspace():
        return " "
    if odd in _JOINERS:
        before = text[match.start() - 1 : match.start()]
        return odd if _FIRST_SCRIPT_WITH_JOINERS <= before < _FIRST_SCRIPT_AFTER else ""
    return unicodedata.normalize("NFC", odd) if _ODD_CHARACTER.match(odd) is None else ""
