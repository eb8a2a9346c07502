"""What is told of a run: a table on the terminal, JSON, and the table in Markdown for docs/benchmarks.md."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine, Neighbours
from benchmarks.rows import Row

COLUMNS = ("", "", "unit", "ours", "reference", "ratio", "required", "met")


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    Attributes:
        threads: CPU threads of each contender.
        rounds: turns that each contender had.
        before, after: what else the machine did then.
    """

    machine: Machine
    threads: int
    rounds: int
    before: Neighbours
    after: Neighbours
    rows: tuple[Row, ...]

    @property
    def heading(self) -> str:
        """What the run ran on, and how."""
        return (
            f"{self.machine.line} · threads {self.threads} · medians of {self.rounds} rounds · "
            f"before: {self.before.line} · after: {self.after.line}"
        )

    @property
    def verdict(self) -> str:
        """How many requirements are met, and which are not."""
        required = [row for row in self.rows if row.is_met is not None]
        unmet = [f"{row.part}, {row.what}" for row in required if not row.is_met]
        met = f"{len(required) - len(unmet)} of {len(required)} requirements met"
        return f"{met}; NOT met: {'; '.join(unmet)}" if unmet else met


def print_table(report: Report, console: Console) -> None:
    """Prints the table with its heading and its verdict."""
    console.print(report.heading)
    table = Table(*COLUMNS)
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(report.verdict)


def markdown(report: Report) -> str:
    """Returns the table in Markdown, with its heading and its verdict, ready to paste."""
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *map(_cells, report.rows))]
    return "\n".join([report.heading, "", *lines, "", report.verdict])


def write_json(report: Report, path: Path) -> None:
    """Writes everything, samples included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole: dict[str, Any] = asdict(report)
    for row, written in zip(report.rows, whole["rows"], strict=True):
        written["ratio"] = row.ratio
    path.write_text(json.dumps({**whole, "verdict": report.verdict}, indent=2) + "\n", encoding="utf-8")


def _cells(row: Row) -> Sequence[str]:
    met = {None: "", True: "yes", False: "NO"}[row.is_met]
    reference = "" if row.reference is None else _figure(row.reference)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.part, row.what, row.unit, _figure(row.ours), reference, ratio, row.required, met)


def _figure(value: float) -> str:
    """Returns three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"  # noqa: PLR2004  three digits
