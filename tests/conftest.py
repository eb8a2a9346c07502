"""What holds for all tests: a cache of their own, the garbage collector skips what collection made, some run alone.

Under pytest-xdist, each worker is a process that runs one test at a time.
"""

import fcntl
import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

# Locked while a worker waits for its turn, and while it runs a test. They are here already, so nothing is left behind.
TURN: Final = Path(__file__)
RUNNING: Final = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Gives servers that tests start a cache of their own; workers and processes inherit it."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="phonoscope-cache-")
        os.environ["PHONOSCOPE_CACHE_DIR"] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection() -> None:
    """Stops the garbage collector during collection: modules and test items all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Has later collections skip what is there now: `gc.collect()` in a test then takes 10 ms, not 300."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Runs a test that is marked `alone` while no other worker runs one."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    is_alone = item.get_closest_marker("alone") is not None
    with _locked(TURN, fcntl.LOCK_EX) as turn, _locked(RUNNING, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH):
        fcntl.flock(turn, fcntl.LOCK_UN)
        return (yield)


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[int]:
    """Waits for a lock; releases it by name, since a forked child may hold the file open for longer."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, operation)
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
