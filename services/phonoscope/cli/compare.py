"""`phonoscope bench compare`: HTTP with JSON and base64 beside gRPC, with one engine behind both."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phonoscope.cli.error_reporting import fail, report_errors

if TYPE_CHECKING:
    from phonoscope.comparison.bare import EngineName

ENGINES: Final[tuple["EngineName", ...]] = ("tone", "voice")


def compare(
    *,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Turns that each way has.")] = 5,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="tone: the transport alone; voice: a real one; both by default.")
    ] = "",
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="CPU threads of the voice; 0 for those of the machine.")
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all that was measured there.")
    ] = None,
) -> None:
    """Compare the ways to one engine: JSON with a new connection a call, JSON kept, gRPC unary, gRPC stream.

    Starts the servers that it needs on this machine, and takes the ways in turns. The machine should have nothing
    else to do.
    """
    if engine and engine not in ENGINES:
        raise typer.BadParameter(
            f"{engine!r} is no engine here: give one of {', '.join(ENGINES)}.", param_hint="--engine"
        )
    if json_file is not None and not json_file.parent.is_dir():
        raise typer.BadParameter(f"{json_file.parent} is not a directory.", param_hint="--json")
    try:
        from phonoscope.comparison.rounds import compare as compared_ways  # noqa: PLC0415 - needs both extras
        from phonoscope.comparison.table import json_of, table_of  # noqa: PLC0415
    except ImportError as error:
        fail(f"a comparison needs both services ({error}): pip install 'phonoscope[server,gateway]'")
    chosen: dict[EngineName, int] = dict.fromkeys([name for name in ENGINES if engine in ("", name)], threads)
    with report_errors():
        compared = list(compared_ways(chosen, rounds, lambda what: typer.echo(what, err=True)))
        typer.echo(table_of(compared))
        if json_file is not None:
            json_file.write_text(json.dumps(json_of(compared), indent=2) + "\n", encoding="utf-8")
