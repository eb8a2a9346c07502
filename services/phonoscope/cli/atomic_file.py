"""Files that appear whole or not at all, even after Ctrl-C. Used by `phonoscope say` for all that it writes."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def is_device(path: Path) -> bool:
    """Whether there is a device or a named pipe at `path`, which is written as it is."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Gives a new file, which takes its place at `path` when the block has ended well.

    Raises OSError, before the block, where `path` cannot be written.
    """
    if is_device(path):
        with path.open("wb") as device:
            yield device
        return
    final = path.resolve()
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    target = opened(part, called=path)
    try:
        with target:
            yield target
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def opened(part: Path, *, called: Path) -> BinaryIO:
    """Returns `part` opened for writing; an OSError speaks of `called`, the name that the user knows."""
    try:
        return part.open("wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(called)) from error
