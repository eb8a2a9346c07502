"""Line ends that are meant: a comma where a short line ends without a mark, as in verses, addresses and lists.

Called by `front_end.py` before normalisation. Hard-wrapped prose is left alone: its lines are long, or of nearly equal
length, or go on in lower case. `split` ends a sentence at empty lines and before the items of a list.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from phonoscope.server.text.passage import Passage
from phonoscope.server.text.rewriting import Replacement, rewritten
from phonoscope.server.text.split import ITEM, following
from phonoscope.server.text.words import is_speakable

# Columns of a line that ends where its writer wanted; text is wrapped at 60 columns or more, with few exceptions.
SHORT_COLUMNS: Final = 45
# Nothing is wrapped at fewer columns than this.
NARROWEST_WRAP_COLUMNS: Final = 25
# Lines of so few words, at least three of them, are a list, also in lower case.
LIST_WORDS: Final = 3
LIST_LINES: Final = 3

_LINE_END: Final = re.compile(r"\r\n|[\n\r\x0b\x85\u2028]")
_CLOSERS: Final = "\"'”’»›)]}」』）】〉*_~`"
_WIDE: Final = frozenset("WF")


class _Line:
    """A line of a passage: characters `start` to `stop`, and the start of the next line.

    `offset` is the number of its characters that come before the passage.
    """

    def __init__(self, text: str, start: int, stop: int, after: int, offset: int) -> None:
        self.content = text[start:stop].strip()
        self.content_stop = start + len(text[start:stop].rstrip())
        self.next_start = after
        words = self.content.split()
        self.words = len(words)
        self.columns = offset + _columns(self.content)
        self.first_word_columns = _columns(words[0]) if words else 0


def with_pauses(passage: Passage) -> Passage:
    """Returns the passage with commas at the line ends that are meant."""
    if _LINE_END.search(passage.text) is None:
        return passage
    lines = list(_lines(passage))
    replacements = [
        Replacement(line.content_stop, line.next_start, ((",\n", ""),))
        for paragraph in _paragraphs(lines)
        for line in _meant(paragraph)
    ]
    return rewritten(passage, replacements) if replacements else passage


def _lines(passage: Passage) -> Iterator[_Line]:
    start, offset, text = 0, passage.line_offset, passage.text
    for found in _LINE_END.finditer(text):
        yield _Line(text, start, found.start(), found.end(), offset)
        start, offset = found.end(), 0
    yield _Line(text, start, len(text), len(text), offset)


def _columns(text: str) -> int:
    """Returns the width of a text, in which a Chinese or Japanese character counts twice."""
    return len(text) + sum(unicodedata.east_asian_width(one) in _WIDE for one in text)


def _paragraphs(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Yields the lines between two empty ones."""
    paragraph: list[_Line] = []
    for line in lines:
        if line.content:
            paragraph.append(line)
            continue
        yield paragraph
        paragraph = []
    yield paragraph


def _meant(lines: Sequence[_Line]) -> Iterator[_Line]:
    """Yields the lines of a paragraph whose ends need a comma."""
    if _is_wrapped(lines):
        return
    is_list = len(lines) >= LIST_LINES and all(line.words <= LIST_WORDS for line in lines)
    for line, after in pairwise(lines):
        last = line.content.rstrip(_CLOSERS)[-1:]
        is_open = last.isalnum() or unicodedata.category(last or " ")[0] in "SM"
        if not is_open or line.columns > SHORT_COLUMNS or not is_speakable(line.content):
            continue
        first = following(after.content, 0)
        if first is None or not is_speakable(after.content) or ITEM.match(after.content):
            continue
        if is_list or not first.islower():
            yield line


def _is_wrapped(lines: Sequence[_Line]) -> bool:
    """Returns whether each line is as long as the next word allows."""
    width = max((line.columns for line in lines), default=0)
    return (
        len(lines) >= LIST_LINES
        and width >= NARROWEST_WRAP_COLUMNS
        and all(line.columns + 1 + after.first_word_columns > width for line, after in pairwise(lines))
    )
