"""Options that several commands share."""

from typing import Annotated, Final

import typer

LARGEST_SEED: Final = 2**64 - 1
SHORTEST_TIMEOUT_SECONDS: Final = 0.001

ServerOption = Annotated[
    str,
    typer.Option("--server", "-s", metavar="HOST:PORT", envvar="PHONOSCOPE_CLIENT_SERVER", help="The speech server."),
]
