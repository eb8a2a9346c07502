"""Finds what begins with a bracket: links, images, footnotes and citations. Called by `inline.py`.

Source: CommonMark 0.31, section 6.3; citations are those of chat models, such as [1], [^2] and 【12†source】.
"""

import re
from typing import Final, NamedTuple

from phonoscope.server.text.markdown.buffer import Buffer

_LONGEST_TEXT: Final = 300
_LONGEST_TARGET: Final = 2_000
_LONGEST_CITATION: Final = 80

_BRACKET: Final = re.compile(r"\\.|[\[\]]", re.DOTALL)
_PARENTHESIS: Final = re.compile(r"\\.|[()\n]", re.DOTALL)
# [0] is no citation, but an index.
_CITATION: Final = re.compile(r"\[(?:\^[^\]\s]{1,60}|[1-9]\d{0,2}(?:\s?[,;–-]\s?[1-9]\d{0,2}){0,8})\]")
_SOURCE: Final = re.compile(r"【[^【】\n]*(?:†[^【】\n]*|\d)】|\ue200[^\ue201\n]*\ue201")
_TARGET: Final = re.compile(r"\(\s*(?:<[^>]*>|\S*?)(?:\s+(?:\"[^\"]*\"|'[^']*'|\(.*\)))?\s*\)", re.DOTALL)
_REFERENCE: Final = re.compile(r"\[[^\[\]\n]{0,100}\]")


class Link(NamedTuple):
    """A link or an image: its text ends at `close`, and its target at `stop`."""

    close: int
    stop: int


class Citation(NamedTuple):
    """A reference to a note or a source, which ends at `stop`."""

    stop: int


class NoLink(NamedTuple):
    """A bracket that is read as it is."""


def link_at(buffer: Buffer, at: int) -> Link | Citation | NoLink | None:
    """Returns what the square bracket at `at` begins; None while more text may change it."""
    text = buffer.text
    stop, is_known = buffer.window(at, _LONGEST_TEXT)
    close = _closing(text, at, stop)
    if close is None or (close + 1 == len(text) and not buffer.is_complete):
        return NoLink() if is_known else None
    citation = _CITATION.fullmatch(text, at, close + 1)
    following = text[close + 1 : close + 2]
    target: int | None = -1
    if following == "(":
        target = _target_stop(buffer, close + 1)
    elif following == "[" and not citation and not text[at - 1 : at].isalnum():
        target = _reference_stop(buffer, close + 1)
    if target is None:
        return None
    if citation:
        return Citation(max(target, close + 1))
    return Link(close, target) if target > 0 else NoLink()


def source_at(buffer: Buffer, at: int) -> Citation | NoLink | None:
    """Returns what the bracket of a chat model's source begins; None while more text may change it."""
    stop, is_known = buffer.window(at, _LONGEST_CITATION)
    found = _SOURCE.match(buffer.text, at, stop)
    if found:
        return Citation(found.end())
    closing = "】\n" if buffer.text[at] == "【" else "\ue201\n"
    is_closed = any(mark in buffer.text[at:stop] for mark in closing)
    return NoLink() if is_known or is_closed else None


def _closing(text: str, at: int, stop: int) -> int | None:
    """Returns the bracket that closes the one at `at`."""
    if text.find("]", at, stop) < 0:
        return None
    depth = 0
    for found in _BRACKET.finditer(text, at, stop):
        mark = found.group()
        depth += (mark == "[") - (mark == "]")
        if depth == 0:
            return found.start()
    return None


def _target_stop(buffer: Buffer, at: int) -> int | None:
    """Returns the end of the target in parentheses at `at`; -1 if it is none, None while more text may change it."""
    stop, is_known = buffer.window(at, _LONGEST_TARGET)
    depth = 0
    for found in _PARENTHESIS.finditer(buffer.text, at, stop):
        mark = found.group()
        if mark == "\n":
            return -1
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            return found.end() if _TARGET.fullmatch(buffer.text, at, found.end()) else -1
    return -1 if is_known else None


def _reference_stop(buffer: Buffer, at: int) -> int | None:
    """Returns the end of the label in brackets at `at`, likewise."""
    stop, is_known = buffer.window(at, _LONGEST_CITATION)
    found = _REFERENCE.match(buffer.text, at, stop)
    if found:
        return found.end()
    is_none = is_known or any(mark in buffer.text[at + 1 : stop] for mark in "[\n")
    return -1 if is_none else None
