"""`phonoscope serve` and `phonoscope gateway`: hand over to a service, which parses its flags and prints its help."""

import importlib
from typing import NoReturn

import typer

from phonoscope.cli.error_reporting import fail


def serve(context: typer.Context) -> None:
    """Run the speech server; `phonoscope serve --help` lists its settings."""
    _hand_over("server", context)


def gateway(context: typer.Context) -> None:
    """Run the HTTP gateway; `phonoscope gateway --help` lists its settings."""
    _hand_over("gateway", context)


def _hand_over(service: str, context: typer.Context) -> NoReturn:
    try:
        module = importlib.import_module(f"phonoscope.{service}.__main__")
    except ImportError as error:
        fail(f"the {service} is not installed ({error}). Install it: pip install 'phonoscope[{service}]'")
    raise typer.Exit(module.main(context.args))
