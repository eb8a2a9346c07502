"""What holds for all tests: a cache of their own, the garbage collector skips what collection made, some run alone.

Under pytest-xdist, each worker is a process that runs one test at a time.
"""

import fcntl
import gc
import io
import os
import tempfile
import wave
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

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


def _speech(hz: float = 120.0, seconds: float = 5.0, rate_hz: int = 24_000, level: float = 0.3) -> NDArray[np.float32]:
    """A voice that hums four syllables a second, each with a melody, and pauses after each sixth."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * np.cumsum(hz * 2.0 ** (0.1 * np.sin(2.0 * np.pi * 0.7 * at))) / rate_hz
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 8))
    syllables = np.maximum(np.sin(2.0 * np.pi * 4.0 * at), 0.0) ** 0.5 * (at % 1.5 < 1.25)
    return (level * voice / np.abs(voice).max() * syllables).astype(np.float32)


def _wav(samples: NDArray[np.float32], rate_hz: int = 24_000) -> bytes:
    """A WAV file of 16 bits; samples have the shape (n,) or (n, channels)."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        written.setsampwidth(2)
        written.setframerate(rate_hz)
        written.writeframes((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return file.getvalue()


@pytest.fixture(scope="session")
def speech() -> Callable[..., NDArray[np.float32]]:
    """Makes something that the checks of recordings take for speech."""
    return _speech


@pytest.fixture(scope="session")
def wav() -> Callable[..., bytes]:
    """Makes an audio file of samples."""
    return _wav
