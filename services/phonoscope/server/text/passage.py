"""What the front end reads: a stretch of text, how its parts are said, and where each character was written.

Plain text is one passage. `ssml/` makes several of a document, and `lexicon.py` rewrites words within them. Offsets
count characters of a passage's own text unless they are called source offsets, which count those of the request.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.types import Voice


@dataclass(frozen=True, slots=True)
class Origin:
    """Where characters `start` to `stop` of a passage come from.

    Attributes:
        source_start, source_stop: source offsets.
        is_replaced: whether they stand for the whole of it, instead of one character for each.
        is_settled: whether it was said how they are read, so that no lexicon changes that.
    """

    start: int
    stop: int
    source_start: int
    source_stop: int
    is_replaced: bool = False
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How characters `start` to `stop` differ from what the request wants."""

    start: int
    stop: int
    prosody: Prosody


@dataclass(frozen=True, slots=True)
class Override:
    """What is said in place of characters `start` to `stop`: phonemes, or a text that is read by itself.

    Attributes:
        ipa: phonemes, as `ipa_symbols` returns them.
        alone: text, such as a letter whose name is said.
    """

    start: int
    stop: int
    ipa: str = ""
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that the caller wants to hear of."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that is read as one, by one speaker.

    Attributes:
        origins: of all its characters, ascending; none where every character's offset is its source offset.
        voice, speaker: who reads it; None for the request's own.
        pause_seconds: silence before it.
    """

    text: str
    origins: tuple[Origin, ...] = ()
    voice: Voice | None = None
    speaker: int = 0
    manners: tuple[Manner, ...] = ()
    overrides: tuple[Override, ...] = ()
    marks: tuple[Mark, ...] = ()
    pause_seconds: float = 0.0

    @classmethod
    def at(cls, start: int, text: str) -> "Passage":
        """Returns plain text that begins at a source offset."""
        return cls(text, (Origin(0, len(text), start, start + len(text)),))

    @property
    def is_plain(self) -> bool:
        """Whether it is said as it is written."""
        return not (self.manners or self.overrides or self.marks)

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """Returns the source offsets of characters `start` to `stop`."""
        if not self.origins:
            return start, stop
        first, last = self._origin(start), self._origin(max(start, stop - 1))
        source_start = first.source_start if first.is_replaced else first.source_start + start - first.start
        source_stop = last.source_stop if last.is_replaced else last.source_start + stop - last.start
        return source_start, max(source_start, source_stop)

    def _origin(self, at: int) -> Origin:
        index = bisect_right(self.origins, at, key=lambda origin: origin.start) - 1
        return self.origins[max(index, 0)]

    def is_settled(self, start: int, stop: int) -> bool:
        """Whether it was said before how the first of these characters are read."""
        origin = covering(self.origins, start, stop)
        return covering(self.overrides, start, stop) is not None or (origin is not None and origin.is_settled)


class _Range(Protocol):
    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...


RangeT = TypeVar("RangeT", bound=_Range)


def covering(ranges: Sequence[RangeT], start: int, stop: int) -> RangeT | None:
    """Returns the first of ascending ranges that has any of the characters `start` to `stop`."""
    index = bisect_right(ranges, start, key=lambda one: one.start)
    candidates = ranges[max(0, index - 1) : index + 1]
    return next((one for one in candidates if one.start < stop and start < one.stop), None)


@dataclass(frozen=True, slots=True)
class Script:
    """All that a request says, passage by passage.

    Attributes:
        pause_seconds: silence at its end.
    """

    passages: tuple[Passage, ...]
    pause_seconds: float = 0.0

    @property
    def characters(self) -> int:
        """Characters that are read."""
        return sum(len(passage.text) for passage in self.passages)

    @property
    def slowed_characters(self) -> float:
        """Characters by how long they take: one that is said at half the rate counts twice."""
        manners = (manner for passage in self.passages for manner in passage.manners)
        return self.characters + sum((one.stop - one.start) * (1 / one.prosody.rate - 1) for one in manners)

    @property
    def silence_seconds(self) -> float:
        """Pauses, all together."""
        return self.pause_seconds + sum(passage.pause_seconds for passage in self.passages)

    @property
    def has_pitch(self) -> bool:
        """Whether some of it is said at another pitch."""
        return any(manner.prosody.pitch != 1.0 for passage in self.passages for manner in passage.manners)

    @property
    def is_louder(self) -> bool:
        """Whether some of it is said louder."""
        return any(manner.prosody.gain_db > 0 for passage in self.passages for manner in passage.manners)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is read for characters `start` to `stop`: texts, each with its phonemes or ""."""

    start: int
    stop: int
    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """All that is read."""
        return "".join(text for text, _ in self.parts)


