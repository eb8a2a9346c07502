"""WAV files of 16-bit mono samples, written while the audio still comes. Used by `phonoscope say`.

Follows RIFF WAVE as in "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991).
"""

import contextlib
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from phonoscope.cli.atomic_file import atomic_file, is_device

BYTES_PER_SAMPLE: Final = 2
OPEN_LENGTH: Final = 0xFFFFFFFF  # "until the end", for what cannot be rewound


class SampleSink(Protocol):
    """Where samples go: a file, a pipe, loudspeakers."""

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Takes the next 16-bit little-endian mono samples."""


class WavFile:
    """A WAV in a file that can be rewound: closing it writes the lengths into the header."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._wave: wave.Wave_write | None = None

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Appends samples; the first call sets the file's rate."""
        if self._wave is None:
            self._wave = wave.Wave_write(self._target)
            self._wave.setparams((1, BYTES_PER_SAMPLE, sample_rate_hz, 0, "NONE", ""))
        self._wave.writeframesraw(samples)

    def close(self) -> None:
        """Writes the lengths; the file itself stays open."""
        if self._wave is not None:
            self._wave.close()


class WavPipe:
    """A WAV on a pipe: the header comes first with its lengths left open, and samples leave as they come."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._has_header = False

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Sends samples on, the header before the first ones."""
        if not self._has_header:
            self._target.write(open_header(sample_rate_hz))
            self._has_header = True
        self._target.write(samples)
        self._target.flush()


@contextlib.contextmanager
def wav_at(path: Path) -> Iterator[SampleSink]:
    """Gives a sink for a new WAV at `path`, which appears whole or not at all.

    A device or a named pipe at `path` is written as it is. Raises OSError where `path` cannot be written.
    """
    with atomic_file(path) as target:
        if is_device(path):
            yield WavPipe(target)
            return
        with contextlib.closing(WavFile(target)) as wav:
            yield wav


def open_header(sample_rate_hz: int) -> bytes:
    """Returns the 44 bytes before samples of unknown length."""
    form = struct.pack("<4sI4s", b"RIFF", OPEN_LENGTH, b"WAVE")
    byte_rate = sample_rate_hz * BYTES_PER_SAMPLE
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate_hz, byte_rate, BYTES_PER_SAMPLE, 16)
    return form + layout + struct.pack("<4sI", b"data", OPEN_LENGTH)
