"""Builds a passage piece by piece; keeps words separate and records the source of every character.

Called by `ssml/document.py`.
"""

from dataclasses import dataclass, field, replace

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.text.passage import Manner, Mark, Origin, Override, Passage
from phonoscope.server.types import Voice


@dataclass(slots=True)
class PassageBuilder:
    """Builds one passage from start to end."""

    voice: Voice | None = None
    speaker: int = 0
    pause_seconds: float = 0.0
    _parts: list[str] = field(default_factory=list)
    _origins: list[Origin] = field(default_factory=list)
    _manners: list[Manner] = field(default_factory=list)
    _overrides: list[Override] = field(default_factory=list)
    _marks: list[Mark] = field(default_factory=list)
    _length: int = 0

    def add(self, text: str, source_start: int, prosody: Prosody = NEUTRAL) -> None:
        """Adds text that is read as written."""
        self._add(
            text, Origin(self._length, self._length + len(text), source_start, source_start + len(text)), prosody
        )

    def add_reference(self, text: str, source: tuple[int, int], prosody: Prosody = NEUTRAL) -> None:
        """Adds text that is written as a reference, such as &amp;."""
        self._add(text, Origin(self._length, self._length + len(text), *source, is_replaced=True), prosody)

    def add_replaced(
        self, text: str, source: tuple[int, int], prosody: Prosody = NEUTRAL, override: Override | None = None
    ) -> None:
        """Adds text that replaces the source text, and optionally what is spoken instead of both."""
        if text[:1].isalnum():
            self._part_words()
        start = self._length
        origin = Origin(start, start + len(text), *source, is_replaced=True, is_settled=True)
        self._add(text, origin, prosody)
        if override is not None:
            self._overrides.append(replace(override, start=start, stop=self._length))

    def add_mark(self, name: str) -> None:
        """Adds a mark at the current position."""
        self._marks.append(Mark(self._length, name))

    def close(self, ending: str) -> Passage | None:
        """Returns the passage with closing punctuation after its last word; None if it is empty."""
        text = "".join(self._parts)
        if not text.strip() and not self._marks:
            return None
        spoken = len(text.rstrip())
        if spoken and text[spoken - 1].isalnum():
            end = self._origins[-1].source_stop if self._origins else 0
            self.add_replaced(ending, (end, end))
            text = "".join(self._parts)
        return Passage(
            text,
            tuple(self._origins),
            self.voice,
            self.speaker,
            tuple(self._manners),
            tuple(self._overrides),
            tuple(self._marks),
            self.pause_seconds,
        )

    def _add(self, text: str, origin: Origin, prosody: Prosody) -> None:
        if not text:
            return
        last = self._origins[-1] if self._origins else None
        if last is not None and last.is_settled and self._parts[-1][-1].isalnum() and text[0].isalnum():
            self._part_words()
            shift = self._length - origin.start
            origin = replace(origin, start=origin.start + shift, stop=origin.stop + shift)
        self._parts.append(text)
        self._origins.append(origin)
        self._length = origin.stop
        if prosody != NEUTRAL:
            self._manners.append(Manner(origin.start, origin.stop, prosody))

    def _part_words(self) -> None:
        """Adds a space where two words would otherwise join."""
        if self._parts and self._parts[-1][-1].isalnum():
            stop = self._origins[-1].source_stop
            self._parts.append(" ")
            self._origins.append(Origin(self._length, self._length + 1, stop, stop, is_replaced=True, is_settled=True))
            self._length += 1
