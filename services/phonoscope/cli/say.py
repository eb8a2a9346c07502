"""`phonoscope say`: turns a text into a WAV file, into sound, or both, with subtitles if asked for."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from phonoscope.cli.audio_output import AudioOutput
from phonoscope.cli.error_reporting import fail, report_errors
from phonoscope.cli.flag_groups import with_flags
from phonoscope.cli.long_text import stream_in_parts
from phonoscope.cli.shared_options import MIN_TIMEOUT_SECONDS, ServerOption
from phonoscope.cli.speech_options import speech_option_flags
from phonoscope.cli.speech_progress import SpeechStats, progress_bar
from phonoscope.cli.text_input import TextInput, read_text
from phonoscope.cli.timing_files import TimingCollector, TimingFiles
from phonoscope.cli.wav import SampleSink
from phonoscope.client import AudioChunk, Client, Speech, SpeechOptions, TextFormat
from phonoscope.client.channel import DEFAULT_TARGET, DEFAULT_TIMEOUT_SECONDS

MAX_UNARY_CHARACTERS: Final = 400
"""At speed 1. Longer texts are streamed: a unary reply of 4 MiB holds 43 s at 48 kHz, which is about 430 characters of
a slow voice; and a long text benefits from a progress bar."""


@with_flags(options=speech_option_flags())
def say(
    *,
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="Text to speak; '-' or nothing reads standard input.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="WAV file to write; '-' is standard output.")
    ] = None,
    play: Annotated[
        bool, typer.Option("--play", "-p", help="Play the audio as it arrives (needs the play extra).")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the text from a UTF-8 file.")
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            show_default=False,
            help="Request the audio as a stream, or in one reply. Default: stream with --play, for SSML, and for "
            f"texts over {MAX_UNARY_CHARACTERS} characters (at speed 1). Long texts are requested in parts. "
            "With -o - and --stream, the WAV is sent as it arrives, with unknown lengths in its header.",
        ),
    ] = None,
    ssml: Annotated[
        bool | None,
        typer.Option(
            "--ssml/--no-ssml",
            show_default=False,
            help="The text is an SSML 1.1 document. Default: where --file ends in .ssml.",
        ),
    ] = None,
    text_format: Annotated[
        TextFormat | None,
        typer.Option(
            show_default=False,
            help="Format of the text: plain, or Markdown, which is read as a person reads it aloud. Default: markdown "
            "where --file ends in .md or .markdown, else plain.",
        ),
    ] = None,
    subtitles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write subtitles: SubRip (.srt) or WebVTT (.vtt).")
    ] = None,
    timings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the timings of words, phonemes, visemes and marks as JSON."),
    ] = None,
    options: SpeechOptions,
    server: ServerOption = DEFAULT_TARGET,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=MIN_TIMEOUT_SECONDS, help="Deadline of the request.")
    ] = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    """Speak a text: into a WAV file (-o), through the loudspeakers (--play), or both.

    Prints a closing line on stderr: seconds of audio, seconds to the first audio, and the real-time factor (time spent
    per time of audio; below 1 is faster than speech). A file is complete or absent, even after Ctrl-C.
    """
    with report_errors():
        given = read_text(text, file, is_ssml=ssml, text_format=text_format)
        destination = AudioOutput(file=output, play=play, is_piped=stream is True)
        files = TimingFiles(subtitles, timings)
        is_streamed = stream if stream is not None else play or given.is_ssml or is_long(given, options["speed"])
        options = options | SpeechOptions(ssml=given.ssml, text_format=given.text_format, timing_types=files.types)
        with Client(server, timeout_seconds=timeout) as client:
            stats = speak(client, given, options, destination, files, is_streamed=is_streamed)
        typer.echo(stats.closing_line(destination.name), err=True)


def is_long(given: TextInput, speed: float) -> bool:
    """Whether the speech may be too long for a unary reply; a speed of 0 or less counts as 1."""
    return len(given.content) > MAX_UNARY_CHARACTERS * (speed if speed > 0 else 1.0)


def speak(
    client: Client,
    given: TextInput,
    options: SpeechOptions,
    destination: AudioOutput,
    files: TimingFiles,
    *,
    is_streamed: bool,
) -> SpeechStats:
    """Requests the speech and writes it to its destinations; every file is opened before the request is sent."""
    with (
        destination.open() as sinks,
        files.open(given.content, markup=given.markup) as timings,
        contextlib.closing(audio_of(client, given.text, options, is_streamed=is_streamed)) as chunks,
        progress_bar(given.content, options["speed"], is_shown=is_streamed) as on_progress,
    ):
        return write_audio(chunks, sinks, timings, on_progress)


def audio_of(
    client: Client, text: str, options: SpeechOptions, *, is_streamed: bool
) -> Generator[AudioChunk | Speech, None, None]:
    """Yields the audio in chunks as it arrives, or all of it at once. No text means a document in the options."""
    if is_streamed and text:
        yield from stream_in_parts(client, text, options)
    elif is_streamed:
        yield from client.stream("", **options)
    else:
        yield client.synthesize(text, **options)


def write_audio(
    chunks: Iterable[AudioChunk | Speech],
    sinks: Sequence[SampleSink],
    timings: TimingCollector,
    on_progress: Callable[[float], None],
) -> SpeechStats:
    """Writes all audio to every sink; `on_progress` gets the seconds of audio so far."""
    stats = SpeechStats()
    for chunk in chunks:
        stats.add(chunk.audio_seconds)
        on_progress(stats.audio_seconds)
        timings.add(chunk.timings)
        for sink in sinks:
            sink.write(chunk.audio, chunk.sample_rate_hz)
    if not stats.audio_seconds:
        fail("the server sent no audio; see the server's log")
    return stats
