"""`phonoscope bench`: puts a server under load, and tells what its callers get. docs/load.md says how to read it.

Figures go to stderr while it runs, the table to stdout at the end.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

import phonoscope
from phonoscope.cli.compare import compare
from phonoscope.cli.error_reporting import fail, report_errors
from phonoscope.cli.load_options import check_drills, ramp_of, texts_to_say
from phonoscope.cli.load_progress import is_live, progress
from phonoscope.cli.load_target import TargetChoice, TargetKind
from phonoscope.cli.shared_options import SHORTEST_TIMEOUT_SECONDS, ServerOption, plain_app
from phonoscope.client.channel import DEFAULT_TARGET
from phonoscope.loadgen.corpus import planned_calls
from phonoscope.loadgen.events import Summary
from phonoscope.loadgen.generator import LoadGenerator
from phonoscope.loadgen.neighbours import Neighbours
from phonoscope.loadgen.plan import LoadPlan, Mode
from phonoscope.loadgen.report import json_of, table_of
from phonoscope.loadgen.wav_stream import BodyFormat

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

SERVICE_NAME: Final = "phonoscope-loadgen"
FLUSH_SECONDS: Final = 3.0
DEFAULT_CONCURRENCY: Final = 4
MAX_NEIGHBOURS: Final = 1024
LINE_SECONDS: Final = 5.0
LIVE_SECONDS: Final = 1.0


def bench_app() -> typer.Typer:
    """Returns the command group; alone it puts a server under load."""
    app = plain_app(invoke_without_command=True)
    app.callback()(bench)
    app.command("compare")(compare)
    return app


def bench(
    context: typer.Context,
    *,
    server: ServerOption = DEFAULT_TARGET,
    target: Annotated[
        TargetKind,
        typer.Option(
            help="What the server speaks: our gRPC, POST /v1/audio/speech as OpenAI's does, or POST /synthesize as "
            "python -m piper.http_server does. The last two want a URL as --server."
        ),
    ] = TargetKind.GRPC,
    mode: Annotated[
        Mode,
        typer.Option(
            help="Which calls to make; mixed is seven streams to three unary ones, bidi sends the text word by word."
        ),
    ] = Mode.STREAM,
    tokens_per_second: Annotated[
        float,
        typer.Option(metavar="RATE", min=0.0, help="With --mode bidi: words a second; 0 is as fast as they are read."),
    ] = 0.0,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", "-c", metavar="N", min=1, help="Closed loop: N calls at once. Default: 4."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", "-r", metavar="PER_SECOND", min=0.001, help="Open loop: calls start when they are due."
        ),
    ] = None,
    ramp: Annotated[
        str,
        typer.Option(
            metavar="FROM:TO", help="Open loop whose rate goes from FROM to TO calls a second over the duration."
        ),
    ] = "",
    most_in_flight: Annotated[
        int,
        typer.Option(
            "--max-in-flight", metavar="N", min=1, help="With --rate or --ramp: what is due beyond is not sent."
        ),
    ] = 256,
    duration: Annotated[
        float, typer.Option("--duration", "-d", metavar="SECONDS", min=0.0, help="0 means until stopped.")
    ] = 30.0,
    requests: Annotated[
        int, typer.Option("--requests", "-n", metavar="N", min=0, help="Stop after so many; 0 means no limit.")
    ] = 0,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Texts to say, one a line. Default: built-in ones.")
    ] = None,
    characters: Annotated[
        str, typer.Option(metavar="MIN:MAX", help="Only texts of so many characters, such as 64:235.")
    ] = "",
    voice: Annotated[str, typer.Option("--voice", "-v", help="Voice, or voice:speaker.")] = "",
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=SHORTEST_TIMEOUT_SECONDS, help="Of each call.")
    ] = 30.0,
    bad_ratio: Annotated[
        float, typer.Option(metavar="RATIO", min=0.0, max=1.0, help="Share of requests made to be refused.")
    ] = 0.0,
    cancel_ratio: Annotated[
        float,
        typer.Option(
            metavar="RATIO",
            min=0.0,
            max=1.0,
            help="Share of streams that their callers cancel, half of them before the first audio, half right after.",
        ),
    ] = 0.0,
    retry_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="Closed loop: after a failure call again after so long, and ignore the server's RetryInfo.",
        ),
    ] = None,
    neighbours: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_NEIGHBOURS,
            help="Busy processes on this machine during the run; for a server that runs here too.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed asks for the same speech.")] = 0,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="For the server to be SERVING; 0 means for ever.")
    ] = 60.0,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="Between two lines of figures. Default: 5; of the live table, 1."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there, for programs.")
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with plots there (needs the bench extra)."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="With --target openai: the model to ask for.")] = "tts-1",
    response_format: Annotated[
        BodyFormat, typer.Option(help="With --target openai: the form of the audio to ask for.")
    ] = BodyFormat.WAV,
    api_key: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            envvar="PHONOSCOPE_BENCH_API_KEY",
            show_default=False,
            help="With --target openai: sent as a bearer token.",
        ),
    ] = "",
    otlp_endpoint: Annotated[
        str, typer.Option(metavar="URL", help="Send spans there by OTLP over gRPC (needs the tracing extra).")
    ] = "",
    trace_sample_ratio: Annotated[
        float, typer.Option(metavar="RATIO", min=0.0, max=1.0, help="Share of calls with spans; the server follows.")
    ] = 1.0,
) -> None:
    """Put a server under load, and measure what its callers get.

    A closed loop keeps --concurrency calls in flight. An open loop starts --rate calls a second (or --ramp, at a rate
    that changes), answered or not, and counts all times from when a call was due. Ctrl-C or SIGTERM end it with the
    table and exit status 0.
    """
    if context.invoked_subcommand is not None:
        return
    if sum((rate is not None, concurrency is not None, bool(ramp))) > 1:
        raise typer.BadParameter(
            "a run is a closed loop or an open one: give one of --concurrency, --rate and --ramp.",
            param_hint="--ramp" if ramp else "--rate",
        )
    for file, option in ((json_file, "--json"), (html_file, "--html")):
        if file is not None and not file.parent.is_dir():
            raise typer.BadParameter(f"{file.parent} is not a directory.", param_hint=option)
    if html_file is not None:
        require_plots()
    plan = LoadPlan(
        mode=mode,
        concurrency=concurrency or DEFAULT_CONCURRENCY,
        arrivals_per_second=rate,
        ramp_per_second=ramp_of(ramp, duration),
        most_in_flight=most_in_flight,
        duration_seconds=duration,
        calls=requests,
        deadline_seconds=deadline,
        wait_seconds=wait,
        line_seconds=every or (LIVE_SECONDS if is_live() else LINE_SECONDS),
        bad_ratio=bad_ratio,
        cancel_ratio=cancel_ratio,
        retry_seconds=retry_seconds,
        neighbours=neighbours,
        tokens_per_second=tokens_per_second,
        voice=voice,
        seed=seed,
    )
    check_drills(plan)
    choice = TargetChoice(address=server, kind=target, model=model, body_format=response_format, api_key=api_key)
    choice.check(plan, has_spans=bool(otlp_endpoint))
    with report_errors():
        texts = texts_to_say(text, characters)
        with tracer_provider(otlp_endpoint, trace_sample_ratio) as provider:
            summary = asyncio.run(run(plan, choice, texts, provider))
        typer.echo(table_of(summary, server))
        if json_file is not None:
            json_file.write_text(json.dumps(json_of(summary, server), indent=2) + "\n", encoding="utf-8")
        if html_file is not None:
            write_page(summary, server, html_file)


async def run(
    plan: LoadPlan, choice: TargetChoice, texts: Sequence[Sequence[str]], provider: "TracerProvider | None"
) -> Summary:
    """Runs the load until its end, or until a signal."""
    with progress(choice.address) as tell:
        async with choice.build(plan, provider) as server:
            generator = LoadGenerator(
                plan, server, planned_calls(plan, texts), on_event=tell, neighbours=Neighbours(plan.neighbours)
            )
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signal_number, generator.stop)
            return await generator.run()


def require_plots() -> None:
    """Ends the command before the run where its plots could not be drawn."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        fail(f"--html needs matplotlib ({error}): pip install 'phonoscope[bench]'")