def rewritten(passage: Passage, replacements: Sequence[Replacement]) -> Passage:
    """Returns a passage with some of its text replaced; replacements ascend and do not overlap."""
    shifts = _Shifts(replacements)
    pieces: list[str] = []
    origins: list[Origin] = []
    overrides = [replace(one, start=shifts.at(one.start), stop=shifts.at(one.stop)) for one in passage.overrides]
    own = passage.origins or (Origin(0, len(passage.text), 0, len(passage.text)),)
    behind = 0
    for replacement in (*replacements, Replacement(len(passage.text), len(passage.text), ())):
        pieces += passage.text[behind : replacement.start], replacement.text
        first = max(0, bisect_right(own, behind, key=lambda origin: origin.start) - 1)
        last = bisect_left(own, replacement.start, key=lambda origin: origin.start)
        kept = (origin for origin in own[first:last] if behind < origin.stop)
        origins += (_cut(origin, behind, replacement.start, shifts) for origin in kept)
        start = shifts.at(replacement.start)
        if replacement.text:
            source = passage.source(replacement.start, replacement.stop)
            origins.append(Origin(start, start + len(replacement.text), *source, is_replaced=True, is_settled=True))
        for text, ipa in replacement.parts:
            if ipa:
                overrides.append(Override(start, start + len(text), ipa))
            start += len(text)
        behind = replacement.stop
    return replace(
        passage,
        text="".join(pieces),
        origins=tuple(origins),
        overrides=tuple(sorted(overrides, key=lambda one: one.start)),
        manners=tuple(replace(one, start=shifts.at(one.start), stop=shifts.at(one.stop)) for one in passage.manners),
        marks=tuple(replace(mark, at=shifts.at(mark.at)) for mark in passage.marks),
    )


def _cut(origin: Origin, start: int, stop: int, shifts: "_Shifts") -> Origin:
    """Returns the part of an origin between two characters, where it is after all is replaced."""
    first, last = max(start, origin.start), min(stop, origin.stop)
    begin, length = shifts.at(first), last - first
    if origin.is_replaced:
        return replace(origin, start=begin, stop=begin + length)
    source = origin.source_start + first - origin.start
    return Origin(begin, begin + length, source, source + length)


class _Shifts:
    """Where characters go when some text is replaced; those within a replacement go to its beginning."""

    def __init__(self, replacements: Sequence[Replacement]) -> None:
        self._replacements = replacements
        self._moved = [0]  # by all replacements before each one
        for one in replacements:
            self._moved.append(self._moved[-1] + len(one.text) - (one.stop - one.start))

    def at(self, offset: int) -> int:
        """Returns the new offset of a character."""
        index = bisect_right(self._replacements, offset - 1, key=lambda one: one.start)  # that begin before it
        if index and offset < self._replacements[index - 1].stop:
            return self._replacements[index - 1].start + self._moved[index - 1]
        return offset + self._moved[index]


@dataclass(slots=True)
class PassageBuilder:
    """A passage that grows from its beginning to its end."""

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
        """Adds text that is read as it is written."""
        self._add(
            text, Origin(self._length, self._length + len(text), source_start, source_start + len(text)), prosody
        )

    def add_reference(self, text: str, source: tuple[int, int], prosody: Prosody = NEUTRAL) -> None:
        """Adds text that is read as it is, but written as a reference, such as &amp;."""
        self._add(text, Origin(self._length, self._length + len(text), *source, is_replaced=True), prosody)

    def add_replaced(
        self, text: str, source: tuple[int, int], prosody: Prosody = NEUTRAL, override: Override | None = None
    ) -> None:
        """Adds text that stands for other text, and what is said in its place, if that is neither."""
        if text[:1].isalnum():
            self._part_words()
        start = self._length
        origin = Origin(start, start + len(text), *source, is_replaced=True, is_settled=True)
        self._add(text, origin, prosody)
        if override is not None:
            self._overrides.append(replace(override, start=start, stop=self._length))

    def add_mark(self, name: str) -> None:
        """Puts a mark here."""
        self._marks.append(Mark(self._length, name))

    def close(self, ending: str) -> Passage | None:
        """Returns the passage, its last word closed by a mark; None where there is nothing in it."""
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
        """Adds a space where two words would run into one."""
        if self._parts and self._parts[-1][-1].isalnum():
            stop = self._origins[-1].source_stop
            self._parts.append(" ")
            self._origins.append(Origin(self._length, self._length + 1, stop, stop, is_replaced=True, is_settled=True))
            self._length += 1
