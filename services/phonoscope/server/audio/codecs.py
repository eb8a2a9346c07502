"""Streaming encoders for compressed and telephone audio: FLAC, Ogg Opus, MP3, AAC in ADTS, G.711 µ-law and A-law.

Called by encode.py. It uses FFmpeg's encoders through PyAV, in memory. The muxer output of a stream is returned
immediately and never changed later, so only containers that do not need seeking are used. A whole reply is returned at
its end, after its length has been written into its head.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import av
import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.mp3_info import WholeAudio, info_frame
from phonoscope.server.types import Encoding

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Codec:
    """The FFmpeg configuration of one encoding.

    Attributes:
        muxer, encoder: FFmpeg's names.
        rates_hz: the supported sample rates, ascending; empty for all.
        bits_per_second: of compressed audio; 0 if it depends on the samples.
        bytes_per_sample: maximum, if the bit rate depends on the samples.
        page_bytes_per_second: maximum container overhead.
        block_milliseconds: maximum audio per encoded block, if the encoder supports the option.
        muxer_options, encoder_options: FFmpeg's names and values.
    """

    muxer: str
    encoder: str
    rates_hz: tuple[int, ...] = ()
    bits_per_second: int = 0
    bytes_per_sample: int = 0
    page_bytes_per_second: int = 0
    block_milliseconds: int = 0
    muxer_options: Options = ()
    encoder_options: Options = ()

    def rate_for(self, voice_rate_hz: int) -> int:
        """Returns the rate for a voice's rate: the same if supported, else the next higher one, else the highest."""
        if not self.rates_hz:
            return voice_rate_hz
        return next((rate for rate in self.rates_hz if rate >= voice_rate_hz), self.rates_hz[-1])

    def bytes_per_second(self, sample_rate_hz: int) -> int:
        """Returns an upper estimate of the bytes per second of audio."""
        if not self.bits_per_second:
            return sample_rate_hz * self.bytes_per_sample
        return self.bits_per_second * 9 // 64 + self.page_bytes_per_second  # an eighth for framing

    def options_at(self, sample_rate_hz: int) -> dict[str, str]:
        """Returns the encoder's options at a sample rate."""
        options = dict(self.encoder_options)
        if self.block_milliseconds:  # multiple of 32: FLAC splits the residual by halving the block
            options["frame_size"] = str(sample_rate_hz * self.block_milliseconds // 32_000 * 32)
        return options


CODECS: Final[Mapping[Encoding, Codec]] = MappingProxyType(
    {
        Encoding.FLAC: Codec(
            "flac",
            "flac",
            bytes_per_sample=2,
            # FFmpeg's default blocks are up to 105 ms; these need the same number of bytes, 6 % more at 8 kHz.
            block_milliseconds=30,
            # No padding for tags, which cannot be added to a stream; the default is 8 KiB.
            muxer_options=(("metadata_header_padding", "0"),),
        ),
        Encoding.OGG_OPUS: Codec(
            "ogg",
            "libopus",
            (8000, 12_000, 16_000, 24_000, 48_000),
            32_000,
            page_bytes_per_second=2000,
            # Microseconds of audio per page: a player receives whole pages, each when the next one starts.
            # FFmpeg's default is one second. One packet per page costs 7 kbit/s.
            muxer_options=(("page_duration", "20000"),),
        ),
        Encoding.MP3: Codec(
            "mp3",
            "libmp3lame",
            (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
            64_000,
            # No tags, and no info frame that must be completed at the end: mp3_info.py writes it.
            muxer_options=(("write_xing", "0"), ("id3v2_version", "0")),
            # A frame's bits are in that frame, not up to two frames earlier: the first is ready one frame sooner.
            encoder_options=(("reservoir", "0"),),
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
    """The output file of FFmpeg for a stream: buffers bytes until they are taken; not seekable."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Buffers the next bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Returns the bytes written since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class _Whole(io.BytesIO):
    """The output file of FFmpeg for a whole reply: seekable, so that FLAC's header gets its length and checksum."""

    def take(self) -> bytes:
        """Returns nothing: the file may still change."""
        return b""


class CodecStream:
    """Encodes one stream of 16-bit mono samples in an encoding of CODECS.

    Args:
        encoding: of the bytes.
        sample_rate_hz: of the samples.
        is_whole: whether `finish` returns all bytes, with their length in the header, and `encode` returns none.
    """

    def __init__(self, encoding: Encoding, sample_rate_hz: int, *, is_whole: bool = False) -> None:
        self._codec = CODECS[encoding]
        self._rate_hz = sample_rate_hz
        self._samples = 0
        self._packets = 0
        self._needs_info_frame = encoding is Encoding.MP3
        self._written: _Written | _Whole = _Whole() if is_whole else _Written()
        options = {"flush_packets": "1", "fflags": "+bitexact", **dict(self._codec.muxer_options)}
        self._container = av.open(self._written, "w", format=self._codec.muxer, options=options)
        stream = self._container.add_stream(
            self._codec.encoder, rate=sample_rate_hz, layout="mono", options=self._codec.options_at(sample_rate_hz)
        )
        self._stream = cast("AudioStream", stream)
        if self._codec.bits_per_second:
            self._stream.bit_rate = self._codec.bits_per_second

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """Encodes the next samples, shape (n,); returns the bytes that are ready, empty while a frame fills."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.pts = self._samples
        self._samples += len(samples)
        self._mux(self._stream.encode(frame))
        return self._with_info_frame(self._written.take())

    def finish(self) -> bytes:
        """Ends the stream and returns its last bytes, or all."""
        self._mux([packet for packet in self._stream.encode(None) if self._is_heard(packet)])
        self._container.close()
        if isinstance(self._written, _Written):
            return self._with_info_frame(self._written.take())
        audio = self._written.getvalue()
        return self._with_info_frame(audio, WholeAudio(self._packets, self._samples, len(audio)))

    def _mux(self, packets: "Sequence[Packet[AudioStream]]") -> None:
        self._packets += len(packets)
        self._container.mux(packets)

    def _is_heard(self, packet: "Packet[AudioStream]") -> bool:
        """Returns whether a packet contains input samples; LAME's last one may contain only what follows them.

        FLAC's last one is empty, and has the final header.
        """
        return not packet.size or packet.pts is None or packet.pts < self._samples

    def _with_info_frame(self, audio: bytes, whole: WholeAudio | None = None) -> bytes:
        """Returns audio after an info frame, if it is the first of an MP3."""
        if not (audio and self._needs_info_frame):
            return audio
        self._needs_info_frame = False
        bits_per_second = self._codec.bits_per_second
        head = info_frame(audio, sample_rate_hz=self._rate_hz, bits_per_second=bits_per_second, whole=whole)
        return head + audio
