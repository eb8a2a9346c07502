"""Subtitles from timed words: cues, and how SubRip and WebVTT spell them. Used by `phonoscope say --subtitles`.

Follows W3C WebVTT (w3.org/TR/webvtt1); SubRip has no specification, so what its players agree on. A cue is a sentence,
or a part of one that is cut where it hurts least; its bounds are those that broadcasters publish.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.cli.subtitle_words import Ending, SubtitleWord

LINE_WIDTH: Final = 42
MOST_LINES: Final = 2
MOST_SECONDS: Final = 7.0
LEAST_SECONDS: Final = 1.0
"""Shorter than this is a flash: such a sentence shares its cue with the next."""
WORTH_OF_ENDING: Final = 0.2
"""How far from its middle, as a part of its length, a sentence or a line is cut to be cut where a phrase ends."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from one time to another, on one line or two."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]


def cues_of(words: Sequence[SubtitleWord]) -> Iterator[Cue]:
    """Yields the cues of a whole speech."""
    for sentence in sentences(words):
        for part in cut(sentence):
            end_seconds = min(part[-1].end_seconds, part[0].start_seconds + MOST_SECONDS)
            yield Cue(part[0].start_seconds, end_seconds, lines_of(part))


def sentences(words: Iterable[SubtitleWord]) -> Iterator[list[SubtitleWord]]:
    """Yields whole sentences, several of them together where they are very short."""
    held: list[SubtitleWord] = []
    for word in words:
        held.append(word)
        if word.ending is Ending.SENTENCE and seconds_of(held) >= LEAST_SECONDS:
            yield held
            held = []
    if held:
        yield held


def cut(words: Sequence[SubtitleWord]) -> list[Sequence[SubtitleWord]]:
    """Returns the words as parts that fit: cut in two, near the middle and after a phrase, as often as need be."""
    if len(words) == 1 or fits(words):
        return [words]
    middle_seconds = (words[0].start_seconds + words[-1].end_seconds) / 2
    length_seconds = seconds_of(words) or 1.0

    def harm(place: int) -> float:
        distance = abs(words[place].start_seconds - middle_seconds) / length_seconds
        return distance - WORTH_OF_ENDING * words[place - 1].ending

    place = min(range(1, len(words)), key=harm)
    return cut(words[:place]) + cut(words[place:])


def fits(words: Sequence[SubtitleWord]) -> bool:
    """Whether words make one cue."""
    if seconds_of(words) > MOST_SECONDS or width(joined(words)) > MOST_LINES * (LINE_WIDTH + 1):
        return False
    return all(width(line) <= LINE_WIDTH for line in lines_of(words))


def lines_of(words: Sequence[SubtitleWord]) -> tuple[str, ...]:
    """Returns one line; or two, as alike in width as they can be, rather parted after a phrase."""
    whole = joined(words)
    if width(whole) <= LINE_WIDTH or len(words) == 1:
        return (whole,)

    def harm(place: int) -> tuple[bool, float]:
        widest = max(width(joined(words[:place])), width(joined(words[place:])))
        return widest > LINE_WIDTH, widest / LINE_WIDTH - WORTH_OF_ENDING * words[place - 1].ending

    place = min(range(1, len(words)), key=harm)
    return joined(words[:place]), joined(words[place:])


def joined(words: Iterable[SubtitleWord]) -> str:
    """Returns the words as one line."""
    return "".join(f"{word.text}{word.glue}" for word in words).strip()


def width(line: str) -> int:
    """Returns columns: two for each wide character, such as those of Chinese (Unicode's annex 11)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def seconds_of(words: Sequence[SubtitleWord]) -> float:
    """Returns how long the words are heard."""
    return words[-1].end_seconds - words[0].start_seconds


def srt(cues: Iterable[Cue]) -> str:
    """Returns a file of SubRip."""
    return "".join(
        f"{number}\n{_clock(cue.start_seconds, ',')} --> {_clock(cue.end_seconds, ',')}\n{_text(cue)}\n\n"
        for number, cue in enumerate(cues, start=1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """Returns a file of WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start_seconds, '.')} --> {_clock(cue.end_seconds, '.')}\n{_escaped(_text(cue))}\n\n"
        for cue in cues
    )


FORMATS: Final[Mapping[str, Callable[[Iterable[Cue]], str]]] = {".srt": srt, ".vtt": vtt}
"""How subtitles are spelled, by the ending of their file's name."""


def _clock(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
