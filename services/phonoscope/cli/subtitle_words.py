"""Timed words with their punctuation, and with the kind of boundary after each, for subtitles.

Timings have words only; this module assigns the text between two words to one of them. Used by timing_files.py.
"""

import enum
import html
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from phonoscope.client import WordTiming

SENTENCE_ENDS: Final = re.compile(r"[.!?…؟।։۔።][^\w\s]*\s|[。！？．｡]")
PARAGRAPH: Final = re.compile(r"\n\s*\n")
LONG_PAUSE_SECONDS: Final = 1.0
SHORT_PAUSE_SECONDS: Final = 0.05  # the pause after a full stop is longer, except after an abbreviation
OPENING: Final = ("Ps", "Pi")  # Unicode categories of opening brackets and quotation marks
MARKUP: Final = re.compile(r"""<!--.*?-->|<!\[CDATA\[|\]\]>|<(?:"[^"]*"|'[^']*'|[^>"'])*>""", re.DOTALL)
# What Markdown has within words and between them: targets of links, marks, and words that are not spoken (code, tags).
MARKDOWN: Final = re.compile(r"\]\([^)\n]*\)|[*_`\[\]\\]")
MARKDOWN_BETWEEN: Final = re.compile(
    r"[^\s\w]*[^\W_](?:\S*[\w/])?|^[ \t]*[-+•][ \t]|[^\s\w.,;:!?…—–'\"“”‘’«»()¡¿、。，！？；：-]", re.MULTILINE
)
PARAGRAPHS: Final = re.compile(r"</?(?:p|s|speak)\b")
BREAK: Final = "<break"

Markup = Literal["none", "markdown", "ssml"]


class Ending(enum.IntEnum):
    """Kind of boundary after a word; the higher, the better a cue ends there."""

    WORD = 0
    PHRASE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class SubtitleWord:
    """A word with the punctuation around it; a cue never splits it.

    Attributes:
        text: word and punctuation as displayed.
        glue: separator from the next word on the same line: a space, or nothing.
        ending: kind of boundary after it.
    """

    text: str
    glue: str
    start_seconds: float
    end_seconds: float
    ending: Ending

    def joined_with(self, later: "SubtitleWord") -> "SubtitleWord":
        """Returns both as one word, such as two joined by a hyphen."""
        return replace(later, text=self.text + later.text, start_seconds=self.start_seconds)


def subtitle_words(text: str, words: Sequence[WordTiming], *, markup: Markup = "none") -> list[SubtitleWord]:
    """Returns the words of a text or a document, without its markup."""
    merged: list[SubtitleWord] = []
    joins = False
    for word, joins_next in _each(text, words, markup=markup):
        merged.append(merged.pop().joined_with(word) if joins else word)
        joins = joins_next
    return merged


def _each(text: str, words: Sequence[WordTiming], *, markup: Markup = "none") -> Iterator[tuple[SubtitleWord, bool]]:
    """Yields each word with its punctuation, and whether it must stay joined to the next."""
    edges = [0, *(edge for word in words for edge in word.text_span), len(text)]
    pieces = [text[start:stop] for start, stop in itertools.pairwise(edges)]  # a gap, a word, a gap, …
    if markup == "ssml":
        pieces = [without_markup(piece) for piece in pieces]
    elif markup == "markdown":
        pieces = [without_markdown(piece, is_gap=number % 2 == 0) for number, piece in enumerate(pieces)]
    pieces[0], pieces[-1] = f" {pieces[0]}", f"{pieces[-1]} "  # the text at both ends belongs to a word
    gaps = [split_gap(gap) for gap in pieces[::2]]
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


def split_gap(gap: str) -> tuple[str, str]:
    """Splits a gap into what belongs to the word before it, with the space after that, and to the word after it."""
    spaces = [place for place, character in enumerate(gap) if character.isspace()]
    cut = spaces[-1] + 1 if spaces else len(gap)
    while not spaces and cut and unicodedata.category(gap[cut - 1]) in OPENING:
        cut -= 1
    return gap[:cut], gap[cut:]


def ending_of(closing: str, pause_seconds: float) -> Ending:
    """Returns the kind of boundary after a word, from its punctuation and the pause."""
    is_abbreviated = closing.startswith(".") and pause_seconds < SHORT_PAUSE_SECONDS
    if pause_seconds >= LONG_PAUSE_SECONDS or PARAGRAPH.search(closing):
        return Ending.SENTENCE
    if SENTENCE_ENDS.search(closing) and not is_abbreviated:
        return Ending.SENTENCE
    is_wide = any(unicodedata.east_asian_width(mark) in "WF" for mark in closing)
    return Ending.PHRASE if closing.strip() and (is_wide or closing[-1].isspace()) else Ending.WORD


def without_markup(gap: str) -> str:
    """Returns the plain text of part of an SSML document; paragraphs and sentences become paragraphs."""
    return html.unescape(MARKUP.sub(_replacement, gap))


def without_markdown(piece: str, *, is_gap: bool) -> str:
    """Returns the plain text of a word of Markdown, or of what is between two words."""
    plain = MARKDOWN.sub("", piece)
    return MARKDOWN_BETWEEN.sub("", plain) if is_gap else plain


def _replacement(markup: re.Match[str]) -> str:
    if PARAGRAPHS.match(markup[0]):
        return "\n\n"
    return " " if markup[0].startswith(BREAK) else ""