def write_page(summary: Summary, address: str, file: Path) -> None:
    """Writes the page of a run."""
    from phonoscope.loadgen.page import page_of  # noqa: PLC0415 - matplotlib is an extra, and slow to load

    file.write_text(page_of(summary, address), encoding="utf-8")


@contextlib.contextmanager
def tracer_provider(endpoint: str, sample_ratio: float) -> Iterator["TracerProvider | None"]:
    """Gives the provider of spans, None without an endpoint; what it still holds is sent at the end."""
    if not endpoint:
        yield None
        return
    try:
        from phonoscope.common.tracing import build_tracing  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        fail(f"--otlp-endpoint needs OpenTelemetry ({error}): pip install 'phonoscope[tracing]'")
    tracing = build_tracing(
        SERVICE_NAME,
        endpoint=endpoint,
        sample_ratio=sample_ratio,
        version=phonoscope.__version__,
        on_export=lambda _result, _spans: None,  # lost spans are told with the outage
        logger=Lines(),
    )
    try:
        yield tracing.provider
    finally:
        tracing.shutdown(FLUSH_SECONDS)


class Lines:
    """The log of what sends the spans: lines on stderr, among those of figures."""

    def info(self, event: str, **fields: object) -> None:
        """Writes a line."""
        typer.echo("  ".join([event, *(f"{name}={value}" for name, value in fields.items())]), err=True)

    warning = info
