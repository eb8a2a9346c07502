"""Files that appear complete or not at all, even after Ctrl-C. Used by `phonoscope say` for everything it writes."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def is_device(path: Path) -> bool:
    """Whether `path` is a device or a named pipe, which is written directly."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yields a temporary file, which replaces `path` when the block succeeds.

    Raises OSError, before the block, where `path` cannot be written.
    """
    if is_device(path):
        with path.open("wb") as device:
            yield device
        return
    final = path.resolve()
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    target = open_for_writing(part, name=path)
    try:
        with target:
            yield target
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def open_for_writing(part: Path, *, name: Path) -> BinaryIO:
    """Opens `part`; an OSError has `name`, the file name that the user knows."""
    try:
        return part.open("wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(name)) from error
