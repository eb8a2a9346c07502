"""Splits incremental input into stretches to read, each as soon as later input cannot change it.

Called by `incremental_input.py` with what a caller sends, usually tokens of a language model. `split` decides where
sentences end; this module decides when that is final. The stretches do not depend on how the text is cut into pieces.
docs/text.md lists the rules.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Protocol

from phonoscope.server.text.passage import Passage
from phonoscope.server.text.split import BOUNDARY, CLOSERS, Span, ends_sentence, following, stripped

# Minimum characters of a clause that may be the first stretch, so that audio starts before the first sentence ends.
FIRST_CLAUSE_CHARACTERS: Final = 32
# Maximum length of a stretch; a longer one is cut.
LONGEST_STRETCH: Final = 400
# How many characters after its last mark can decide whether a sentence ends.
LOOKAHEAD: Final = 64
# How many characters after a wide mark, such as 。, marks and closing quotes can belong to it.
WIDE_LOOKAHEAD: Final = 3
# Characters kept before a stretch, because they distinguish abbreviations from sentence ends.
CONTEXT: Final = 512
# When audio runs out: minimum characters of a clause to take; otherwise take text up to the last word.
SHORTEST_CLAUSE: Final = 12

_CLAUSE: Final = re.compile(r"(?:[,;:]|[—–])[\"'”’»›)\]}]*(?=\s)|[，、；：]")
_TRAILING_END: Final = re.compile(rf"(?<![.!?؟۔。！？｡।॥…])[.!?؟۔。！？｡।॥…]++{CLOSERS.pattern}$")
_EMPTY_LINE: Final = re.compile(r"[^\S\n]*\n[^\S\n]*\n")
_SPACE: Final = re.compile(r"\s")
# Numbers on both sides of a mark belong together: "May 3rd, 2026", "3 – 5", "10 am – 4 pm".
_NUMBER_BEFORE: Final = re.compile(r"\d(?:[^\W\d_]{0,2}|\s?[ap]\.?m\.?)\s?\Z")
_JOINER: Final = "\u200d"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text that is ready to read: characters `start` to `stop` (excluded) of all pieces joined.

    Attributes:
        text: these characters, as received.
        passage: what to read of them.
    """

    start: int
    stop: int
    text: str
    passage: Passage


class TextInPieces(Protocol):
    """A text that arrives in pieces. Its stretches do not depend on how it is cut into pieces.

    Attributes:
        characters: number received so far.
    """

    characters: int

    @property
    def has_clause(self) -> bool:
        """Whether `take_clause` would return anything."""

    def add(self, piece: str) -> list[Stretch]:
        """Adds the next piece; returns the stretches that are now final."""

    def flush(self) -> list[Stretch]:
        """Returns all remaining text, as if the text ended here."""

    def take_clause(self) -> list[Stretch]:
        """Returns what can be spoken early: text up to the end of the last clause, or up to the last whole word."""


