"""`phonoscope bench compare`: HTTP with JSON and base64 beside gRPC, with the same engine behind both."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phonoscope.cli.error_reporting import fail, report_errors
from phonoscope.cli.shared_options import check_folder

if TYPE_CHECKING:
    from phonoscope.comparison.bare import EngineName

ENGINES: Final[tuple["EngineName", ...]] = ("tone", "voice")


def compare(
    *,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Rounds of each transport.")] = 5,
    engine: Annotated[
        str,
        typer.Option(metavar="NAME", help="tone: the transport alone; voice: a real voice. Default: both, in turn."),
    ] = "",
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="CPU threads of the voice; 0 is as many as the machine has cores.")
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all measurements to a JSON file.")
    ] = None,
) -> None:
    """Compare transports: JSON with a connection per call, JSON with one connection, gRPC unary, gRPC stream.

    Starts the servers on this machine and measures the transports in turn. The machine should be otherwise idle.
    """
    if engine and engine not in ENGINES:
        raise typer.BadParameter(f"unknown engine {engine!r}: use one of {', '.join(ENGINES)}.", param_hint="--engine")
    check_folder(json_file, "--json")
    chosen: dict[EngineName, int] = dict.fromkeys([name for name in ENGINES if engine in ("", name)], threads)
    with report_errors():
        run_comparison(chosen, rounds, json_file)


def run_comparison(threads_of_engine: "dict[EngineName, int]", rounds: int, json_file: Path | None) -> None:
    """Measures, prints the table and writes the JSON file."""
    try:
        from phonoscope.comparison.rounds import compare as compare_transports  # noqa: PLC0415 - needs both extras
        from phonoscope.comparison.table import json_of, table_of  # noqa: PLC0415
    except ImportError as error:
        fail(f"a comparison needs both services ({error}): pip install 'phonoscope[server,gateway,bench]'")
    results = list(compare_transports(threads_of_engine, rounds, lambda line: typer.echo(line, err=True)))
    typer.echo(table_of(results))
    if json_file is not None:
        json_file.write_text(json.dumps(json_of(results), indent=2) + "\n", encoding="utf-8")
