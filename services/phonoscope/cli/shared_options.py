"""Options that several commands share."""

from typing import Annotated, Any, Final

import typer

SHORTEST_TIMEOUT_SECONDS: Final = 0.001

ServerOption = Annotated[
    str,
    typer.Option("--server", "-s", metavar="HOST:PORT", envvar="PHONOSCOPE_CLIENT_SERVER", help="The speech server."),
]


def plain_app(**settings: Any) -> typer.Typer:  # noqa: ANN401  Typer's own
    """Returns a group of commands whose help is plain text, and whose failures are ours to word."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )
