"""How much audio a body holds, told while it comes: http_target.py feeds the bytes and hears seconds.

WAV as in "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991). Servers that write
the header before they know the length put 0 or 0xFFFFFFFF there.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

RIFF_HEADER_BYTES: Final = 12
CHUNK_HEADER_BYTES: Final = 8
LONGEST_HEADER_BYTES: Final = 1 << 16
"""What comes before the samples is 44 bytes mostly; some servers write a few comments there."""
LONGEST_LENGTH_BYTES: Final = 0x7FFF_0000
"""A length from here up is a server's way to say that it does not know: 0xFFFFFFFF, or 0x7FFFFFFF less a header."""


class BodyFormat(enum.Enum):
    """Form of the body that is asked for, where there is a choice."""

    PCM = "pcm"
    WAV = "wav"


class BadAudio(Exception):
    """The body is not the audio that was asked for; `reason` is what to count it under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WavFormat:
    """What the header says; `data_bytes` is None where the length was not known when it was written."""

    bytes_per_second: int
    header_bytes: int
    data_bytes: int | None


class PcmStream:
    """A body of bare samples."""

    def __init__(self, sample_rate_hz: int, *, sample_bytes: int = 2) -> None:
        self._bytes_per_second = sample_rate_hz * sample_bytes

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of what came."""
        return len(piece) / self._bytes_per_second

    def end(self) -> None:
        """Takes the end of the body, which may come anywhere."""


class WavStream:
    """A WAV file; every method raises BadAudio for a body that is none, or not all of it."""

    def __init__(self) -> None:
        self._header = b""
        self._format: WavFormat | None = None
        self._heard_bytes = 0

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of the samples in what came: 0 while the header has not ended."""
        if self._format is not None:
            return self._seconds(len(piece))
        self._header += piece
        self._format = wav_format(self._header)
        if self._format is None:
            return 0.0
        after, self._header = len(self._header) - self._format.header_bytes, b""
        return self._seconds(after)

    def end(self) -> None:
        """Takes the end of the body; an empty body is for the caller to judge."""
        if self._format is None:
            if self._header:
                raise BadAudio("WAV_TRUNCATED")
        elif self._format.data_bytes is not None and self._heard_bytes < self._format.data_bytes:
            raise BadAudio("WAV_TRUNCATED")

    def _seconds(self, came_bytes: int) -> float:
        """Counts samples; what a file holds after them (comments, mostly) is no audio."""
        assert self._format is not None  # noqa: S101 - for the type checker: the callers have looked
        if self._format.data_bytes is not None:
            came_bytes = min(came_bytes, self._format.data_bytes - self._heard_bytes)
        self._heard_bytes += came_bytes
        return came_bytes / self._format.bytes_per_second


def wav_format(start: bytes) -> WavFormat | None:
    """Returns what the start of a WAV file says; None while more is needed. Raises BadAudio where it is no WAV."""
    if not start.startswith(b"RIFF"[: len(start)]) or start[8:12] != b"WAVE"[: len(start[8:12])]:
        raise BadAudio("NOT_WAV")
    bytes_per_second, at = 0, RIFF_HEADER_BYTES
    while len(start) >= at + CHUNK_HEADER_BYTES:
        name, size = struct.unpack_from("<4sI", start, at)
        at += CHUNK_HEADER_BYTES
        if name == b"data":
            return WavFormat(known(bytes_per_second), at, length_of(size))
        if name == b"fmt " and len(start) >= at + 16:
            (bytes_per_second,) = struct.unpack_from("<I", start, at + 8)
        at += size + size % 2
    if at > LONGEST_HEADER_BYTES:
        raise BadAudio("NOT_WAV")
    return None


def known(bytes_per_second: int) -> int:
    """Returns the rate; raises BadAudio where no format came before the samples, or one of no rate."""
    if not bytes_per_second:
        raise BadAudio("NOT_WAV")
    return bytes_per_second


def length_of(size: int) -> int | None:
    """Returns the length of the samples in bytes; None where it is a placeholder."""
    return size if 0 < size < LONGEST_LENGTH_BYTES else None
