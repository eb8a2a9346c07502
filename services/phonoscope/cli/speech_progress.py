"""What `phonoscope say` tells on stderr while it waits, and at the end."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

CHARACTERS_PER_SECOND: Final = 14.0
"""Of English at speed 1.0: the bar's guess at the length of what it cannot know yet."""


@dataclass(slots=True)
class SpeechStats:
    """Times one text, from the moment it is asked for."""

    started: float = field(default_factory=time.perf_counter)
    first_audio_seconds: float = 0.0
    wall_seconds: float = 0.0
    audio_seconds: float = 0.0

    def heard(self, audio_seconds: float) -> None:
        """Takes note of audio that has just come."""
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
    """Gives a function that takes the seconds of audio so far; the bar is on stderr, and only on a terminal.

    The length of the whole is guessed from the text; the bar waits short of its end until the last audio is there.
    """
    if not (is_shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and few calls need it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - likewise

    guess_seconds = len(text) / CHARACTERS_PER_SECOND / max(speed, 0.1)
    told = TextColumn("{task.fields[audio_seconds]:.1f} s of audio, about {task.total:.0f} s in all")
    with Progress(TextColumn("speaking"), BarColumn(), told, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("speaking", total=guess_seconds, audio_seconds=0.0)
        yield lambda audio_seconds: bar.update(
            task, completed=min(audio_seconds, 0.99 * guess_seconds), audio_seconds=audio_seconds
        )
        bar.update(task, completed=guess_seconds)
