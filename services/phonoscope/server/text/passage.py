"""The input of the front end: text, the pronunciation and prosody of its parts, and source offsets.

Plain text is one passage. `ssml/` builds several from a document with `passage_builder.py`, and `lexicon.py` rewrites
words in them with `rewriting.py`. Offsets count characters of a passage's own text; source offsets count those of the
request.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from phonoscope.server.emotions import Prosody
from phonoscope.server.types import Voice


@dataclass(frozen=True, slots=True)
class Origin:
    """Where characters `start` to `stop` of a passage come from.

    Attributes:
        source_start, source_stop: source offsets.
        is_replaced: whether they represent the whole source range, instead of mapping one to one.
        is_settled: whether their pronunciation is already set, so that no lexicon changes it.
    """

    start: int
    stop: int
    source_start: int
    source_stop: int
    is_replaced: bool = False
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How the prosody of characters `start` to `stop` differs from the request's."""

    start: int
    stop: int
    prosody: Prosody


@dataclass(frozen=True, slots=True)
class Override:
    """What is spoken in place of characters `start` to `stop`: phonemes, or a text that is read in isolation.

    Attributes:
        ipa: phonemes, as `ipa_symbols` returns them.
        alone: text, such as a letter to pronounce by its name.
    """

    start: int
    stop: int
    ipa: str = ""
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A position that the caller wants reported."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that is read as a unit by one speaker.

    Attributes:
        origins: of all its characters, ascending; empty if every character's offset is its source offset.
        voice, speaker: the voice and speaker that read it; None for the request's own.
        pause_seconds: silence before it.
        line_offset: number of characters of its first line that come before it.
    """

    text: str
    origins: tuple[Origin, ...] = ()
    voice: Voice | None = None
    speaker: int = 0
    manners: tuple[Manner, ...] = ()
    overrides: tuple[Override, ...] = ()
    marks: tuple[Mark, ...] = ()
    pause_seconds: float = 0.0
    line_offset: int = 0

    @classmethod
    def at(cls, start: int, text: str, line_offset: int = 0) -> "Passage":
        """Returns a passage of plain text that starts at a source offset."""
        return cls(text, (Origin(0, len(text), start, start + len(text)),), line_offset=line_offset)

    @property
    def is_plain(self) -> bool:
        """Whether it is read as written."""
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
        """Returns whether the pronunciation of the first of these characters is already set."""
        origin = covering(self.origins, start, stop)
        return covering(self.overrides, start, stop) is not None or (origin is not None and origin.is_settled)


class _Range(Protocol):
    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...


RangeT = TypeVar("RangeT", bound=_Range)


def covering(ranges: Sequence[RangeT], start: int, stop: int) -> RangeT | None:
    """Returns the first of the ascending ranges that overlaps characters `start` to `stop`."""
    index = bisect_right(ranges, start, key=lambda one: one.start)
    candidates = ranges[max(0, index - 1) : index + 1]
    return next((one for one in candidates if one.start < stop and start < one.stop), None)


@dataclass(frozen=True, slots=True)
class Script:
    """The whole content of a request, as passages.

    Attributes:
        pause_seconds: silence at its end.
    """

    passages: tuple[Passage, ...]
    pause_seconds: float = 0.0

    @property
    def characters(self) -> int:
        """Number of characters to read."""
        return sum(len(passage.text) for passage in self.passages)

    @property
    def slowed_characters(self) -> float:
        """Number of characters weighted by duration: a character at half the rate counts twice."""
        manners = (manner for passage in self.passages for manner in passage.manners)
        return self.characters + sum((one.stop - one.start) * (1 / one.prosody.rate - 1) for one in manners)

    @property
    def silence_seconds(self) -> float:
        """Total duration of pauses."""
        return self.pause_seconds + sum(passage.pause_seconds for passage in self.passages)

    @property
    def has_pitch(self) -> bool:
        """Whether any part has a changed pitch."""
        return self.has_hertz or any(prosody.pitch != 1.0 for prosody in self._prosodies())

    @property
    def has_hertz(self) -> bool:
        """Whether any part has a pitch in hertz."""
        return any(prosody.pitch_hz for prosody in self._prosodies())

    @property
    def is_louder(self) -> bool:
        """Whether any part is louder."""
        return any(prosody.gain_db > 0 for prosody in self._prosodies())

    def _prosodies(self) -> Iterator[Prosody]:
        return (manner.prosody for passage in self.passages for manner in passage.manners)
