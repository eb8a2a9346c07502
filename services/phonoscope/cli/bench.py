"""`phonoscope bench`: puts a server under load and reports what its callers get; docs/load.md explains the figures.

Progress goes to stderr while it runs, the closing table to stdout.
"""

import asyncio
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from phonoscope.cli.compare import compare
from phonoscope.cli.error_reporting import report_errors
from phonoscope.cli.flag_groups import with_flags
from phonoscope.cli.load_options import LoadOptions
from phonoscope.cli.load_progress import progress
from phonoscope.cli.load_report import ReportOptions
from phonoscope.cli.load_target import TargetOptions
from phonoscope.cli.load_tracing import TracingOptions
from phonoscope.cli.shared_options import plain_app
from phonoscope.loadgen.corpus import planned_calls
from phonoscope.loadgen.events import Summary
from phonoscope.loadgen.generator import LoadGenerator
from phonoscope.loadgen.neighbours import Neighbours
from phonoscope.loadgen.plan import LoadPlan

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


def bench_app() -> typer.Typer:
    """Returns the command group; without a command it puts a server under load."""
    app = plain_app(invoke_without_command=True)
    app.callback()(bench)
    app.command("compare")(compare)
    return app


@with_flags(target=TargetOptions, load=LoadOptions, report=ReportOptions, tracing=TracingOptions)
def bench(
    context: typer.Context,
    *,
    target: TargetOptions,
    load: LoadOptions,
    report: ReportOptions,
    tracing: TracingOptions,
) -> None:
    """Put a server under load, and measure what its callers get.

    A closed loop keeps --concurrency calls in flight. An open loop starts --rate calls per second (--ramp: at a
    changing rate), whether or not earlier calls have ended, and measures all times from when a call was due. Ctrl-C
    and SIGTERM end the run with the table and exit status 0.
    """
    if context.invoked_subcommand is not None:
        return
    plan = load.plan()
    target.check(plan, has_spans=tracing.is_on)
    report.check()
    with report_errors():
        texts = load.texts()
        with tracing.provider() as provider:
            summary = asyncio.run(run(plan, target, texts, provider))
        report.write(summary, target.server)


async def run(
    plan: LoadPlan, target: TargetOptions, texts: Sequence[Sequence[str]], provider: "TracerProvider | None"
) -> Summary:
    """Runs the load until its end, or until a signal."""
    with progress(target.server) as on_event:
        async with target.build(plan, provider) as server:
            generator = LoadGenerator(
                plan, server, planned_calls(plan, texts), on_event=on_event, neighbours=Neighbours(plan.neighbours)
            )
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signal_number, generator.stop)
            return await generator.run()
