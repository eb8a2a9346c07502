"""Long texts of `phonoscope say`: spoken in parts, one stream after another, as if they were one.

A server limits the text of one request (`--max-text-characters`), incremental input included. Parts also give every
stream a deadline of its own, and a busy server can be retried between them.
"""

import contextlib
import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from phonoscope.client import AudioChunk, Client, SpeechOptions, Timings
from phonoscope.client.errors import InvalidArgument
from phonoscope.client.timings import PhonemeTiming, VisemeTiming, WordTiming

TimingT = TypeVar("TimingT", WordTiming, PhonemeTiming, VisemeTiming)

MAX_PART_CHARACTERS: Final = 8_000
"""Below the default limit of a server. A server with a lower one refuses a part, which is then halved."""
MIN_PART_CHARACTERS: Final = 100
_NOTHING_TO_SPEAK: Final = frozenset({"TEXT_EMPTY", "TEXT_UNPRONOUNCEABLE"})
# Where to cut, the best first: paragraphs; ends of sentences after a word that is no abbreviation, or wide marks; any
# mark; ends of lines; spaces.
_CUTS: Final = (
    re.compile(r"\n\s*\n"),
    re.compile(r"[^\W\d_]{4}[.!?…]+[\"'”’»)\]]*\s|[。！？][」』”）]*"),
    re.compile(r"[.!?…:;,，、；：]\s?"),
    re.compile(r"\n"),
    re.compile(r"\s"),
)


def stream_in_parts(client: Client, text: str, options: SpeechOptions) -> Generator[AudioChunk, None, None]:
    """Yields the audio of a text of any length; timings count from its start. The voice of the first part speaks all.

    Raises:
        PhonoscopeClientError: the server refuses a part, or fails.
    """
    waiting = [*parts_of(text, MAX_PART_CHARACTERS)]
    is_one, seconds = len(waiting) == 1, 0.0
    while waiting:
        start, part = waiting.pop(0)
        part_seconds = 0.0
        try:
            with contextlib.closing(client.stream(part, **options)) as chunks:
                for chunk in chunks:
                    part_seconds += chunk.audio_seconds
                    if chunk.voice:
                        options = options | SpeechOptions(voice=chunk.voice, language="")
                    yield replace(chunk, timings=_shifted(chunk.timings, seconds, start))
        except InvalidArgument as refusal:
            if refusal.reason == "TEXT_TOO_LONG" and len(part) > MIN_PART_CHARACTERS:
                waiting[:0] = [(start + at, half) for at, half in parts_of(part, -(-len(part) // 2))]
                is_one = False
            elif is_one or refusal.reason not in _NOTHING_TO_SPEAK:
                raise
        seconds += part_seconds


def parts_of(text: str, max_characters: int) -> Iterator[tuple[int, str]]:
    """Yields the parts of a text and their offsets: at most `max_characters` long, cut where speech pauses."""
    start = 0
    while len(text) - start > max_characters:
        stop = _cut(text, start, start + max_characters)
        if part := text[start:stop].strip():
            yield text.index(part[0], start), part
        start = stop
    if part := text[start:].strip():
        yield text.index(part[0], start), part


def _cut(text: str, start: int, stop: int) -> int:
    """Returns where to cut between two offsets: behind the last of the best places in the second half."""
    for places in _CUTS:
        ends = [found.end() for found in places.finditer(text, (start + stop) // 2, stop)]
        if ends:
            return ends[-1]
    return stop


def _shifted(timings: Timings, seconds: float, characters: int) -> Timings:
    """Returns timings that begin later, of words that stand further back in the text."""
    if not (seconds or characters):
        return timings

    def later(one: TimingT) -> TimingT:
        return replace(one, start_seconds=one.start_seconds + seconds, end_seconds=one.end_seconds + seconds)

    words = (
        replace(later(word), text_span=(word.text_span[0] + characters, word.text_span[1] + characters))
        for word in timings.words
    )
    return Timings(
        words=tuple(words),
        phonemes=tuple(later(phoneme) for phoneme in timings.phonemes),
        visemes=tuple(later(viseme) for viseme in timings.visemes),
        marks=tuple(replace(mark, seconds=mark.seconds + seconds) for mark in timings.marks),
    )
