"""Sentences for engines that take text as input: no phonemes, one prosody each.

`front_end.py` calls it for voices whose scheme is "plain". Such an engine does not report where a word is in its
audio, so a sentence is cut where its prosody changes, and there are no timings.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from phonoscope.server.text.normalise import Normalised
from phonoscope.server.text.passage import Passage, covering
from phonoscope.server.text.split import Span
from phonoscope.server.text.word_alignment import PLAIN, SentenceAlignment
from phonoscope.server.text.words import is_speakable

# A longer sentence is cut at a space: engines have a maximum input length, and long input delays the first audio.
MAX_CHARACTERS: Final = 300


def plain_stretches(
    passage: Passage, normal: Normalised, spans: Iterable[Span]
) -> Iterator[tuple[int, int, str, SentenceAlignment]]:
    """Yields the stretches to speak: source offsets, text and prosody.

    Args:
        passage: the passage to read.
        normal: its normalised text.
        spans: the sentences of `normal`.
    """
    edges = sorted(normal.place(edge) for one in passage.manners for edge in (one.start, one.stop))
    for span in spans:
        cuts = [span.start, *(edge for edge in edges if span.start < edge < span.stop), span.stop]
        for first, last in _bounded(normal.text, cuts):
            text = normal.text[first:last]
            if not is_speakable(text):
                continue
            begin, end = first + len(text) - len(text.lstrip()), last - len(text) + len(text.rstrip())
            start, stop = normal.source(begin, end)
            manner = covering(passage.manners, start, start + 1)  # covers the whole stretch: cuts include its edges
            spoken = _spoken(passage, normal, first, last).strip()
            alignment = SentenceAlignment(manners=((0, manner.prosody),)) if manner else PLAIN
            yield *passage.source(start, stop), spoken, alignment


def _bounded(text: str, cuts: list[int]) -> Iterator[tuple[int, int]]:
    """Yields the stretches between cuts, each at most MAX_CHARACTERS long."""
    for start, stop in pairwise(cuts):
        first = start
        while stop - first > MAX_CHARACTERS:
            space = text.rfind(" ", first + 1, first + MAX_CHARACTERS)
            cut = first + MAX_CHARACTERS if space < 0 else space + 1
            yield first, cut
            first = cut
        yield first, stop


def _spoken(passage: Passage, normal: Normalised, first: int, last: int) -> str:
    """Returns the text of a stretch with its overrides applied."""
    parts: list[str] = []
    at = first
    for override in passage.overrides:
        start, stop = normal.place(override.start), normal.place(override.stop)
        if override.alone and at <= start and stop <= last:
            parts += normal.text[at:start], override.alone
            at = stop
    return "".join([*parts, normal.text[at:last]])
