"""`phonoscope health`: checks whether a server is ready. For probes: fast to start, with the result as exit status.

Uses grpc.health.v1. Nothing here may import slow modules: a probe runs every few seconds.
"""

import time
from contextlib import closing
from typing import Annotated, Final

import typer

from phonoscope.cli.error_reporting import EXIT_INTERRUPTED, error_message, fail, report_errors
from phonoscope.cli.shared_options import MIN_TIMEOUT_SECONDS, ServerOption
from phonoscope.client import Client, DeadlineExceeded, Unavailable
from phonoscope.client.channel import DEFAULT_TARGET

EXIT_UNREACHABLE: Final = 3
CHECK_TIMEOUT_SECONDS: Final = 3.0
REWATCH_PAUSE_SECONDS: Final = 0.5


def health(
    *,
    server: ServerOption = DEFAULT_TARGET,
    service: Annotated[
        str,
        typer.Option(help='Service to check: "" for the whole server, phonoscope.tts.v1.TextToSpeech, or liveness.'),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print each change until interrupted.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=MIN_TIMEOUT_SECONDS,
            help="Deadline of the check. Default: 3; with --watch, none.",
        ),
    ] = None,
) -> None:
    """Check whether a server is ready.

    Exit status: 0 SERVING; 1 NOT_SERVING or unknown; 2 usage error; 3 unreachable, or no answer within the deadline.
    """
    with report_errors(), Client(server) as client:
        if watch:
            status = watch_changes(client, service, timeout)
        else:
            status = check_once(client, service, CHECK_TIMEOUT_SECONDS if timeout is None else timeout)
    raise typer.Exit(exit_status(status))


def check_once(client: Client, service: str, timeout_seconds: float) -> str:
    """Prints and returns the status."""
    try:
        status = client.health(service, timeout_seconds=timeout_seconds)
    except (Unavailable, DeadlineExceeded) as error:
        fail(error_message(error), status=EXIT_UNREACHABLE)
    typer.echo(status)
    return status


def watch_changes(client: Client, service: str, timeout_seconds: float | None) -> str:
    """Prints each change until the deadline, also across restarts of the server; returns the last status."""
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    last = ""
    wait_for_ready = False
    try:
        while True:
            left = None if end is None else max(end - time.monotonic(), MIN_TIMEOUT_SECONDS)
            try:
                with closing(
                    client.watch_health(service, timeout_seconds=left, wait_for_ready=wait_for_ready)
                ) as statuses:
                    for status in statuses:
                        last = print_change(last, status)
            except Unavailable:
                last = print_change(last, "UNREACHABLE")
            wait_for_ready = True
            time.sleep(REWATCH_PAUSE_SECONDS)  # a draining server ends the watch: do not reconnect in a tight loop
    except DeadlineExceeded:
        return last
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def print_change(last: str, status: str) -> str:
    """Prints `status` if it differs from `last`, and returns it."""
    if status != last:
        typer.echo(status)
    return status


def exit_status(status: str) -> int:
    """Returns the exit status of the command."""
    return {"SERVING": 0, "UNREACHABLE": EXIT_UNREACHABLE, "": EXIT_UNREACHABLE}.get(status, 1)
