"""The number of CPU cores that this process may use, including its container's quota. Called by `__main__`.

Torch counts the machine's cores; with more threads than the container's quota they wait for each other at every
convolution. Quotas: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and version 1.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Returns the number of cores, at least 1; a quota of part of a core counts as a whole one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def core_quota(cgroup: Path = CGROUP) -> float | None:
    """Returns the cores that the control group allows; None if it sets no limit."""
    try:
        if (unified := cgroup / "cpu.max").exists():
            limit, period = unified.read_text().split()
            return None if limit == "max" else int(limit) / int(period)
        limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return None if int(limit) <= 0 else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
