"""Markdown that arrives in pieces: what is spoken, in stretches, each as soon as it is final.

Has the methods of `text/incremental.py`, which decides on what is spoken as on plain text. Called by
`incremental_input.py`.
"""

from collections.abc import Iterable

from phonoscope.server.text.incremental import IncrementalText, Stretch
from phonoscope.server.text.markdown.document import PAUSE_SECONDS
from phonoscope.server.text.markdown.scanner import MarkdownScanner
from phonoscope.server.text.markdown.track import Track
from phonoscope.server.text.markdown.writer import Pause, Spoken


class IncrementalMarkdown:
    """One Markdown text that arrives in pieces.

    Args:
        language: selects the abbreviations, such as "en".

    Attributes:
        characters: number received so far.
    """

    def __init__(self, language: str) -> None:
        self.characters = 0
        self._scanner = MarkdownScanner()
        self._track = Track()
        self._spoken = IncrementalText(language)
        self._source = ""  # from `_source_base` on
        self._source_base = 0
        self._has_spoken = False
        self._is_pause_due = False

    @property
    def pending_characters(self) -> int:
        """Number of characters known and not returned yet."""
        return self._spoken.pending_characters

    @property
    def has_clause(self) -> bool:
        """Whether `take_clause` would return anything."""
        return self._spoken.has_clause

    def add(self, piece: str) -> list[Stretch]:
        """Adds the next piece; returns the stretches that are now final."""
        self._source += piece
        self.characters += len(piece)
        return self._read(self._scanner.add(piece))

    def flush(self) -> list[Stretch]:
        """Returns all remaining text, as if the text ended here."""
        return self._read(self._scanner.flush()) + self._stretches(self._spoken.flush())

    def take_clause(self) -> list[Stretch]:
        """Returns what can be spoken early, of what is known."""
        return self._stretches(self._spoken.take_clause())

    def _read(self, items: Iterable[Spoken | Pause]) -> list[Stretch]:
        stretches: list[Stretch] = []
        parts: list[str] = []
        for item in items:
            if isinstance(item, Spoken):
                self._track.add(item)
                parts.append(item.text)
            else:
                stretches += self._stretches([*self._spoken.add("".join(parts)), *self._spoken.flush()])
                parts, self._is_pause_due = [], self._has_spoken
        return stretches + self._stretches(self._spoken.add("".join(parts)))

    def _stretches(self, spoken: Iterable[Stretch]) -> list[Stretch]:
        return [self._stretch_of(one) for one in spoken]

    def _stretch_of(self, spoken: Stretch) -> Stretch:
        """Returns a stretch of what is spoken as one of the source."""
        pause, self._is_pause_due = PAUSE_SECONDS if self._is_pause_due else 0.0, False
        self._has_spoken = True
        passage = self._track.passage(spoken.start, spoken.text, pause, spoken.passage.line_offset)
        self._track.forget(spoken.stop)
        start, stop = passage.source(0, len(passage.text))
        text = self._source[start - self._source_base : stop - self._source_base]
        self._source = self._source[stop - self._source_base :]
        self._source_base = stop
        return Stretch(start, stop, text, passage)
