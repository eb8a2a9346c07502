"""Normalises text before reading: NFC, plain letters, digits, spaces and line ends, no unspeakable characters.

Called first by `front_end`, so that later steps see one kind of space and no control characters, emoji or lone
surrogates. Offsets into the result lead back to the original text. `edited` and `Normalised.then` let later steps
replace more. Source: Unicode Standard Annexes 15 (normalisation) and 44 (general categories), Unicode Technical
Standard 51 (emoji).
"""

import bisect
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from phonoscope.server.events import UnspokenKind
from phonoscope.server.text.compatibility import COMPATIBLE, plain_parts
from phonoscope.server.text.unspoken import EMOJI as _EMOJI
from phonoscope.server.text.unspoken import count

_SELECTORS_AND_TAGS: Final = "\u20e3\ufe00-\ufe0f\U000e0000-\U000e0fff"
_CONTROLS: Final = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
)
_SPACES: Final = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNASSIGNED: Final = "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"
_HYPHENS: Final = "\u2010\u2011"
_ODD: Final = _EMOJI + _SELECTORS_AND_TAGS + _CONTROLS + _SPACES + _UNASSIGNED + _HYPHENS + COMPATIBLE

_ODD_CHARACTER: Final = re.compile(f"[{_ODD}]")
# Two faster scans that find at least as much: of ASCII, and of any text, where all beyond the BMP may be odd.
_ODD_ASCII: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
_BEYOND_BMP: Final = "\U00010000-\U0010ffff"
_PERHAPS_ODD: Final = re.compile(f"[{re.sub(f'[{_BEYOND_BMP}](-[{_BEYOND_BMP}])?', '', _ODD)}{_BEYOND_BMP}]")
# An emoji before a mark is removed with the space before it: "Great 😀." becomes "Great.", not "Great dot".
# It is tried where a run of spaces or of emoji begins only, and gives nothing back: the time stays linear.
_EMOJI_BEFORE_MARK: Final = (
    rf"(?P<gone>(?:(?<![^\S\n])[^\S\n]++)?(?<![{_EMOJI}])[{_EMOJI}][{_EMOJI}{_SELECTORS_AND_TAGS}\u200d]*+"
    r"(?=[.,;:!?…)]))"
)
_STRETCHES: Final = rf"\r\n|{_EMOJI_BEFORE_MARK}|(?P<compatible>[{COMPATIBLE}]+)|[{_ODD}]"
_ODD_STRETCH: Final = re.compile(_STRETCHES)
# ASCII never combines with the previous character, so NFC changes text only between two ASCII characters.
_ODD_OR_DECOMPOSED: Final = re.compile(rf"{_STRETCHES}|[\x00-\x7f]?[^\x00-\x7f{_ODD}]+")

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

    The anchors divide both texts into segments. In a segment of equal length, characters map one to one; any other
    is the replacement of the whole original segment.

    Attributes:
        text: the normalised text.
        anchors: offsets in `text` where segments begin or end, ascending; empty when all offsets are equal.
        originals: the original offset of each anchor.
        unspoken: number of characters of the original text that are left out, by kind.
    """

    text: str
    anchors: tuple[int, ...] = ()
    originals: tuple[int, ...] = ()
    unspoken: Mapping[UnspokenKind, int] = field(default_factory=dict)

    def original(self, offset: int) -> int:
        """Returns the original offset of the character at `offset` of `text`; ends map to ends."""
        at, is_replaced = self._segment(offset)
        return offset if at < 0 else self.originals[at] + (0 if is_replaced else offset - self.anchors[at])

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """Returns the original offsets of characters `start` to `stop`; part of a replacement stands for all of it."""
        at, is_replaced = self._segment(stop)
        is_inside = is_replaced and self.anchors[at] < stop
        return self.original(start), self.originals[at + 1] if is_inside else self.original(stop)

    def place(self, original: int) -> int:
        """Returns the offset in `text` of the character at `original` of the original text."""
        at = bisect.bisect_right(self.originals, original) - 1
        return (
            original if at < 0 else self.anchors[at] + (0 if self._is_replaced(at) else original - self.originals[at])
        )

    def then(self, later: "Normalised") -> "Normalised":
        """Returns the result of another step on `text`, with the mapping back to this original text."""
        unspoken = Counter(self.unspoken) + Counter(later.unspoken)
        if not later.anchors:
            return replace(self, text=later.text, unspoken=unspoken)
        own = zip(self.anchors, self.originals, strict=True)
        pairs = [(later.place(anchor), original) for anchor, original in own if later.keeps(anchor)]
        others = zip(later.anchors, later.originals, strict=True)
        pairs += [(anchor, self.original(at)) for anchor, at in others if self._is_exact(at)]
        return _mapped(later.text, pairs, unspoken)

    def keeps(self, original: int) -> bool:
        """Returns whether an original offset is not inside what is replaced."""
        at = bisect.bisect_right(self.originals, original) - 1
        return at < 0 or not self._is_replaced(at) or self.originals[at] == original

    def _segment(self, offset: int) -> tuple[int, bool]:
        """Returns the number of the last anchor up to `offset`, -1 for none, and whether it begins a replacement."""
        at = bisect.bisect_right(self.anchors, offset) - 1
        return at, at >= 0 and self._is_replaced(at)

    def _is_replaced(self, at: int) -> bool:
        if at + 1 == len(self.anchors):
            return False
        return self.anchors[at + 1] - self.anchors[at] != self.originals[at + 1] - self.originals[at]

    def _is_exact(self, offset: int) -> bool:
        """Returns whether `offset` is not inside a replacement."""
        at, is_replaced = self._segment(offset)
        return not is_replaced or self.anchors[at] == offset


def edited(
    text: str, edits: Iterable[tuple[int, int, str]], unspoken: Mapping[UnspokenKind, int] | None = None
) -> Normalised:
    """Returns a text in which characters are replaced.

    Args:
        text: the text to edit.
        edits: start, stop and replacement of each, ascending; each replaces at least one character.
        unspoken: what the edits leave out.
    """
    pieces: list[str] = []
    pairs: list[tuple[int, int]] = []
    read = written = 0
    for start, stop, new in edits:
        pieces += text[read:start], new
        written += start - read
        if len(new) != stop - start:
            pairs += (written, start), (written + len(new), stop)
        written += len(new)
        read = stop
    pieces.append(text[read:])
    return _mapped("".join(pieces), pairs, unspoken or {})


def _mapped(text: str, pairs: Iterable[tuple[int, int]], unspoken: Mapping[UnspokenKind, int]) -> Normalised:
    """Returns a text with pairs of an anchor and its original offset."""
    ordered = sorted(set(pairs))
    return Normalised(text, tuple(anchor for anchor, _ in ordered), tuple(at for _, at in ordered), unspoken)


def normalise(text: str, known: Container[str] = ()) -> Normalised:
    """Returns `text` without unspeakable characters; plain text is returned unchanged after one scan.

    Args:
        text: as it was sent.
        known: characters that keep their form, although there is a plainer one.
    """
    composed = unicodedata.is_normalized("NFC", text)
    if composed and (_ODD_ASCII if text.isascii() else _PERHAPS_ODD).search(text) is None:
        return Normalised(text)
    edits: list[tuple[int, int, str]] = []
    gone: list[str] = []
    for match in (_ODD_STRETCH if composed else _ODD_OR_DECOMPOSED).finditer(text):
        start = match.start()
        for odd, new in _replaced(match, text, known):
            if new != odd:
                edits.append((start, start + len(odd), new))
                gone += () if new.strip() or odd in _REPLACEMENTS else odd
            start += len(odd)
    return edited(text, edits, count(gone))


def _replaced(match: re.Match[str], text: str, known: Container[str]) -> Iterator[tuple[str, str]]:
    """Yields the parts of a match, each with its replacement."""
    found = match.group()
    if match["compatible"] is not None:
        around = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        for odd, plain in plain_parts(found, *around):
            yield odd, odd if odd in known else plain
        return
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
