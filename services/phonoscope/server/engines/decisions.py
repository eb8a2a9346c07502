"""Keeps what engines decide by measurement, in a directory, from one start of the server to the next.

An engine that has to measure before it can speak, such as how far a precision changes a voice's sound, measures once
for each set of conditions: the voice's weights, the device, the versions of libraries. Each result is a file of its
own, so that several processes can share the directory. A file that is damaged, or that another program wrote, is
ignored and replaced.
"""

import contextlib
import hashlib
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

# Part of every condition: raise it where the meaning of a stored result changes.
FORMAT: Final = "1"
_MAX_BYTES: Final = 64 * 1024
_CPU_FIELDS: Final = ("vendor_id", "cpu family", "model", "stepping", "model name", "flags", "Features")


class Decisions:
    """Measured results by name and conditions.

    Args:
        folder: where to keep them; created when the first one is stored. None keeps nothing.

    Attributes:
        problem: why results cannot be stored; "" if they can.
    """

    def __init__(self, folder: Path | None) -> None:
        self.problem = ""
        try:
            self._folder = None if folder is None else folder.expanduser()
        except RuntimeError as error:  # there is no home directory
            self._folder, self.problem = None, f"{folder}: {error}"

    def recall(self, name: str, conditions: Mapping[str, str], measure: Callable[[], float]) -> float:
        """Returns the result that was stored under these conditions; without one, measures and stores it.

        Args:
            name: of the decision, a file name; each has its own files.
            conditions: everything that the result depends on.
            measure: returns the result.
        """
        if self._folder is None:
            return measure()
        conditions = {"format": FORMAT, **conditions}
        path = self._folder / f"{name}-{_digest(conditions)[:32]}.json"
        known = _read(path, conditions)
        if known is not None:
            return known
        value = measure()
        if math.isfinite(value):
            self._store(path, conditions, value)
        return value

    def _store(self, path: Path, conditions: Mapping[str, str], value: float) -> None:
        """Writes a result under a temporary name first: other processes see all of it or nothing."""
        self.problem = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"conditions": conditions, "value": value}, file, indent=1)
                Path(part).replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    Path(part).unlink()
                raise
        except OSError as error:
            self.problem = f"{path.parent}: {error.strerror or error}"


def _read(path: Path, conditions: Mapping[str, str]) -> float | None:
    """Returns the stored result; None if there is no such file, or it is not what this module writes."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or stored.get("conditions") != conditions:
        return None
    value = stored.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _digest(conditions: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()


def cpu_conditions(cpuinfo: Path = Path("/proc/cpuinfo")) -> Mapping[str, str]:
    """Returns what identifies this machine's CPU: maker, model and features; only its architecture off Linux."""
    conditions = {"machine": platform.machine()}
    with contextlib.suppress(OSError):
        first = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        for line in first.splitlines():
            field, _, value = line.partition(":")
            if field.strip() in _CPU_FIELDS:
                conditions[field.strip()] = value.strip()
    return conditions
