"""Progress of `phonoscope bench` on stderr: a live table on a terminal, lines elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import typer

from phonoscope.loadgen.events import Figures, LoadEvent
from phonoscope.loadgen.report import errors_text, line_of, milliseconds, unusual_counts
from phonoscope.loadgen.tally import MEASURED, Tally

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_ERRORS: Final = 5
PERCENTS: Final = (50.0, 95.0, 99.0)
MEASUREMENTS: Final = ("first_audio_seconds", "gap_seconds", "unary_seconds")


def is_live() -> bool:
    """Whether stderr is a terminal, which gets the live table."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def progress(address: str, console: "Console | None" = None) -> Iterator[Callable[[LoadEvent], None]]:
    """Yields a function that shows the events of a run; on a terminal, or on `console`, as a live table."""
    if console is None and not is_live():
        yield lambda event: typer.echo(line_of(event, address), err=True)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and only terminals need it
    from rich.live import Live  # noqa: PLC0415 - likewise

    figures = LiveFigures(address)
    with Live(console=console or Console(stderr=True), auto_refresh=False) as live:

        def show(event: LoadEvent) -> None:
            if isinstance(event, Figures):
                live.update(figures.table(event), refresh=True)
            else:
                live.console.print(line_of(event, address), highlight=False, markup=False)

        yield show


class LiveFigures:
    """The live table: the last seconds beside the whole run so far."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._whole = Tally()

    def table(self, figures: Figures) -> "Table":
        """Returns the table after new figures."""
        from rich.table import Table  # noqa: PLC0415 - slow to load

        self._whole.merge(figures.tally)
        title = f"{self._address}   {figures.at_seconds:.0f} s   {figures.in_flight} in flight"
        table = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold")
        table.add_column("")
        table.add_column(f"last {figures.seconds:.0f} s", justify="right")
        table.add_column("run", justify="right")
        sides = ((figures.tally, figures.seconds), (self._whole, figures.at_seconds))
        for row in zip(*(rows_of(tally, seconds) for tally, seconds in sides), strict=True):
            table.add_row(row[0][0], *(value for _, value in row))
        if self._whole.errors:
            table.caption = errors_text(self._whole, max_kinds=MAX_ERRORS)
        return table


def rows_of(tally: Tally, seconds: float) -> list[tuple[str, str]]:
    """Returns names and values of the results of a period."""
    rate = 1 / max(seconds, 1e-9)
    rows = [
        ("calls ok", str(tally.ok)),
        ("calls failed", str(tally.failed)),
        ("calls/s", f"{tally.ended * rate:.1f}"),
        ("audio seconds/s", f"{tally.audio_seconds * rate:.1f}"),
        ("underruns", str(tally.underruns)),
    ]
    for name in MEASUREMENTS:
        histogram = tally.measured[name]
        values = [milliseconds(histogram, percent) if histogram.count else "-" for percent in PERCENTS]
        rows.append((f"{MEASURED[name]}, p50/p95/p99 ms", " / ".join(values)))
    return rows + [(called, str(count)) for called, count in unusual_counts(tally)]
