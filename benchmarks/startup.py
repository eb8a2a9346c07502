"""How long it takes until there is something to talk to: the server's start, and the client's import."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rows import Row
from benchmarks.served import serving
from benchmarks.turns import median

MAX_READY_SECONDS = 4.0
MAX_FIRST_READY_SECONDS = 6.0
# Written "3", it makes Linux forget the files that it has read: https://docs.kernel.org/admin-guide/sysctl/vm.html
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
MAX_IMPORT_SECONDS = 0.3
IMPORTS = 5
TIMED_IMPORT = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def measure_startup(threads: int, starts: int) -> Iterator[Row]:
    """Yields the server's time to SERVING, then the time of each import in a fresh interpreter.

    A first start reads nothing that an earlier one kept; where this process may, its files are on disk only, too.
    """
    is_cold = os.access(DROP_CACHES, os.W_OK)
    firsts = [_first_start(threads, is_cold=is_cold) for _ in range(starts)]
    yield _row("first start, cold disk" if is_cold else "first start, warm disk", firsts, MAX_FIRST_READY_SECONDS)
    _start(threads)  # so that the next ones find what it keeps
    seconds = [_start(threads) for _ in range(starts)]
    yield _row("server ready", seconds, MAX_READY_SECONDS)
    yield _row("import phonoscope", [_import("phonoscope") for _ in range(IMPORTS)], MAX_IMPORT_SECONDS)
    yield _row("import phonoscope.client", [_import("phonoscope.client") for _ in range(IMPORTS)], None)


def _first_start(threads: int, *, is_cold: bool) -> float:
    with tempfile.TemporaryDirectory() as empty:
        if is_cold:
            os.sync()
            DROP_CACHES.write_text("3", encoding="ascii")
        return _start(threads, f"--cache-dir={empty}")


def _start(threads: int, *flags: str) -> float:
    with serving(threads, *flags) as served:
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
