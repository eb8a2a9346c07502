"""Failures as a user sees them: one line on stderr that says what happened and what to do, and an exit status.

Every command runs inside `report_errors()`.
"""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import typer

from phonoscope.client import DeadlineExceeded, PhonoscopeClientError, ServerError, Unavailable
from phonoscope.common.errors import PhonoscopeError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Turns expected failures into a line on stderr and exit status 1, and Ctrl-C into 130."""
    try:
        yield
    except PhonoscopeClientError as error:
        fail(error_message(error))
    except PhonoscopeError as error:
        fail(str(error))
    except BrokenPipeError:
        raise  # whoever read our output left; typer ends quietly
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except RuntimeError as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        # Ctrl-C came while a lock of gRPC's was being waited for: leaving it then, Python says that it is not held.
        raise typer.Exit(EXIT_INTERRUPTED) from None


def fail(message: str, *, status: int = EXIT_FAILED) -> NoReturn:
    """Prints one line on stderr and ends the command."""
    typer.echo(f"phonoscope: {' '.join(message.split())}", err=True)
    raise typer.Exit(status)


def error_message(error: PhonoscopeClientError) -> str:
    """Returns what happened, the reason for programs and tickets, and what to do where the server did not say it."""
    parts = [f"{error.message} ({error.reason or error.code.name})"]
    if isinstance(error, Unavailable) and not error.reason:
        parts = [f"no server answers at {error.target}: {error.message}"]
        parts.append("start one with `phonoscope serve`, or name another with --server HOST:PORT")
    elif isinstance(error, DeadlineExceeded):
        parts.append("raise --timeout, or try again when the server is less busy")
    elif error.reason == "REPLY_TOO_LARGE":
        parts.append("use --stream")
    elif isinstance(error, ServerError):
        parts.append("the server's log has the traceback")
    if error.retry_after_seconds is not None:
        parts.append(f"try again in {error.retry_after_seconds:g} s")
    return "; ".join(parts)
