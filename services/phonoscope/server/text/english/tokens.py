"""Splits a clause into words and the marks that Kokoro's voices have letters for. Called by `phonemizer.py`.

A closing mark of the clause itself ("." or ",") is no token: the clause has it as its terminator.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_QUOTES: Final = '"“”„«»'
_BRACKETS: Final = "()[]"
_DASHES: Final = "—–―"
_EDGES: Final = "'‘’‚‹›{}<>.,;:!?¿¡-"
"""What surrounds a word without a sound."""

_TOKEN: Final = re.compile(
    rf"""
    (?P<space>\s+)
    | (?P<dots>…+|\.{{3,}})
    | (?P<dash>[{_DASHES}]+|-{{2,}}|(?<!\S)-(?!\S))
    | (?P<quote>[{_QUOTES}])
    | (?P<bracket>[{re.escape(_BRACKETS)}])
    | (?P<word>(?:(?!\.{{3}}|--)[^\s{_DASHES}…{_QUOTES}{re.escape(_BRACKETS)}])+)
    """,
    re.VERBOSE,
)
_IS_SPOKEN: Final = re.compile(rf"[^\s{re.escape(_EDGES)}]")
# Round brackets are wide, as in Mandarin: "(en)" would look like espeak-ng's change of language.
_WIDE: Final = {"(": "（", "[": "（", ")": "）", "]": "）"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark.

    Attributes:
        text: as written, with the apostrophes and stops around a word.
        mark: the phoneme of a mark; "" for a word.
        is_apart: whether space is before it.
        is_pause: whether it is heard as a pause.
    """

    text: str
    mark: str
    is_apart: bool
    is_pause: bool = False

    @property
    def word(self) -> str:
        """The word without what surrounds it, apostrophes as in ASCII."""
        return self.text.strip(_EDGES).replace("’", "'")

    @property
    def with_apostrophes(self) -> str:
        """The word with the apostrophes that may belong to it: 'tis, dogs'."""
        return self.text.replace("’", "'").strip(_EDGES.replace("'", ""))

    @property
    def with_stop(self) -> str:
        """The word with the stop that may belong to it: "No."."""
        return f"{self.word}." if self.text.endswith(".") else self.word


def tokens_of(clause: str) -> Iterator[Token]:
    """Yields the words and marks of a clause."""
    is_apart = False
    for match in _TOKEN.finditer(clause):
        kind, text = match.lastgroup, match.group()
        if kind == "space":
            is_apart = True
            continue
        if kind == "word":
            if _IS_SPOKEN.search(text):
                yield Token(text, "", is_apart)
        elif kind in ("dash", "dots"):
            yield Token(text, "—" if kind == "dash" else "…", is_apart, is_pause=True)
        elif kind == "quote":
            yield Token(text, _quote(text, clause, match.end()), is_apart)
        else:
            yield Token(text, _WIDE[text], is_apart)
        is_apart = False


def _quote(text: str, clause: str, end: int) -> str:
    """Returns an opening or a closing quote; a straight one opens if a word follows it at once."""
    if text != '"':
        return "“" if text in "“„«" else "”"
    return "“" if clause[end : end + 1].isalnum() else "”"
