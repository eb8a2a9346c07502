"""Timed words as a reader sees them: with their punctuation, and how well a subtitle may end after each.

Timings name words only; what stands between two of them in the text is shared out here. Used by subtitles.py.
"""

import enum
import html
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phonoscope.client import WordTiming

SENTENCE_ENDS: Final = re.compile(r"[.!?…؟।։۔።][^\w\s]*\s|[。！？．｡]")
PARAGRAPH: Final = re.compile(r"\n\s*\n")
LONG_PAUSE_SECONDS: Final = 1.0
SHORT_PAUSE_SECONDS: Final = 0.05  # after a full stop there is more, unless it is that of an abbreviation
OPENING: Final = ("Ps", "Pi")  # Unicode's categories of brackets and quotation marks that open
MARKUP: Final = re.compile(r"""<!--.*?-->|<!\[CDATA\[|\]\]>|<(?:"[^"]*"|'[^']*'|[^>"'])*>""", re.DOTALL)
PARAGRAPHS: Final = re.compile(r"</?(?:p|s|speak)\b")
BREAK: Final = "<break"


class Ending(enum.IntEnum):
    """What ends after a word; more of it is a better place for a cut."""

    WORD = 0
    PHRASE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class SubtitleWord:
    """A word that is not cut: with the punctuation around it.

    Attributes:
        text: as it is shown.
        glue: what stands before the next word on the same line: a space, or nothing.
        ending: what ends after it.
    """

    text: str
    glue: str
    start_seconds: float
    end_seconds: float
    ending: Ending

    def joined_with(self, later: "SubtitleWord") -> "SubtitleWord":
        """Returns both as one word, such as two that a hyphen joins."""
        return replace(later, text=self.text + later.text, start_seconds=self.start_seconds)


def subtitle_words(text: str, words: Sequence[WordTiming], *, is_ssml: bool) -> list[SubtitleWord]:
    """Returns what is shown of a text, or of an SSML document without its markup."""
    shown: list[SubtitleWord] = []
    joins = False
    for word, joins_next in _each(text, words, is_ssml=is_ssml):
        shown.append(shown.pop().joined_with(word) if joins else word)
        joins = joins_next
    return shown


def _each(text: str, words: Sequence[WordTiming], *, is_ssml: bool) -> Iterator[tuple[SubtitleWord, bool]]:
    """Yields each word with its punctuation, and whether it cannot be parted from the next."""
    edges = [0, *(edge for word in words for edge in word.text_span), len(text)]
    pieces = [text[start:stop] for start, stop in itertools.pairwise(edges)]  # a gap, a word, a gap, …
    pieces = [without_markup(piece) for piece in pieces] if is_ssml else pieces
    pieces[0], pieces[-1] = f" {pieces[0]}", f"{pieces[-1]} "  # all of the ends belongs to a word
    gaps = [parted(gap) for gap in pieces[::2]]
    later_starts = [*(word.start_seconds for word in words[1:]), math.inf]
    for number, (word, next_start) in enumerate(zip(words, later_starts, strict=False)):
        opening, closing = gaps[number][1], gaps[number + 1][0]
        shown = SubtitleWord(
            text=" ".join(f"{opening}{pieces[2 * number + 1]}{closing}".split()),
            glue=" " if closing[-1:].isspace() else "",
            start_seconds=word.start_seconds,
            end_seconds=word.end_seconds,
            ending=ending_of(closing, next_start - word.end_seconds),
        )
        yield shown, bool(closing) and not shown.glue and shown.ending is Ending.WORD


def parted(gap: str) -> tuple[str, str]:
    """Returns what belongs to the word before a gap, with the space after it, and what to the word behind."""
    spaces = [place for place, character in enumerate(gap) if character.isspace()]
    cut = spaces[-1] + 1 if spaces else len(gap)
    while not spaces and cut and unicodedata.category(gap[cut - 1]) in OPENING:
        cut -= 1
    return gap[:cut], gap[cut:]


def ending_of(closing: str, pause_seconds: float) -> Ending:
    """Returns what ends with what stands after a word, and is heard there."""
    is_abbreviated = closing.startswith(".") and pause_seconds < SHORT_PAUSE_SECONDS
    if pause_seconds >= LONG_PAUSE_SECONDS or PARAGRAPH.search(closing):
        return Ending.SENTENCE
    if SENTENCE_ENDS.search(closing) and not is_abbreviated:
        return Ending.SENTENCE
    is_wide = any(unicodedata.east_asian_width(mark) in "WF" for mark in closing)
    return Ending.PHRASE if closing.strip() and (is_wide or closing[-1].isspace()) else Ending.WORD


def without_markup(gap: str) -> str:
    """Returns the characters of a piece of SSML; its paragraphs and sentences are apart, as in a plain text."""
    return html.unescape(MARKUP.sub(_in_place_of, gap))


def _in_place_of(markup: re.Match[str]) -> str:
    if PARAGRAPHS.match(markup[0]):
        return "\n\n"
    return " " if markup[0].startswith(BREAK) else ""
