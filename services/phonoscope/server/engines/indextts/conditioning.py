"""Recordings in the form in which the library reads them, with a bound on what it keeps of each.

The library reads files, and keeps the conditioning of the latest ones on the device: some 6 MB each. A recording
becomes an anonymous file in memory, so that no caller's audio reaches a disk. The least recently used recording is
forgotten, together with its conditioning. Called by `engine.py` on its thread.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import soundfile

from phonoscope.server.types import Recording

# The library itself keeps the conditioning of at most 8 recordings, first in, first out; so none is lost to that.
MAX_RECORDINGS: Final = 8
# The library reads no more of a recording.
MAX_SECONDS: Final = 15


class RecordingFiles:
    """The recordings in use, each under a path that the library can read.

    Args:
        forget: receives the path of a recording that is dropped.
        limit: how many to keep.
    """

    def __init__(self, forget: Callable[[str], None], limit: int = MAX_RECORDINGS) -> None:
        self._forget = forget
        self._limit = limit
        self._descriptors: OrderedDict[str, int] = OrderedDict()  # by the recordings' digests

    def __len__(self) -> int:
        return len(self._descriptors)

    def path(self, recording: Recording) -> tuple[str, bool]:
        """Returns a recording's path, and whether it was there already."""
        key = recording.digest
        is_known = key in self._descriptors
        if not is_known:
            while len(self._descriptors) >= self._limit:
                self._drop_oldest()
            self._descriptors[key] = _file_in_memory(recording)
        self._descriptors.move_to_end(key)
        return _path(self._descriptors[key]), is_known

    def clear(self) -> None:
        """Forgets all recordings."""
        while self._descriptors:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, descriptor = self._descriptors.popitem(last=False)
        self._forget(_path(descriptor))
        os.close(descriptor)


def _file_in_memory(recording: Recording) -> int:
    """Returns the descriptor of an anonymous WAV file in memory."""
    samples = recording.samples[: MAX_SECONDS * recording.sample_rate_hz]
    descriptor = os.memfd_create("recording")
    try:
        with os.fdopen(os.dup(descriptor), "w+b") as file:
            soundfile.write(file, samples, recording.sample_rate_hz, format="WAV", subtype="FLOAT")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"
