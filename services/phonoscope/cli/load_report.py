"""Flags of `phonoscope bench` for its results: the closing table, a JSON file, an HTML page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from phonoscope.cli.error_reporting import fail
from phonoscope.cli.shared_options import check_folder
from phonoscope.loadgen.events import Summary
from phonoscope.loadgen.report import json_of, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Files to write beside the table."""

    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures to a JSON file.")
    ] = None
    html_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an HTML page with plots (needs the bench extra)."),
    ] = None

    def check(self) -> None:
        """Raises BadParameter where a folder is missing; ends the command where plots cannot be drawn."""
        check_folder(self.json_file, "--json")
        check_folder(self.html_file, "--html")
        if self.html_file is not None:
            require_matplotlib()

    def write(self, summary: Summary, address: str) -> None:
        """Prints the table and writes the files."""
        typer.echo(table_of(summary, address))
        if self.json_file is not None:
            self.json_file.write_text(json.dumps(json_of(summary, address), indent=2) + "\n", encoding="utf-8")
        if self.html_file is not None:
            from phonoscope.loadgen.page import page_of  # noqa: PLC0415 - matplotlib is an extra, and slow to load

            self.html_file.write_text(page_of(summary, address), encoding="utf-8")


def require_matplotlib() -> None:
    """Ends the command where matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        fail(f"--html needs matplotlib ({error}): pip install 'phonoscope[bench]'")
