"""`phonoscope serve`: hands over to the inference service, which parses its own flags and prints its own help."""

import importlib

import typer

from phonoscope.cli.failures import fail


def serve(context: typer.Context) -> None:
    """Run the speech server; `phonoscope serve --help` lists its settings."""
    try:
        server = importlib.import_module("phonoscope.server.__main__")
    except ImportError as error:
        fail(f"the server is not installed ({error}). Install it: pip install 'phonoscope[server]'")
    raise typer.Exit(server.main(context.args))
