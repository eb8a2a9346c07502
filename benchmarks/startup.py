"""How long it takes until there is something to talk to: the server's start, and the client's import."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.rows import Row
from benchmarks.served import serving
from benchmarks.turns import median

MAX_READY_SECONDS = 4.0
MAX_IMPORT_SECONDS = 0.3
IMPORTS = 5
TIMED_IMPORT = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def measure_startup(threads: int, starts: int) -> Iterator[Row]:
    """Yields the server's time to SERVING, then the time of each import in a fresh interpreter."""
    seconds = [_start(threads) for _ in range(starts)]
    yield _row("server ready", seconds, MAX_READY_SECONDS)
    yield _row("import phonoscope", [_import("phonoscope") for _ in range(IMPORTS)], MAX_IMPORT_SECONDS)
    yield _row("import phonoscope.client", [_import("phonoscope.client") for _ in range(IMPORTS)], None)


def _start(threads: int) -> float:
    with serving(threads) as served:
        return served.ready_seconds


def _import(module: str) -> float:
    command = [sys.executable, "-c", TIMED_IMPORT.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603  ours


def _row(what: str, seconds: list[float], limit: float | None) -> Row:
    middle = median(seconds)
    return Row(
        "start",
        what,
        "s",
        middle,
        required="" if limit is None else f"under {limit} s",
        is_met=None if limit is None else middle < limit,
        samples={"ours": seconds},
    )
