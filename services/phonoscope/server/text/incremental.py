"""Text that comes in pieces becomes stretches to read: each as soon as it is sure that nothing to come changes it.

Called by `incremental_input.py` with what a caller sends, tokens of a language model mostly. `split` decides where
sentences end; this module knows when that is certain. However a text is cut into pieces, its stretches are the same.
docs/text.md tells the rules.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from phonoscope.server.text.split import BOUNDARY, CLOSERS, Span, ends_sentence, following, stripped

# The first stretch may be a clause of so many characters, so that sound begins before the first sentence has ended.
FIRST_CLAUSE_CHARACTERS: Final = 32
# A stretch without an end is cut here at the latest.
LONGEST_STRETCH: Final = 400
# What decides whether a sentence ends is looked for so far behind its last mark.
LOOKAHEAD: Final = 64
# Marks and closing quotes that belong to a wide mark, such as 。, are looked for so far behind it.
WIDE_LOOKAHEAD: Final = 3
# Text before a stretch that is kept, since it tells abbreviations from ends.
CONTEXT: Final = 512
# Said early only because nothing else is left to say: a clause of so many characters, rather than up to the last word.
SHORTEST_CLAUSE: Final = 12

_CLAUSE: Final = re.compile(r"(?:[,;:]|[—–])[\"'”’»›)\]}]*(?=\s)|[，、；：]")
_TRAILING_END: Final = re.compile(rf"(?<![.!?؟۔。！？｡।॥…])[.!?؟۔。！？｡।॥…]++{CLOSERS.pattern}$")
_SPACE: Final = re.compile(r"\s")
_JOINER: Final = "\u200d"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What can be read now: `text` is characters `start` to `stop` (excluded) of all pieces joined."""

    start: int
    stop: int
    text: str


class IncrementalText:
    """One text that grows piece by piece.

    Args:
        language: decides what abbreviates, such as "en".

    Attributes:
        characters: all that came.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._text = ""  # from `_base` on
        self._base = 0  # offset of `_text` in all pieces joined
        self._start = 0  # of what was not returned yet, within `_text`
        self._looked = 0  # before this there is no end, within `_text`
        self._has_begun = False
        self.characters = 0

    @property
    def pending_characters(self) -> int:
        """Characters that were not returned yet."""
        return len(self._text) - self._start

    @property
    def has_clause(self) -> bool:
        """Whether `take_clause` would return anything."""
        return stripped(self._text, self._start, self._clause_stop()) is not None

    def add(self, piece: str) -> list[Stretch]:
        """Takes the next piece; returns the stretches that are surely over now."""
        self._text += piece
        self.characters += len(piece)
        return self._over(is_complete=False)

    def flush(self) -> list[Stretch]:
        """Returns everything that has come, as if the text ended here."""
        stretches = self._over(is_complete=True)
        return stretches + self._take(len(self._text))

    def take_clause(self) -> list[Stretch]:
        """Returns what can be spoken in a pinch: up to the last clause's end, or else up to the last whole word."""
        return self._take(self._clause_stop())

    def _over(self, *, is_complete: bool) -> list[Stretch]:
        stretches: list[Stretch] = []
        while (stop := self._next_stop(is_complete=is_complete)) is not None:
            stretches += self._take(stop)
        return stretches

    def _take(self, stop: int) -> list[Stretch]:
        """Moves past `stop` and returns the stretch before it, unless that is only space."""
        span = stripped(self._text, self._start, stop)
        stretches = [] if span is None else [self._stretch(span)]
        self._has_begun = self._has_begun or span is not None
        forgotten = max(0, stop - CONTEXT)
        self._text, self._base = self._text[forgotten:], self._base + forgotten
        self._start = self._looked = stop - forgotten
        return stretches

    def _stretch(self, span: Span) -> Stretch:
        return Stretch(self._base + span.start, self._base + span.stop, self._text[span.start : span.stop])

    def _next_stop(self, *, is_complete: bool) -> int | None:
        """Returns where the next stretch surely ends; None while more text may change that, or at the end."""
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
        """Returns where the text that was not returned yet begins, without the space before it."""
        span = stripped(self._text, self._start, len(self._text))
        return self._start if span is None else span.start

    def _sentence_end(self, *, is_complete: bool) -> int | None:
        """Returns where the first sentence surely ends, within the longest stretch."""
        most = self._begin() + LONGEST_STRETCH
        for match in BOUNDARY.finditer(self._text, self._looked):
            if match.start() >= most or (not is_complete and not self._is_decided(match)):
                return None
            if match["stop"] is None or ends_sentence(self._text, match, self._language, LOOKAHEAD):
                return match.end()
            self._looked = match.end()
        return None

    def _is_decided(self, match: re.Match[str]) -> bool:
        """Whether no text to come changes what the match means."""
        rest = len(self._text) - match.end()
        if match["wide"] is not None:
            return rest >= WIDE_LOOKAHEAD
        if match["stop"] is not None:
            return rest >= LOOKAHEAD or following(self._text, match.end(), LOOKAHEAD) is not None
        return True

    def _first_clause(self, end: int | None) -> int | None:
        """Returns where the first clause that is long enough ends, if that is before `end`."""
        least = self._begin() + FIRST_CLAUSE_CHARACTERS
        for match in _CLAUSE.finditer(self._text, self._start, len(self._text) if end is None else end):
            after = following(self._text, match.end())
            if after is None:
                return None
            is_list = match.start() and self._text[match.start() - 1].isdecimal() and after.isdecimal()
            if match.end() >= least and not is_list:
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

    def _forced_stop(self, most: int) -> int:
        """Returns where to cut a stretch that has no end: at its last clause, its last space, or between letters."""
        begin = self._begin()
        clauses = [match.end() for match in _CLAUSE.finditer(self._text, begin, most + 1)]
        if clauses:
            return clauses[-1]
        spaces = [match.start() for match in _SPACE.finditer(self._text, begin, most + 1)]
        if spaces:
            return spaces[-1]
        stop = most
        while stop > begin + 1 and _belongs_to_last(self._text, stop):
            stop -= 1
        return stop if stop > begin + 1 else most


def _belongs_to_last(text: str, position: int) -> bool:
    """Whether a character continues the one before it: a combining mark, or either side of a joiner."""
    character = text[position]
    return (
        unicodedata.combining(character) != 0
        or unicodedata.category(character) in ("Mn", "Me")
        or _JOINER in (character, text[position - 1])
    )
