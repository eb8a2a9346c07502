"""Duration of the audio in a response body, while it arrives. Used by http_target.py.

WAV as in "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991). Servers that write
the header before they know the length write 0 or 0xFFFFFFFF.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

RIFF_HEADER_BYTES: Final = 12
CHUNK_HEADER_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 1 << 16
"""The header usually has 44 bytes; some servers add comments."""
MAX_LENGTH_BYTES: Final = 0x7FFF_0000
"""Greater lengths mean an unknown length: 0xFFFFFFFF, or 0x7FFFFFFF less a header."""


class BodyFormat(enum.Enum):
    """Audio format to request, for APIs with a choice."""

    PCM = "pcm"
    WAV = "wav"


class BadAudio(Exception):
    """The body is not the requested audio; `reason` is the name under which it is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WavFormat:
    """Content of the header; `data_bytes` is None for an unknown length."""

    bytes_per_second: int
    header_bytes: int
    data_bytes: int | None


class PcmStream:
    """A body of raw samples."""

    def __init__(self, sample_rate_hz: int, *, sample_bytes: int = 2) -> None:
        self._bytes_per_second = sample_rate_hz * sample_bytes

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of a piece."""
        return len(piece) / self._bytes_per_second

    def end(self) -> None:
        """Does nothing: the body may end anywhere."""


class WavStream:
    """A WAV file; every method raises BadAudio for a body that is not one, or is incomplete."""

    def __init__(self) -> None:
        self._header = b""
        self._format: WavFormat | None = None
        self._counted_bytes = 0

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of the samples in a piece; 0 within the header."""
        if self._format is not None:
            return self._seconds(len(piece))
        self._header += piece
        self._format = wav_format(self._header)
        if self._format is None:
            return 0.0
        after, self._header = len(self._header) - self._format.header_bytes, b""
        return self._seconds(after)

    def end(self) -> None:
        """Checks that the file is complete; the caller handles an empty body."""
        if self._format is None:
            if self._header:
                raise BadAudio("WAV_TRUNCATED")
        elif self._format.data_bytes is not None and self._counted_bytes < self._format.data_bytes:
            raise BadAudio("WAV_TRUNCATED")

    def _seconds(self, data_bytes: int) -> float:
        """Counts samples; chunks after them, such as comments, are not audio."""
        assert self._format is not None  # noqa: S101 - for the type checker: the callers have looked
        if self._format.data_bytes is not None:
            data_bytes = min(data_bytes, self._format.data_bytes - self._counted_bytes)
        self._counted_bytes += data_bytes
        return data_bytes / self._format.bytes_per_second


def wav_format(start: bytes) -> WavFormat | None:
    """Parses the start of a WAV file; returns None while more is needed. Raises BadAudio when it is not a WAV file."""
    if not start.startswith(b"RIFF"[: len(start)]) or start[8:12] != b"WAVE"[: len(start[8:12])]:
        raise BadAudio("NOT_WAV")
    bytes_per_second, at = 0, RIFF_HEADER_BYTES
    while len(start) >= at + CHUNK_HEADER_BYTES:
        name, size = struct.unpack_from("<4sI", start, at)
        at += CHUNK_HEADER_BYTES
        if name == b"data":
            return WavFormat(checked_rate(bytes_per_second), at, length_of(size))
        if name == b"fmt " and len(start) >= at + 16:
            (bytes_per_second,) = struct.unpack_from("<I", start, at + 8)
        at += size + size % 2
    if at > MAX_HEADER_BYTES:
        raise BadAudio("NOT_WAV")
    return None


def checked_rate(bytes_per_second: int) -> int:
    """Returns the rate; raises BadAudio when the format chunk is missing or states none."""
    if not bytes_per_second:
        raise BadAudio("NOT_WAV")
    return bytes_per_second


def length_of(size: int) -> int | None:
    """Returns the length of the samples in bytes; None when it is a placeholder."""
    return size if 0 < size < MAX_LENGTH_BYTES else None
