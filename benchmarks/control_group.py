"""A control group that limits a process's CPU time, as `docker run --cpus` does. Linux, version 1 or 2, as root.

Used by `sharing.py`. https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and CFS bandwidth control.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
PERIOD_MICROSECONDS: Final = 100_000


class NoControlGroup(Exception):
    """This machine lets us make no control group with a CPU quota."""


@contextlib.contextmanager
def limited(pid: int, cores: float, root: Path = CGROUP) -> Iterator[None]:
    """Limits a process, with all of its threads, to so many cores' time while the context is entered.

    Raises:
        NoControlGroup: the group cannot be made, or has no CPU controller.
    """
    is_unified = (root / "cgroup.controllers").exists()
    parent = root if is_unified else root / "cpu"
    group = parent / f"phonoscope-bench-{os.getpid()}"
    quota = round(cores * PERIOD_MICROSECONDS)
    before = None
    try:
        before = _group_of(pid, parent, is_unified=is_unified)
        group.mkdir()
        if is_unified:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        _remove(group)
        raise NoControlGroup(f"{group}: {error.strerror}; run as root where /sys/fs/cgroup is writable") from error
    try:
        yield
    finally:
        (before / "cgroup.procs").write_text(str(pid))
        _remove(group)


def _group_of(pid: int, parent: Path, *, is_unified: bool) -> Path:
    """Returns the folder of the control group that a process is in."""
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if (is_unified and not controllers) or (not is_unified and "cpu" in controllers.split(",")):
            return parent / path.lstrip("/")
    return parent


def _remove(group: Path) -> None:
    with contextlib.suppress(OSError):
        group.rmdir()
