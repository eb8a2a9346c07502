"""Reads Markdown line by line, as it arrives, and writes what a person would read aloud.

Called by `document.py` for a whole text and by `incremental.py` for one in pieces. What is spoken does not depend on
how the text is cut into pieces: each decision waits for the characters that it depends on, and for no others.
"""

import re
from typing import Final

from phonoscope.server.text.markdown.buffer import Buffer
from phonoscope.server.text.markdown.inline import InlineReader
from phonoscope.server.text.markdown.lines import Line, closes, line_at
from phonoscope.server.text.markdown.writer import Pause, Spoken, Writer

_READ_FENCES: Final = frozenset({"markdown", "md"})


class MarkdownScanner:
    """Reads one Markdown text."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._writer = Writer()
        self._inline = InlineReader(self._buffer, self._writer)
        self._is_line_start = True
        self._line_end: int | None = None  # of the last line, a source offset, while it is not known what it means
        self._is_quoted = False
        self._is_table = False
        self._next_number = 1  # of an item, if a list goes on
        self._fence = ""  # of code, which is passed over
        self._read_fence = ""  # of Markdown, which is read

    def add(self, piece: str) -> list[Spoken | Pause]:
        """Adds the next piece; returns what is now known."""
        self._buffer.add(piece)
        return self._run(is_complete=False)

    def flush(self) -> list[Spoken | Pause]:
        """Returns the rest, as if the text ended here."""
        return self._run(is_complete=True)

    def _run(self, *, is_complete: bool) -> list[Spoken | Pause]:
        buffer = self._buffer
        buffer.is_complete = is_complete
        while buffer.has_more:
            if self._inline.until:
                is_read = self._pass_over()
            elif not self._is_line_start:
                is_read = self._read_line()
            else:
                is_read = self._read_code() if self._fence else self._begin_line()
            if not is_read:
                break
        return self._writer.taken()

    def _pass_over(self) -> bool:
        """Passes over a comment and the like, which may never end."""
        buffer, until = self._buffer, self._inline.until
        found = re.compile(re.escape(until), re.IGNORECASE | re.ASCII).search(buffer.text, buffer.at)
        if found is None:
            buffer.at = max(buffer.at, len(buffer.text) - len(until) + 1)
            return False
        buffer.at = found.end()
        self._inline.until = ""
        return True

    def _read_code(self) -> bool:
        """Passes over a line of code."""
        buffer = self._buffer
        stop = buffer.text.find("\n", buffer.at)
        if stop < 0 and not buffer.is_complete:
            return False
        stop = len(buffer.text) if stop < 0 else stop + 1
        if closes(self._fence, buffer.text[buffer.at : stop]):
            self._fence = ""
        buffer.at = stop
        return True

    def _begin_line(self) -> bool:
        buffer, inline = self._buffer, self._inline
        line = line_at(
            buffer.text,
            buffer.at,
            is_complete=buffer.is_complete,
            in_paragraph=inline.block == "paragraph",
            next_number=self._next_number,
        )
        if line is None:
            return False
        is_text = line.kind == "text" and line.is_quoted == self._is_quoted and inline.block in ("paragraph", "item")
        if is_text and not self._is_table:
            self._break_line()
        else:
            self._end_block()
        self._is_quoted = line.is_quoted
        self._is_table = line.kind == "delimiters" or (self._is_table and line.kind in ("text", "row"))
        if line.kind in ("blank", "rule", "underline", "fence", "definition", "delimiters"):
            self._pass_over_line(line)
        else:
            self._begin_text(line)
        buffer.at = line.content
        return True

    def _break_line(self) -> None:
        """Writes the line end before a line that continues the block."""
        if self._line_end is not None:
            at, is_hard = self._line_end, self._inline.is_hard_break
            self._writer.held(Spoken(",\n" if is_hard else "\n", at, at + 1, is_written=not is_hard))
        self._line_end, self._inline.is_hard_break = None, False

    def _end_block(self) -> None:
        self._writer.end_block(self._buffer.offset if self._line_end is None else self._line_end)
        self._inline.end_block()
        self._inline.block, self._inline.is_hard_break, self._line_end = "none", False, None

    def _pass_over_line(self, line: Line) -> None:
        """Passes over a line without text."""
        if line.kind == "rule" or (line.kind == "fence" and not self._is_read_fence(line)):
            self._writer.pause(self._buffer.offset)

    def _is_read_fence(self, line: Line) -> bool:
        """Returns whether a fence opens or closes Markdown; opens code otherwise."""
        if self._read_fence and not line.info.strip() and closes(self._read_fence, line.fence):
            self._read_fence = ""
            return True
        if line.info.strip().lower() in _READ_FENCES and not self._read_fence:
            self._read_fence = line.fence
            return True
        self._fence = line.fence
        return False

    def _begin_text(self, line: Line) -> None:
        """Begins the text of a line, which is read by `_read_line`."""
        buffer, inline = self._buffer, self._inline
        self._is_line_start = False
        inline.content = buffer.base + line.content
        if line.kind == "heading":
            self._next_number = 1
        if line.kind in ("heading", "item", "row"):
            inline.block = line.kind
        elif self._is_table:
            inline.block = "row"
        elif inline.block == "none":
            inline.block = "paragraph"
        if line.number is not None:
            first, last = line.number
            self._next_number = int(buffer.text[first:last]) + 1
            self._writer.written(buffer.text[first:last], buffer.base + first)
            self._writer.replaced(",", buffer.base + last, buffer.base + last + 1)
            self._writer.replaced(" ", buffer.base + last + 1, buffer.base + last + 1)

    def _read_line(self) -> bool:
        buffer, inline = self._buffer, self._inline
        if buffer.text[buffer.at] != "\n":
            return inline.read()
        inline.is_hard_break = inline.is_hard_break or buffer.text.endswith("  ", 0, buffer.at)
        self._line_end = buffer.offset
        buffer.at += 1
        self._is_line_start = True
        if inline.block in ("heading", "row"):
            self._end_block()
        return True
