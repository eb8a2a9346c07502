"""Compressed and telephone encodings, as streams: FLAC, Ogg Opus, MP3, AAC in ADTS, G.711 µ-law and A-law.

encode.py calls it. FFmpeg's encoders do the work, through PyAV, in memory: what the muxer writes is handed out at
once, and nothing that was handed out is changed later, so containers are those that need no seeking back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import av
import numpy as np
from numpy.typing import NDArray

from phonoscope.server.types import Encoding

if TYPE_CHECKING:
    from av.audio.stream import AudioStream


@dataclass(frozen=True, slots=True)
class Codec:
    """How FFmpeg makes one encoding.

    Attributes:
        muxer, encoder: FFmpeg's names.
        rates_hz: the sample rates that there are, ascending; empty for all.
        bits_per_second: of compressed audio; 0 where it follows from the samples.
        bytes_per_sample: at most, where it follows from the samples.
        options: of the muxer.
    """

    muxer: str
    encoder: str
    rates_hz: tuple[int, ...] = ()
    bits_per_second: int = 0
    bytes_per_sample: int = 0
    options: tuple[tuple[str, str], ...] = ()

    def rate_for(self, voice_rate_hz: int) -> int:
        """Returns the rate for a voice's own: that one, or the next that this encoding has, or its highest."""
        if not self.rates_hz:
            return voice_rate_hz
        return next((rate for rate in self.rates_hz if rate >= voice_rate_hz), self.rates_hz[-1])

    def bytes_per_second(self, sample_rate_hz: int) -> int:
        """Returns how much a second of audio takes, about, and not less."""
        return (self.bits_per_second * 9 // 64) or sample_rate_hz * self.bytes_per_sample  # an eighth for framing


CODECS: Final[Mapping[Encoding, Codec]] = MappingProxyType(
    {
        Encoding.FLAC: Codec("flac", "flac", bytes_per_sample=2),
        Encoding.OGG_OPUS: Codec(
            "ogg",
            "libopus",
            (8000, 12_000, 16_000, 24_000, 48_000),
            32_000,
            # Microseconds of audio in a page: a page is what a player gets at a time. FFmpeg's own is a second.
            options=(("page_duration", "60000"),),
        ),
        Encoding.MP3: Codec(
            "mp3",
            "libmp3lame",
            (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
            64_000,
            # No tags, and no frame that would have to be completed at the end.
            options=(("write_xing", "0"), ("id3v2_version", "0")),
        ),
        Encoding.AAC: Codec(
            "adts",
            "aac",
            (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
            64_000,
        ),
        Encoding.MULAW: Codec("mulaw", "pcm_mulaw", bytes_per_sample=1),
        Encoding.ALAW: Codec("alaw", "pcm_alaw", bytes_per_sample=1),
    }
)


class _Written:
    """The file that FFmpeg writes to: keeps what came until it is taken, and cannot go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Takes the next bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Returns what came since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class CodecStream:
    """One stream of 16-bit samples, one channel, in an encoding of CODECS."""

    def __init__(self, encoding: Encoding, sample_rate_hz: int) -> None:
        codec = CODECS[encoding]
        self._written = _Written()
        self._rate_hz = sample_rate_hz
        options = {"flush_packets": "1", "fflags": "+bitexact", **dict(codec.options)}
        self._container = av.open(self._written, "w", format=codec.muxer, options=options)
        stream = self._container.add_stream(codec.encoder, rate=sample_rate_hz, layout="mono")
        self._stream = cast("AudioStream", stream)
        if codec.bits_per_second:
            self._stream.bit_rate = codec.bits_per_second
        self._samples = 0

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """Takes the next samples, shape (n,), and returns the bytes that are ready; none while a frame fills."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.pts = self._samples
        self._samples += len(samples)
        self._container.mux(self._stream.encode(frame))
        return self._written.take()

    def finish(self) -> bytes:
        """Ends the stream and returns its last bytes."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._written.take()
