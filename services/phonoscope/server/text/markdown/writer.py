"""Writes what is spoken of a Markdown text: words, the marks that end blocks, and where each character comes from.

White space is held back until the next word, because a line end, or a mark after a citation, replaces it.
"""

import re
from typing import Final, NamedTuple

# Marks that already make a voice pause or stop.
_PAUSING: Final = frozenset(".!?…:;,،؛؟۔。！？：；，、।॥—–-")
_CLOSERS: Final = "\"'”’»›)]}」』）】〉 \t\r\n"
# No space comes before these: what stood between was passed over.
_JOINED_MARKS: Final = frozenset(".,;:!?…)")
_WITHOUT_SPACES: Final = re.compile("[\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
_TAIL: Final = 16


class Spoken(NamedTuple):
    """Text to speak, of the source characters `start` to `stop`; character by character if `is_written`."""

    text: str
    start: int
    stop: int
    is_written: bool


class Pause(NamedTuple):
    """A pause in place of a rule or of code, at a source offset."""

    at: int


class Writer:
    """Collects what is spoken, in order."""

    def __init__(self) -> None:
        self._out: list[Spoken | Pause] = []
        self._held: Spoken | None = None
        self._tail = ""  # of the current block
        self._has_passed_over = False

    @property
    def last(self) -> str:
        """The last character of the block, if no space follows it; "" otherwise."""
        return "" if self._held is not None else self._tail[-1:]

    def taken(self) -> list[Spoken | Pause]:
        """Returns what was written since the last call."""
        out, self._out = self._out, []
        return out

    def written(self, text: str, start: int) -> None:
        """Adds text as it is written from source offset `start` on."""
        words = text.strip()
        first = text.find(words) if words else len(text)
        last = first + len(words)
        if first:
            self.held(Spoken(text[:first], start, start + first, is_written=True))
        if words:
            self._emit(Spoken(words, start + first, start + last, is_written=True))
        if last < len(text):
            self.held(Spoken(text[last:], start + last, start + len(text), is_written=True))

    def replaced(self, text: str, start: int, stop: int) -> None:
        """Adds text that stands for source characters."""
        spoken = Spoken(text, start, stop, is_written=False)
        if text.isspace():
            self.held(spoken)
        elif text:
            self._emit(spoken)

    def held(self, spoken: Spoken) -> None:
        """Adds white space, with or without a comma, that is spoken only between two words of a block."""
        before = self._held
        if before is None or _strength(spoken) > _strength(before):
            self._held = spoken
        elif before.is_written and spoken.is_written and before.stop == spoken.start:
            self._held = Spoken(before.text + spoken.text, before.start, spoken.stop, is_written=True)

    def passed_over(self) -> None:
        """Notes that something between two words is not spoken, such as a citation."""
        self._has_passed_over = True

    def end_block(self, at: int) -> None:
        """Ends a heading, an item, a row or a paragraph, with a mark if it has none."""
        self._held = None
        spoken = self._tail.rstrip(_CLOSERS)
        if not self._tail:
            return
        if spoken and spoken[-1] not in _PAUSING:
            mark = "。" if _WITHOUT_SPACES.match(spoken[-1]) else "."
            self._out.append(Spoken(mark, at, at, is_written=False))
        self._out.append(Spoken("\n\n", at, at, is_written=False))
        self._tail, self._has_passed_over = "", False

    def pause(self, at: int) -> None:
        """Adds a pause between two blocks."""
        self._out.append(Pause(at))

    def _emit(self, spoken: Spoken) -> None:
        held, self._held = self._held, None
        is_joined = self._has_passed_over and spoken.text[0] in _JOINED_MARKS
        if held is not None and self._tail and not (is_joined and held.text.isspace()):
            if held.text[0] == "," and self._tail.rstrip(_CLOSERS)[-1:] in _PAUSING:
                held = held._replace(text=held.text[1:])
            self._out.append(held)
        self._out.append(spoken)
        self._tail = (self._tail + spoken.text)[-_TAIL:]
        self._has_passed_over = False


def _strength(spoken: Spoken) -> int:
    """Returns which white space prevails: a comma, then a line end, then a space."""
    return 2 if spoken.text[0] == "," else int(not spoken.is_written or "\n" in spoken.text)
