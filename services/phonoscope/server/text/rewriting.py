"""Replaces words of a passage with what is read instead, and shifts all offsets of the passage accordingly.

Called by `lexicon.py`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phonoscope.server.text.passage import Origin, Override, Passage


@dataclass(frozen=True, slots=True)
class Replacement:
    """The replacement of characters `start` to `stop`: texts, each with its phonemes or ""."""

    start: int
    stop: int
    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The whole replacement text."""
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
    """Returns the part of an origin between two characters, with offsets after replacement."""
    first, last = max(start, origin.start), min(stop, origin.stop)
    begin, length = shifts.at(first), last - first
    if origin.is_replaced:
        return replace(origin, start=begin, stop=begin + length)
    source = origin.source_start + first - origin.start
    return Origin(begin, begin + length, source, source + length)


class _Shifts:
    """Maps offsets to those after replacement; characters within a replacement map to its start."""

    def __init__(self, replacements: Sequence[Replacement]) -> None:
        self._replacements = replacements
        self._moved = [0]  # cumulative shift before each replacement
        for one in replacements:
            self._moved.append(self._moved[-1] + len(one.text) - (one.stop - one.start))

    def at(self, offset: int) -> int:
        """Returns the new offset of a character."""
        index = bisect_right(self._replacements, offset - 1, key=lambda one: one.start)  # number that start before it
        if index and offset < self._replacements[index - 1].stop:
            return self._replacements[index - 1].start + self._moved[index - 1]
        return offset + self._moved[index]
