"""`phonoscope say`: a text becomes a WAV file, sound from the loudspeakers, or both; and subtitles with it."""

import contextlib
import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from phonoscope.cli.error_reporting import fail, report_errors
from phonoscope.cli.flag_groups import with_flags
from phonoscope.cli.playback import loudspeaker
from phonoscope.cli.shared_options import SHORTEST_TIMEOUT_SECONDS, ServerOption
from phonoscope.cli.speech_options import speech_option_flags
from phonoscope.cli.speech_progress import SpeechStats, progress_bar
from phonoscope.cli.text_input import is_document, text_to_say
from phonoscope.cli.timing_files import TimingCollector, TimingFiles, timing_files
from phonoscope.cli.wav import SampleSink, WavFile, WavPipe, wav_at
from phonoscope.client import AudioChunk, Client, Speech, SpeechOptions
from phonoscope.client.channel import DEFAULT_TARGET, DEFAULT_TIMEOUT_SECONDS

STDOUT: Final = "-"
LONGEST_UNARY_CHARACTERS: Final = 400
"""At speed 1. Longer texts are streamed: at 48 kHz a unary reply, 4 MiB, holds 43 s, which is some 430 characters of a
slow voice; and a long text deserves a progress bar."""


@with_flags(options=speech_option_flags())
def say(
    *,
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to say; '-' or nothing reads standard input.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="WAV file to write; '-' is standard output.")
    ] = None,
    play: Annotated[bool, typer.Option("--play", "-p", help="Play it while it comes (needs the play extra).")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the text from a UTF-8 file.")
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            show_default=False,
            help="Ask for audio in pieces, or in one reply. Default: pieces with --play, for SSML, and for texts over "
            f"{LONGEST_UNARY_CHARACTERS} characters (at speed 1). With -o - and --stream, WAV bytes leave as they "
            "come, with open lengths in their header.",
        ),
    ] = None,
    ssml: Annotated[
        bool | None,
        typer.Option(
            "--ssml/--no-ssml",
            show_default=False,
            help="The text is a document of SSML 1.1. Default: where --file ends in .ssml.",
        ),
    ] = None,
    subtitles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write subtitles too: SubRip (.srt) or WebVTT (.vtt).")
    ] = None,
    timings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write where words, phonemes, visemes and marks are heard, as JSON."),
    ] = None,
    options: SpeechOptions,
    server: ServerOption = DEFAULT_TARGET,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=SHORTEST_TIMEOUT_SECONDS, help="Give up after this long.")
    ] = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    """Say a text: into a WAV file (-o), from the loudspeakers (--play), or both.

    Ends with a line on stderr: seconds of audio, seconds to the first audio, and the real-time factor (time spent per
    time of audio; below 1 is faster than speech). A file appears whole or not at all, even after Ctrl-C.
    """
    with report_errors():
        words = text_to_say(text, file)
        is_ssml = ssml if ssml is not None else is_document(file)
        check_destination(output, play=play)
        files = TimingFiles(subtitles, timings)
        is_streamed = stream if stream is not None else play or is_ssml or is_long(words, options["speed"])
        options = options | SpeechOptions(ssml=words if is_ssml else "", timing_types=files.types)
        with (
            Client(server, timeout_seconds=timeout) as client,
            sinks(output, play=play, is_streamed=stream is True) as into,
            timing_files(files, words, is_ssml=is_ssml) as timed,
            contextlib.closing(spoken(client, "" if is_ssml else words, options, is_streamed=is_streamed)) as pieces,
            progress_bar(words, options["speed"], is_shown=is_streamed) as tell,
        ):
            measure = pour(pieces, into, timed, tell)
        typer.echo(measure.closing_line(destination_name(output)), err=True)


def check_destination(output: Path | None, *, play: bool) -> None:
    """Raises BadParameter where the audio would go nowhere, or onto the screen."""
    if output is None and not play:
        raise typer.BadParameter("say where the audio goes: -o out.wav, or --play.", param_hint="--output")
    if is_stdout(output) and sys.stdout.isatty():
        raise typer.BadParameter("a WAV is no use on a terminal: redirect it, or use -o FILE.", param_hint="--output")


def is_long(words: str, speed: float) -> bool:
    """Whether the speech may be too long for a unary reply; a speed that is no speed counts as 1."""
    return len(words) > LONGEST_UNARY_CHARACTERS * (speed if speed > 0 else 1.0)


def spoken(
    client: Client, words: str, options: SpeechOptions, *, is_streamed: bool
) -> Generator[AudioChunk | Speech, None, None]:
    """Yields the audio as it comes: in pieces, or whole."""
    if is_streamed:
        yield from client.stream(words, **options)
    else:
        yield client.synthesize(words, **options)


def pour(
    pieces: Iterable[AudioChunk | Speech],
    into: Sequence[SampleSink],
    timed: TimingCollector,
    tell: Callable[[float], None],
) -> SpeechStats:
    """Passes all audio on to every sink, and returns what it measured; `tell` hears of progress."""
    measure = SpeechStats()
    for piece in pieces:
        measure.heard(piece.audio_seconds)
        tell(measure.audio_seconds)
        timed.add(piece.timings)
        for sink in into:
            sink.write(piece.audio, piece.sample_rate_hz)
    if not measure.audio_seconds:
        fail("the server sent no audio; its log may say why")
    return measure


@contextlib.contextmanager
def sinks(output: Path | None, *, play: bool, is_streamed: bool) -> Iterator[Sequence[SampleSink]]:
    """Gives what takes the samples. The file is finished first: who interrupts the playing keeps it."""
    with contextlib.ExitStack() as stack:
        into: list[SampleSink] = []
        if play:
            into.append(stack.enter_context(loudspeaker()))
        if output is not None:
            wav = wav_on_stdout(is_streamed=is_streamed) if is_stdout(output) else wav_at(output)
            into.append(stack.enter_context(wav))
        yield into


@contextlib.contextmanager
def wav_on_stdout(*, is_streamed: bool) -> Iterator[SampleSink]:
    """Gives a sink for standard output: at once with open lengths, or at the end with the right ones."""
    if is_streamed:
        yield WavPipe(sys.stdout.buffer)
        return
    whole = io.BytesIO()
    with contextlib.closing(WavFile(whole)) as wav:
        yield wav
    sys.stdout.buffer.write(whole.getvalue())
    sys.stdout.buffer.flush()


def is_stdout(output: Path | None) -> bool:
    """Whether the audio goes to standard output."""
    return str(output) == STDOUT


def destination_name(output: Path | None) -> str:
    """Returns how the closing line calls the place where the audio went."""
    if output is None:
        return "played"
    return "standard output" if is_stdout(output) else str(output)
