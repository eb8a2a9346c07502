"""Subtitles from timed words: cues, and the formats SubRip and WebVTT. Used by `phonoscope say --subtitles`.

Follows W3C WebVTT (w3.org/TR/webvtt1); SubRip has no specification, so its de facto format. A cue is a sentence, or
part of one; its limits are those that broadcasters publish.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.cli.subtitle_words import Ending, SubtitleWord

LINE_WIDTH: Final = 42
MAX_LINES: Final = 2
MAX_SECONDS: Final = 7.0
MIN_SECONDS: Final = 1.0
"""A shorter sentence shares its cue with the next one."""
BOUNDARY_WEIGHT: Final = 0.2
"""How far from the middle, as a ratio of the length, a split may move to be at the end of a phrase."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on one or two lines, shown from one time to another."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]


def cues_of(words: Sequence[SubtitleWord]) -> Iterator[Cue]:
    """Yields the cues of a whole speech."""
    for sentence in sentences(words):
        for part in split(sentence):
            end_seconds = min(part[-1].end_seconds, part[0].start_seconds + MAX_SECONDS)
            yield Cue(part[0].start_seconds, end_seconds, lines_of(part))


def sentences(words: Iterable[SubtitleWord]) -> Iterator[list[SubtitleWord]]:
    """Yields whole sentences; very short ones are joined."""
    pending: list[SubtitleWord] = []
    for word in words:
        pending.append(word)
        if word.ending is Ending.SENTENCE and seconds_of(pending) >= MIN_SECONDS:
            yield pending
            pending = []
    if pending:
        yield pending


def split(words: Sequence[SubtitleWord]) -> list[Sequence[SubtitleWord]]:
    """Returns the words in parts that fit a cue: halved near the middle, rather after a phrase, until they fit."""
    if len(words) == 1 or fits(words):
        return [words]
    middle_seconds = (words[0].start_seconds + words[-1].end_seconds) / 2
    length_seconds = seconds_of(words) or 1.0

    def penalty(place: int) -> float:
        distance = abs(words[place].start_seconds - middle_seconds) / length_seconds
        return distance - BOUNDARY_WEIGHT * words[place - 1].ending

    place = min(range(1, len(words)), key=penalty)
    return split(words[:place]) + split(words[place:])


def fits(words: Sequence[SubtitleWord]) -> bool:
    """Whether the words fit one cue."""
    if seconds_of(words) > MAX_SECONDS or width(joined(words)) > MAX_LINES * (LINE_WIDTH + 1):
        return False
    return all(width(line) <= LINE_WIDTH for line in lines_of(words))


def lines_of(words: Sequence[SubtitleWord]) -> tuple[str, ...]:
    """Returns one line, or two of similar width, split preferably after a phrase."""
    whole = joined(words)
    if width(whole) <= LINE_WIDTH or len(words) == 1:
        return (whole,)

    def penalty(place: int) -> tuple[bool, float]:
        widest = max(width(joined(words[:place])), width(joined(words[place:])))
        return widest > LINE_WIDTH, widest / LINE_WIDTH - BOUNDARY_WEIGHT * words[place - 1].ending

    place = min(range(1, len(words)), key=penalty)
    return joined(words[:place]), joined(words[place:])


def joined(words: Iterable[SubtitleWord]) -> str:
    """Returns the words as one line."""
    return "".join(f"{word.text}{word.glue}" for word in words).strip()


def width(line: str) -> int:
    """Returns the width in columns; a wide character, such as a Chinese one, has two (Unicode annex 11)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def seconds_of(words: Sequence[SubtitleWord]) -> float:
    """Returns the duration of the words."""
    return words[-1].end_seconds - words[0].start_seconds


def srt(cues: Iterable[Cue]) -> str:
    """Returns the content of a SubRip file."""
    return "".join(
        f"{number}\n{_clock(cue.start_seconds, ',')} --> {_clock(cue.end_seconds, ',')}\n{_text(cue)}\n\n"
        for number, cue in enumerate(cues, start=1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """Returns the content of a WebVTT file."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start_seconds, '.')} --> {_clock(cue.end_seconds, '.')}\n{_escaped(_text(cue))}\n\n"
        for cue in cues
    )


FORMATS: Final[Mapping[str, Callable[[Iterable[Cue]], str]]] = {".srt": srt, ".vtt": vtt}
"""The formats by the suffix of the file."""


def _clock(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
