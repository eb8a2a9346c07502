"""Options and checks that several commands share."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

MIN_TIMEOUT_SECONDS: Final = 0.001

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        "-s",
        metavar="HOST:PORT",
        envvar="PHONOSCOPE_CLIENT_SERVER",
        help="Address of the speech server.",
    ),
]


def plain_app(**settings: Any) -> typer.Typer:  # noqa: ANN401 - the settings of typer.Typer
    """Returns a group of commands with plain-text help and no tracebacks by Typer."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def check_folder(file: Path | None, option: str) -> None:
    """Raises BadParameter where the folder of an output file does not exist."""
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} is not a directory.", param_hint=option)