class IncrementalText:
    """One plain text that arrives in pieces.

    Args:
        language: selects the abbreviations, such as "en".

    Attributes:
        characters: number received so far.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._text = ""  # from `_base` on
        self._base = 0  # offset of `_text` in all pieces joined
        self._start = 0  # of the text not returned yet, within `_text`
        self._looked = 0  # there is no end before this, within `_text`
        self._has_begun = False
        self.characters = 0

    @property
    def pending_characters(self) -> int:
        """Number of characters not returned yet."""
        return len(self._text) - self._start

    @property
    def has_clause(self) -> bool:
        """Whether `take_clause` would return anything."""
        return stripped(self._text, self._start, self._clause_stop()) is not None

    def add(self, piece: str) -> list[Stretch]:
        """Adds the next piece; returns the stretches that are now final."""
        self._text += piece
        self.characters += len(piece)
        return self._over(is_complete=False)

    def flush(self) -> list[Stretch]:
        """Returns all remaining text, as if the text ended here."""
        stretches = self._over(is_complete=True)
        return stretches + self._take(len(self._text))

    def take_clause(self) -> list[Stretch]:
        """Returns what can be spoken early: text up to the end of the last clause, or up to the last whole word."""
        return self._take(self._clause_stop())

    def _over(self, *, is_complete: bool) -> list[Stretch]:
        stretches: list[Stretch] = []
        while (stop := self._next_stop(is_complete=is_complete)) is not None:
            stretches += self._take(stop)
        return stretches

    def _take(self, stop: int) -> list[Stretch]:
        """Advances to `stop` and returns the stretch before it, unless it is only white space."""
        span = stripped(self._text, self._start, stop)
        stretches = [] if span is None else [self._stretch(span)]
        self._has_begun = self._has_begun or span is not None
        forgotten = max(0, stop - CONTEXT)
        self._text, self._base = self._text[forgotten:], self._base + forgotten
        self._start = self._looked = stop - forgotten
        return stretches

    def _stretch(self, span: Span) -> Stretch:
        text, start = self._text[span.start : span.stop], self._base + span.start
        line_offset = span.start - self._text.rfind("\n", 0, span.start) - 1
        return Stretch(start, self._base + span.stop, text, Passage.at(start, text, line_offset))

    def _next_stop(self, *, is_complete: bool) -> int | None:
        """Returns the final end of the next stretch; None while more text may change it, or at the end."""
        end = self._sentence_end(is_complete=is_complete)
        if not self._has_begun and (clause := self._first_clause(end)) is not None:
            return clause
        if end is not None:
            return end
        beyond = self._begin() + LONGEST_STRETCH
        if len(self._text) <= beyond + LOOKAHEAD and not (is_complete and len(self._text) > beyond):
            return None
        return self._forced_stop(beyond)

    def _begin(self) -> int:
        """Returns where the text not returned yet starts, without leading space."""
        span = stripped(self._text, self._start, len(self._text))
        return self._start if span is None else span.start

    def _sentence_end(self, *, is_complete: bool) -> int | None:
        """Returns the final end of the first sentence, within the maximum stretch."""
        max_stop = self._begin() + LONGEST_STRETCH
        for match in BOUNDARY.finditer(self._text, self._looked):
            if match.start() >= max_stop or (not is_complete and not self._is_decided(match)):
                return None
            if match["stop"] is None or ends_sentence(self._text, match, self._language, LOOKAHEAD):
                return match.end()
            self._looked = match.end()
        return None

    def _is_decided(self, match: re.Match[str]) -> bool:
        """Returns whether later text cannot change the meaning of the match."""
        rest = len(self._text) - match.end()
        if match["wide"] is not None:
            return rest >= WIDE_LOOKAHEAD
        if match["stop"] is not None:
            has_more = rest >= LOOKAHEAD or following(self._text, match.end(), LOOKAHEAD) is not None
            return has_more or _EMPTY_LINE.match(self._text, match.end()) is not None
        return True

    def _first_clause(self, end: int | None) -> int | None:
        """Returns the end of the first clause that is long enough, if it is before `end`."""
        least = self._begin() + FIRST_CLAUSE_CHARACTERS
        for match in _CLAUSE.finditer(self._text, self._start, len(self._text) if end is None else end):
            after = following(self._text, match.end(), None if end is None else end - match.end())
            if after is None:
                return None
            joins_numbers = after.isdecimal() and _NUMBER_BEFORE.search(self._text, self._start, match.start())
            if match.end() >= least and not joins_numbers:
                return match.end()
        return None

    def _clause_stop(self) -> int:
        text, start = self._text, self._start
        if _TRAILING_END.search(text, start):
            return len(text)
        clauses = [match.end() for match in _CLAUSE.finditer(text, start)]
        if clauses and clauses[-1] - start >= SHORTEST_CLAUSE:
            return clauses[-1]
        return max((match.start() for match in _SPACE.finditer(text, start)), default=start)

    def _forced_stop(self, max_stop: int) -> int:
        """Returns where to cut a stretch without an end: after its last clause, its last space, or between letters."""
        begin = self._begin()
        clauses = [match.end() for match in _CLAUSE.finditer(self._text, begin, max_stop + 1)]
        if clauses:
            return clauses[-1]
        spaces = [match.start() for match in _SPACE.finditer(self._text, begin, max_stop + 1)]
        if spaces:
            return spaces[-1]
        stop = max_stop
        while stop > begin + 1 and _belongs_to_last(self._text, stop):
            stop -= 1
        return stop if stop > begin + 1 else max_stop


def _belongs_to_last(text: str, position: int) -> bool:
    """Returns whether a character continues the previous one: a combining mark, or either side of a joiner."""
    character = text[position]
    return (
        unicodedata.combining(character) != 0
        or unicodedata.category(character) in ("Mn", "Me")
        or _JOINER in (character, text[position - 1])
    )
