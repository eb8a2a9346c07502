"""`phonoscope gateway`: hands over to the gateway, which parses its own flags and prints its own help."""

import importlib

import typer

from phonoscope.cli.failures import fail


def gateway(context: typer.Context) -> None:
    """Run the HTTP gateway; `phonoscope gateway --help` lists its settings."""
    try:
        service = importlib.import_module("phonoscope.gateway.__main__")
    except ImportError as error:
        fail(f"the gateway is not installed ({error}). Install it: pip install 'phonoscope[gateway]'")
    raise typer.Exit(service.main(context.args))
