"""Busy neighbours, as real processes."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phonoscope.loadgen import neighbours
from phonoscope.loadgen.neighbours import Neighbours, start_busy_loop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and file descriptors of processes")

LONGEST_WAIT_SECONDS = 20.0
CPU_TICKS_OF_A_BUSY_LOOP = 20
"""0.2 s: several times what an interpreter needs to start."""
PARENT = """
import sys
from phonoscope.loadgen.neighbours import Neighbours
with Neighbours(2) as neighbours:
    print(*neighbours.pids, flush=True)
    sys.stdin.read()
"""


def ends(pidfd: int) -> bool:
    """Waits for the end of a process, a child of this one or not."""
    return bool(select.select([pidfd], [], [], LONGEST_WAIT_SECONDS)[0])


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime, stime


def test_as_many_as_asked_for_run_until_the_end():
    with Neighbours(3) as busy:
        pids = busy.pids
        assert len(set(pids)) == 3
        assert all(is_running(pid) for pid in pids)
    assert not any(is_running(pid) for pid in pids)
    assert busy.pids == ()


def test_each_takes_cpu_time_without_end():
    with Neighbours(2) as busy:
        latest = time.monotonic() + LONGEST_WAIT_SECONDS
        while any(cpu_ticks(pid) < CPU_TICKS_OF_A_BUSY_LOOP for pid in busy.pids):
            assert time.monotonic() < latest, "a neighbour is idle"


def test_they_write_nothing_anywhere():
    """Ctrl-C in a terminal reaches them too, and an interpreter answers it with a traceback."""
    with Neighbours(1) as busy:
        (pid,) = busy.pids
        assert {Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)} == {Path(os.devnull)}


def test_none_are_started_where_none_are_asked_for(monkeypatch):
    monkeypatch.setattr(neighbours, "start_busy_loop", None)
    with Neighbours(0) as busy:
        assert busy.pids == ()


def test_an_error_within_ends_them():
    pids = []

    def fail():
        with Neighbours(2) as busy:
            pids.extend(busy.pids)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)


def test_one_that_cannot_be_started_ends_those_before_it(monkeypatch):
    started = []

    def start(parent):
        if len(started) == 2:
            raise BlockingIOError
        started.append(start_busy_loop(parent))
        return started[-1]

    monkeypatch.setattr(neighbours, "start_busy_loop", start)
    with pytest.raises(BlockingIOError), Neighbours(3):
        pass
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


def test_they_end_when_their_parent_is_killed():
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pidfds = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    try:
        assert len(pidfds) == 2
        assert all(ends(pidfd) for pidfd in pidfds)
    finally:
        for pidfd in pidfds:
            end_for_sure(pidfd)


def test_one_whose_parent_died_before_it_started_ends_at_once():
    with start_busy_loop(parent=os.getppid()) as process:
        try:
            assert process.wait(LONGEST_WAIT_SECONDS) == 0
        finally:
            process.kill()


def end_for_sure(pidfd: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
