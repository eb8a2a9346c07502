"""WAV files of 16-bit mono samples, written while the audio arrives. Used by `phonoscope say`.

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
MIN_SAMPLE_RATE_HZ: Final = 8000  # until the first samples state theirs
UNKNOWN_LENGTH: Final = 0xFFFFFFFF  # "until the end", where the header cannot be rewritten


class SampleSink(Protocol):
    """Destination of samples: a file, a pipe, the loudspeakers."""

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Writes the next 16-bit little-endian mono samples."""


class WavFile:
    """A WAV in a seekable file: `close` writes the lengths into the header."""

    def __init__(self, target: BinaryIO) -> None:
        # Created before the audio arrives: Ctrl-C within its constructor would print a warning.
        self._wave = wave.Wave_write(target)
        self._wave.setparams((1, BYTES_PER_SAMPLE, MIN_SAMPLE_RATE_HZ, 0, "NONE", ""))

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Appends samples; the first call sets the sample rate of the file."""
        if not self._wave.tell():
            self._wave.setframerate(sample_rate_hz)
        self._wave.writeframesraw(samples)

    def close(self) -> None:
        """Writes the lengths; the file itself stays open."""
        self._wave.close()


class WavPipe:
    """A WAV on a pipe: the header states unknown lengths, and samples are written as they arrive."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._has_header = False

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Writes samples, after the header in the first call."""
        if not self._has_header:
            self._target.write(streaming_header(sample_rate_hz))
            self._has_header = True
        self._target.write(samples)
        self._target.flush()


@contextlib.contextmanager
def wav_at(path: Path) -> Iterator[SampleSink]:
    """Yields a sink for a new WAV file, which appears complete or not at all.

    A device or a named pipe is written directly. Raises OSError where `path` cannot be written.
    """
    with atomic_file(path) as target:
        if is_device(path):
            yield WavPipe(target)
            return
        with contextlib.closing(WavFile(target)) as wav:
            yield wav


def streaming_header(sample_rate_hz: int) -> bytes:
    """Returns the header of 44 bytes for samples of unknown length."""
    form = struct.pack("<4sI4s", b"RIFF", UNKNOWN_LENGTH, b"WAVE")
    byte_rate = sample_rate_hz * BYTES_PER_SAMPLE
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate_hz, byte_rate, BYTES_PER_SAMPLE, 16)
    return form + layout + struct.pack("<4sI", b"data", UNKNOWN_LENGTH)
