"""Progress of `phonoscope say` on stderr: a bar while it waits, and the figures of the closing line."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

CHARACTERS_PER_SECOND: Final = 14.0
"""Of English at speed 1.0; the bar estimates the duration from it."""


@dataclass(slots=True)
class SpeechStats:
    """Measures one speech from the moment it is requested."""

    started: float = field(default_factory=time.perf_counter)
    first_audio_seconds: float = 0.0
    wall_seconds: float = 0.0
    audio_seconds: float = 0.0

    def add(self, audio_seconds: float) -> None:
        """Counts audio that has just arrived."""
        self.wall_seconds = time.perf_counter() - self.started
        self.first_audio_seconds = self.first_audio_seconds or self.wall_seconds
        self.audio_seconds += audio_seconds

    def closing_line(self, destination: str) -> str:
        """Returns the last line of `phonoscope say`; the real-time factor is time spent per time of audio."""
        return (
            f"{destination}: {self.audio_seconds:.2f} s of audio, first audio after {self.first_audio_seconds:.3f} s, "
            f"real-time factor {self.wall_seconds / max(self.audio_seconds, 1e-9):.3f}"
        )


@contextlib.contextmanager
def progress_bar(text: str, speed: float, *, is_shown: bool) -> Iterator[Callable[[float], None]]:
    """Yields a function that takes the seconds of audio so far; shows a bar on stderr if that is a terminal.

    The total is estimated from the text; the bar stays below 100 % until the last audio has arrived.
    """
    if not (is_shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and few calls need it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - likewise

    estimate_seconds = len(text) / CHARACTERS_PER_SECOND / max(speed, 0.1)
    audio = TextColumn("{task.fields[audio_seconds]:.1f} s of audio, about {task.total:.0f} s in total")
    columns = (TextColumn("speaking"), BarColumn(), audio, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("speaking", total=estimate_seconds, audio_seconds=0.0)
        yield lambda audio_seconds: bar.update(
            task, completed=min(audio_seconds, 0.99 * estimate_seconds), audio_seconds=audio_seconds
        )
        bar.update(task, completed=estimate_seconds)
