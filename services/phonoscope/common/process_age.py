"""The age of this process. Used by `server/startup.py`."""

import os
import time
from pathlib import Path

_STAT = Path("/proc/self/stat")
_START_FIELD = 19  # of those after the name in parentheses: starttime, in clock ticks since boot (man 5 proc)


def process_age_seconds() -> float:
    """Returns the time since this process was started; 0 where the system has no /proc."""
    try:
        fields = _STAT.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
