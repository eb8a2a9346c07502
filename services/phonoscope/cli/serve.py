"""`phonoscope serve`, `gateway` and `emotion`: run a service, which parses its own flags and prints its own help."""

import importlib
from typing import NoReturn

import typer

from phonoscope.cli.error_reporting import fail


def serve(context: typer.Context) -> None:
    """Run the speech server; `phonoscope serve --help` lists its settings."""
    _run_service("server", context)


def gateway(context: typer.Context) -> None:
    """Run the HTTP gateway; `phonoscope gateway --help` lists its settings."""
    _run_service("gateway", context)


def emotion(context: typer.Context) -> None:
    """Run the emotion service; `phonoscope emotion --help` lists its settings."""
    _run_service("emotion", context)


def _run_service(service: str, context: typer.Context) -> NoReturn:
    try:
        module = importlib.import_module(f"phonoscope.{service}.__main__")
    except ImportError as error:
        fail(f"the {service} is not installed ({error}). Install it: pip install 'phonoscope[{service}]'")
    raise typer.Exit(module.main(context.args))
