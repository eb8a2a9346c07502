"""Errors as users see them: one line on stderr that states what happened and what to do, and an exit status.

The body of every command runs inside `report_errors()`.
"""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import typer

from phonoscope.client import DeadlineExceeded, PhonoscopeClientError, ServerError, Unavailable
from phonoscope.common.errors import PhonoscopeError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the convention of shells


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Turns expected errors into a line on stderr and exit status 1, and Ctrl-C into exit status 130."""
    try:
        yield
    except PhonoscopeClientError as error:
        fail(error_message(error))
    except PhonoscopeError as error:
        fail(str(error))
    except BrokenPipeError:
        raise  # the reader of our output has exited; Typer ends the process without a message
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except RuntimeError as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        # Ctrl-C interrupted the wait for a lock of gRPC, and releasing that lock raised RuntimeError.
        raise typer.Exit(EXIT_INTERRUPTED) from None


def fail(message: str, *, status: int = EXIT_FAILED) -> NoReturn:
    """Prints one line on stderr and exits."""
    typer.echo(f"phonoscope: {' '.join(message.split())}", err=True)
    raise typer.Exit(status)


def error_message(error: PhonoscopeClientError) -> str:
    """Returns the message and the reason, and what to do where the server's message does not state it."""
    parts = [f"{error.message} ({error.reason or error.code.name})"]
    if isinstance(error, Unavailable) and not error.reason:
        parts = [f"cannot reach a server at {error.target}: {error.message}"]
        parts.append("start one with `phonoscope serve`, or set its address with --server HOST:PORT")
    elif isinstance(error, DeadlineExceeded):
        parts.append("increase --timeout, or retry when the server is less busy")
    elif error.reason == "REPLY_TOO_LARGE":
        parts.append("use --stream")
    elif error.reason == "TEXT_TOO_LONG":
        parts.append("use --stream, which requests plain text in parts; split an SSML document into several files")
    elif isinstance(error, ServerError):
        parts.append("see the server's log for the traceback")
    if error.retry_after_seconds is not None:
        parts.append(f"retry in {error.retry_after_seconds:g} s")
    return "; ".join(parts)
