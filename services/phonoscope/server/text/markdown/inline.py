"""Reads the text of one line of Markdown, mark by mark: emphasis, code, links, tags, references. See `scanner.py`.

A mark is read as soon as it is known what it is; where CommonMark needs the whole paragraph, a rule of thumb decides:
an opening mark of emphasis always vanishes, whether or not it is closed later.
Source: CommonMark 0.31, chapter 6, and GitHub Flavored Markdown.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Literal

from phonoscope.server.text.markdown.buffer import Buffer
from phonoscope.server.text.markdown.formulas import formula_stop, is_operator
from phonoscope.server.text.markdown.html import Markup, entity_at, markup_at
from phonoscope.server.text.markdown.links import Citation, Link, NoLink, link_at, source_at
from phonoscope.server.text.markdown.writer import Spoken, Writer

Block = Literal["none", "paragraph", "heading", "item", "row"]

MARKS: Final = re.compile(r"[\n\\`*_~!\[\]<&|#$【\ue200]")
"""Characters that may be more than text."""
_LONGEST_CODE: Final = 500
_TICKS: Final = re.compile(r"`+")
_RUN: Final = re.compile(r"`+|\*+|_+|~+")
_CLOSING_HASHES: Final = re.compile(r"#+[ \t\r]*")
_LONGEST_ADDRESS: Final = 200
_STRIKES: Final = "~~"
_LONGEST_EMPHASIS_WITHIN: Final = 2


class InlineReader:
    """Reads what is within lines, from a buffer to a writer.

    Attributes:
        block: what the line belongs to.
        content: where the text of the line begins, as a source offset.
        is_hard_break: whether the end of this line is meant to be heard.
        until: what ends the text that is being passed over, such as that of a comment; "" if there is none.
    """

    def __init__(self, buffer: Buffer, writer: Writer) -> None:
        self.block: Block = "none"
        self.content = 0
        self.is_hard_break = False
        self.until = ""
        self._buffer = buffer
        self._writer = writer
        self._open = Counter[str]()
        self._targets: dict[int, int] = {}  # source offsets: from the bracket that closes a text to the target's end
        self._last_link = -1  # source offset of the end of the last link or image
        self._readers: Mapping[str, Callable[[], bool]] = {
            "\\": self._escape,
            "`": self._code,
            "*": self._emphasis,
            "_": self._emphasis,
            "~": self._emphasis,
            "!": self._image,
            "[": self._bracket,
            "]": self._closing_bracket,
            "<": self._markup,
            "&": self._entity,
            "|": self._bar,
            "#": self._hash,
            "$": self._dollar,
            "【": self._source,
            "\ue200": self._source,
        }

    def end_block(self) -> None:
        """Forgets what is open: nothing goes on in another block."""
        self._open.clear()
        self._targets.clear()

    def read(self) -> bool:
        """Reads text up to the next mark, or a mark other than a line end; returns False while it needs more text."""
        buffer = self._buffer
        found = MARKS.search(buffer.text, buffer.at)
        stop = found.start() if found else len(buffer.text)
        if stop > buffer.at:
            return self._say(stop)
        return self._readers[buffer.text[buffer.at]]()

    def _say(self, stop: int, start: int | None = None, then: int | None = None) -> bool:
        """Speaks the characters from `start` to `stop`, and goes on at `then`; the defaults are here, and `stop`."""
        buffer = self._buffer
        first = buffer.at if start is None else start
        self._writer.written(buffer.text[first:stop], buffer.base + first)
        return self._skip(stop if then is None else then)

    def _skip(self, stop: int) -> bool:
        self._buffer.at = stop
        return True

    def _is_at_end(self, stop: int) -> bool:
        """Returns whether the character at `stop` decides, and has not arrived."""
        return stop >= len(self._buffer.text) and not self._buffer.is_complete

    def _escape(self) -> bool:
        buffer = self._buffer
        if self._is_at_end(buffer.at + 1):
            return False
        following = buffer.text[buffer.at + 1 : buffer.at + 2]
        if following == "\n":
            self.is_hard_break = True
            return self._skip(buffer.at + 1)
        if following in ("(", "["):
            return self._formula(start=buffer.at + 1, then=buffer.at + 2, closing="\\)" if following == "(" else "\\]")
        if following and following in string.punctuation:
            return self._say(buffer.at + 2, start=buffer.at + 1)
        return self._say(buffer.at + 1)

    def _dollar(self) -> bool:
        buffer = self._buffer
        if self._is_at_end(buffer.at + 1):
            return False
        following = buffer.text[buffer.at + 1 : buffer.at + 2]
        if not following or following.isspace() or following.isdecimal():
            return self._say(buffer.at + 1)  # an amount is not kept waiting for another sign
        return self._formula(start=buffer.at, then=buffer.at + 1, closing="$")

    def _formula(self, start: int, then: int, closing: str) -> bool:
        """Speaks a formula as it is, for `latex.py` to read; otherwise the characters from `start` to `then`."""
        stop = formula_stop(self._buffer, self._buffer.at, closing)
        if stop is None:
            return False
        return self._say(stop) if stop > 0 else self._say(then, start=start)

    def _code(self) -> bool:
        """Speaks a code span as it is; ticks that nothing closes vanish too."""
        text, at = self._buffer.text, self._buffer.at
        start = self._run_stop()
        if self._is_at_end(start):
            return False
        stop, is_known = self._buffer.window(at, _LONGEST_CODE)
        for ticks in _TICKS.finditer(text, start, stop):
            if ticks.end() == len(text) and not is_known:
                return False
            if len(ticks.group()) == start - at:
                return self._say(ticks.start(), start=start, then=ticks.end())
        return self._skip(start) if is_known else False

    def _run_stop(self) -> int:
        found = _RUN.match(self._buffer.text, self._buffer.at)
        return found.end() if found else self._buffer.at

    def _emphasis(self) -> bool:
        stop = self._run_stop()
        if self._is_at_end(stop):
            return False
        text, at = self._buffer.text, self._buffer.at
        before = text[at - 1] if self._buffer.offset > self.content else "\n"
        after = text[stop] if stop < len(text) else "\n"
        if before.isdecimal() and after.isdecimal() and stop - at > _LONGEST_EMPHASIS_WITHIN:
            self._space()  # "3***4" is two numbers
            return self._skip(stop)
        return self._skip(stop) if self._is_emphasis(text[at:stop], before, after) else self._say(stop)

    def _is_emphasis(self, run: str, before: str, after: str) -> bool:
        """Returns whether marks open or close emphasis, or are text: `2 * 3`, `x*y`, `2**8`, `snake_case`."""
        mark = run[0]
        if mark == "~" and run != _STRIKES:
            return False
        is_within = before.isalnum() and after.isalnum()
        if self._open[mark] and not before.isspace() and not (mark == "_" and is_within):
            self._open[mark] -= min(len(run), self._open[mark])
            return True
        if after.isspace():
            return len(run) > 1 and not before.isspace()
        if is_within and (mark == "_" or is_operator(run, before, after)):
            return False
        if before.isalnum() and self._is_in_address():
            return False
        self._open[mark] += len(run)
        return True

    def _is_in_address(self) -> bool:
        """Returns whether the word so far is a URL, which has marks of its own."""
        at = self._buffer.at
        word = self._buffer.text[max(0, at - _LONGEST_ADDRESS) : at].split()[-1]
        return "://" in word or word.startswith("www.")

    def _image(self) -> bool:
        buffer = self._buffer
        if self._is_at_end(buffer.at + 1):
            return False
        if not buffer.text.startswith("[", buffer.at + 1):
            return self._say(buffer.at + 1)
        link = link_at(buffer, buffer.at + 1)
        if link is None:
            return False
        if not isinstance(link, Link):
            return self._say(buffer.at + 1)
        self._targets[buffer.base + link.close] = buffer.base + link.stop
        if self._writer.last.isalnum():
            self._space()
        return self._skip(buffer.at + 2)

    def _bracket(self) -> bool:
        buffer = self._buffer
        match link_at(buffer, buffer.at):
            case None:
                return False
            case Citation(stop):
                return self._pass_over(stop)
            case Link(close, stop):
                self._targets[buffer.base + close] = buffer.base + stop
                if buffer.offset == self._last_link:
                    self._space()
                return self._skip(buffer.at + 1)
            case NoLink():
                return self._say(buffer.at + 1)

    def _closing_bracket(self) -> bool:
        buffer = self._buffer
        stop = self._targets.pop(buffer.offset, None)
        if stop is None:
            return self._say(buffer.at + 1)
        self._last_link = stop
        return self._skip(stop - buffer.base)

    def _source(self) -> bool:
        source = source_at(self._buffer, self._buffer.at)
        if source is None:
            return False
        return self._pass_over(source.stop) if isinstance(source, Citation) else self._say(self._buffer.at + 1)

    def _pass_over(self, stop: int) -> bool:
        self._writer.passed_over()
        return self._skip(stop)

    def _markup(self) -> bool:
        buffer = self._buffer
        found = markup_at(buffer, buffer.at)
        if found is None:
            return False
        match found.kind:
            case "none":
                return self._say(found.stop)
            case "address":
                return self._say(found.spoken[1], start=found.spoken[0], then=found.stop)
            case "name":
                return self._name(found)
        self._apply(found)
        return self._skip(found.stop)

    def _name(self, found: Markup) -> bool:
        """Speaks a name that is no element, if it is not the end of one, apart from the words around it."""
        self._space()
        self._say(found.spoken[1], start=found.spoken[0], then=found.stop)
        self._space()
        self._writer.passed_over()
        return True

    def _apply(self, found: Markup) -> None:
        """Applies a tag that is not spoken."""
        here = self._buffer.offset
        match found.kind:
            case "block":
                self._writer.end_block(here)
            case "line":
                self._writer.held(Spoken(",\n", here, here + 1, is_written=False))
            case "cell":
                self._comma()
            case "raised" if self._writer.last.isalnum() or (self._writer.last or " ") in ")]":
                self._writer.replaced("^", here, here)
            case "raised":
                self._space()
            case "lowered" if self._writer.last.isdecimal():
                self._space()
            case "unspoken":
                self.until = found.until

    def _entity(self) -> bool:
        buffer = self._buffer
        found = entity_at(buffer, buffer.at)
        if found is None:
            return False
        character, stop = found
        self._writer.replaced(character, buffer.offset, buffer.base + stop)
        return self._skip(stop)

    def _bar(self) -> bool:
        """Reads a bar between two cells, or between words and spaces, as a comma."""
        text, at = self._buffer.text, self._buffer.at
        if self._is_at_end(at + 1):
            return False
        is_apart = text[at - 1 : at].isspace() and (text[at + 1 : at + 2] or " ").isspace()
        if self.block != "row" and not is_apart:
            return self._say(at + 1)
        self._comma()
        return self._skip(at + 1)

    def _comma(self) -> None:
        here = self._buffer.offset
        self._writer.held(Spoken(", ", here, here + 1, is_written=False))

    def _space(self) -> None:
        """Keeps a name apart from the words around it."""
        self._writer.replaced(" ", self._buffer.offset, self._buffer.offset)

    def _hash(self) -> bool:
        """Passes over the hashes that close a heading."""
        text, at = self._buffer.text, self._buffer.at
        found = _CLOSING_HASHES.match(text, at)
        stop = found.end() if found else at + 1
        if self.block != "heading" or not text[at - 1 : at].isspace():
            return self._say(at + 1)
        if self._is_at_end(stop):
            return False
        return self._skip(stop) if text[stop : stop + 1] in ("", "\n") else self._say(at + 1)
