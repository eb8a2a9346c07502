"""Files with timings of the audio: `phonoscope say --subtitles` and `--timings`."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from phonoscope.cli.atomic_file import atomic_file
from phonoscope.cli.error_reporting import fail
from phonoscope.cli.subtitle_words import Markup, subtitle_words
from phonoscope.cli.subtitles import FORMATS, cues_of
from phonoscope.client import Timings, TimingType
from phonoscope.client.timings import NO_TIMINGS


class TimingCollector:
    """Joins the timings of the chunks of a speech."""

    def __init__(self) -> None:
        self.whole = NO_TIMINGS

    def add(self, timings: Timings) -> None:
        """Adds the timings of the next chunk."""
        self.whole += timings


@dataclass(frozen=True, slots=True)
class TimingFiles:
    """The requested files, None for each that is not requested; raises BadParameter for an unknown subtitle format."""

    subtitles: Path | None
    timings: Path | None

    def __post_init__(self) -> None:
        if self.subtitles is not None and self.subtitles.suffix.lower() not in FORMATS:
            raise typer.BadParameter(
                f"{self.subtitles}: unknown subtitle format; use a file name that ends in {' or '.join(FORMATS)}.",
                param_hint="--subtitles",
            )

    @property
    def types(self) -> list[TimingType]:
        """The timings to request from the server."""
        if self.timings is not None:
            return list(TimingType)
        return [TimingType.WORD] if self.subtitles is not None else []

    @contextlib.contextmanager
    def open(self, text: str, *, markup: Markup = "none") -> Iterator[TimingCollector]:
        """Yields a collector of timings; the files appear complete when the block succeeds, or not at all.

        Raises OSError, before the block, where one of them cannot be written.
        """
        collector = TimingCollector()
        with contextlib.ExitStack() as stack:
            subtitles = stack.enter_context(atomic_file(self.subtitles)) if self.subtitles else None
            timings = stack.enter_context(atomic_file(self.timings)) if self.timings else None
            yield collector
            if self.types and not collector.whole:
                fail("the server sent no timings; it may be an older version: omit --subtitles and --timings")
            if subtitles and self.subtitles:
                subtitles.write(subtitles_of(text, collector.whole, self.subtitles.suffix.lower(), markup=markup))
            if timings:
                timings.write(json.dumps(asdict(collector.whole), ensure_ascii=False, indent=1).encode() + b"\n")


def subtitles_of(text: str, timings: Timings, suffix: str, *, markup: Markup) -> bytes:
    """Returns the content of a subtitle file of the format that belongs to `suffix`."""
    words = subtitle_words(text, timings.words, markup=markup)
    return FORMATS[suffix](cues_of(words)).encode()
