"""The source that has arrived and is not read yet, with a little of what was read before it."""

import re
from dataclasses import dataclass
from typing import Final

# Characters kept before the position: what precedes a mark decides what it means.
CONTEXT: Final = 256
_BLANK_LINE: Final = re.compile(r"\n[ \t\r]*\n")


@dataclass(slots=True)
class Buffer:
    """Source text from `base` on, and a position in it.

    Attributes:
        at: the next character to read.
        base: source offset of the first character of `text`.
        is_complete: whether to decide as if the text ended here.
    """

    text: str = ""
    at: int = 0
    base: int = 0
    is_complete: bool = False

    @property
    def offset(self) -> int:
        """Source offset of the next character."""
        return self.base + self.at

    @property
    def has_more(self) -> bool:
        """Whether a character is left to read."""
        return self.at < len(self.text)

    def add(self, piece: str) -> None:
        """Adds source text, and drops what is no longer needed."""
        dropped = max(0, self.at - CONTEXT)
        self.text = self.text[dropped:] + piece
        self.at -= dropped
        self.base += dropped

    def window(self, start: int, longest: int) -> tuple[int, bool]:
        """Returns where a mark that begins at `start` must have ended, and whether later text cannot change that.

        A mark ends within its paragraph and within `longest` characters.
        """
        blank = _BLANK_LINE.search(self.text, start, start + longest)
        if blank is not None:
            return blank.start(), True
        stop = min(start + longest, len(self.text))
        return stop, self.is_complete or stop < len(self.text)
