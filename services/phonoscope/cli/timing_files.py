"""Files that say where in the audio things are heard: `phonoscope say --subtitles` and `--timings`."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from phonoscope.cli.atomic_file import atomic_file
from phonoscope.cli.error_reporting import fail
from phonoscope.cli.subtitle_words import subtitle_words
from phonoscope.cli.subtitles import FORMATS, cues_of
from phonoscope.client import Timings, TimingType
from phonoscope.client.timings import NO_TIMINGS


@dataclass(frozen=True, slots=True)
class TimingFiles:
    """The files that are asked for; None for those that are not."""

    subtitles: Path | None
    timings: Path | None

    def __post_init__(self) -> None:
        if self.subtitles is not None and self.subtitles.suffix.lower() not in FORMATS:
            raise typer.BadParameter(
                f"{self.subtitles} is no subtitle file that is known here: its name has to end in "
                f"{' or '.join(FORMATS)}.",
                param_hint="--subtitles",
            )

    @property
    def types(self) -> list[TimingType]:
        """What has to be asked of the server."""
        if self.timings is not None:
            return list(TimingType)
        return [TimingType.WORD] if self.subtitles is not None else []


class TimingCollector:
    """Those of a speech, as they come."""

    def __init__(self) -> None:
        self.whole = NO_TIMINGS

    def add(self, timings: Timings) -> None:
        """Takes those of the next piece."""
        self.whole += timings


@contextlib.contextmanager
def timing_files(files: TimingFiles, text: str, *, is_ssml: bool) -> Iterator[TimingCollector]:
    """Gives what takes the timings; the files appear whole when the block has ended well, or not at all.

    Raises OSError, before the block, where one of them cannot be written.
    """
    heard = TimingCollector()
    with contextlib.ExitStack() as stack:
        subtitles = stack.enter_context(atomic_file(files.subtitles)) if files.subtitles else None
        timings = stack.enter_context(atomic_file(files.timings)) if files.timings else None
        yield heard
        if files.types and not heard.whole:
            fail("the server sent no timings; it may be older than this command: write no --subtitles or --timings")
        if subtitles and files.subtitles:
            words = subtitle_words(text, heard.whole.words, is_ssml=is_ssml)
            subtitles.write(FORMATS[files.subtitles.suffix.lower()](cues_of(words)).encode())
        if timings:
            timings.write(json.dumps(asdict(heard.whole), ensure_ascii=False, indent=1).encode() + b"\n")
