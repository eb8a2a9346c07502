"""Noisy neighbours: processes that use CPU time on the machine of the server during a run.

Built by cli/bench.py; generator.py enters it when the server is SERVING, and exits it when the run ends.

Each neighbour is a new interpreter: a fork of a process that runs gRPC's threads may deadlock.
"""

import os
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

BUSY_LOOP: Final = """
import os, sys
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(1 << 20):
        pass
"""
"""A busy loop that ends when its parent is gone, even after a SIGKILL of the parent.

It checks its parent some tens of times per second. Linux could send a signal instead (PR_SET_PDEATHSIG), but that
needs ctypes, works on Linux only, and misses a parent that ends before the child has requested the signal.
"""


class Neighbours:
    """A context manager that runs `count` busy processes, and kills them at its end."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> tuple[int, ...]:
        """The running processes."""
        return tuple(process.pid for process in self._processes)

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._processes.append(start_busy_loop(os.getpid()))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()


def start_busy_loop(parent: int) -> subprocess.Popen[bytes]:
    """Starts a busy process, which ends with `parent`.

    Its output is discarded: Ctrl-C in a terminal reaches it too, and its traceback would be among the figures.
    """
    return subprocess.Popen(  # noqa: S603 - this interpreter, with the source above
        [sys.executable, "-I", "-S", "-c", BUSY_LOOP, str(parent)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
