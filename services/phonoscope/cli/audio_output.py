"""Where `phonoscope say` sends the audio: a WAV file, standard output, the loudspeakers, or several of them."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from phonoscope.cli.playback import loudspeaker
from phonoscope.cli.wav import SampleSink, WavFile, WavPipe, wav_at

STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOutput:
    """The destinations of one speech; raises BadParameter where there is none, or where it is the screen.

    Attributes:
        file: the WAV file; "-" is standard output.
        play: whether to play the audio.
        is_piped: whether standard output gets the audio as it arrives, instead of at the end.
    """

    file: Path | None
    play: bool
    is_piped: bool

    def __post_init__(self) -> None:
        if self.file is None and not self.play:
            raise typer.BadParameter("no destination for the audio: use -o out.wav or --play.", param_hint="--output")
        if self.is_stdout and sys.stdout.isatty():
            raise typer.BadParameter(
                "a WAV file cannot be shown on a terminal: redirect the output, or use -o FILE.", param_hint="--output"
            )

    @property
    def is_stdout(self) -> bool:
        """Whether the audio goes to standard output."""
        return str(self.file) == STDOUT

    @property
    def name(self) -> str:
        """Name of the destination in the closing line."""
        if self.file is None:
            return "played"
        return "standard output" if self.is_stdout else str(self.file)

    @contextlib.contextmanager
    def open(self) -> Iterator[Sequence[SampleSink]]:
        """Yields the sinks for the samples. The file is finished before the playback: Ctrl-C while playing keeps it.

        Raises OSError, before the block, where the file cannot be written.
        """
        with contextlib.ExitStack() as stack:
            sinks: list[SampleSink] = []
            if self.play:
                sinks.append(stack.enter_context(loudspeaker()))
            if self.file is not None:
                wav = wav_on_stdout(is_piped=self.is_piped) if self.is_stdout else wav_at(self.file)
                sinks.append(stack.enter_context(wav))
            yield sinks


@contextlib.contextmanager
def wav_on_stdout(*, is_piped: bool) -> Iterator[SampleSink]:
    """Yields a sink for standard output: written at once with unknown lengths, or at the end with the right ones."""
    if is_piped:
        yield WavPipe(sys.stdout.buffer)
        return
    whole = io.BytesIO()
    with contextlib.closing(WavFile(whole)) as wav:
        yield wav
    sys.stdout.buffer.write(whole.getvalue())
    sys.stdout.buffer.flush()
