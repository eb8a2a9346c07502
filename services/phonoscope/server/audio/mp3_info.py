"""Builds the info frame at the start of an MP3 stream, which states the encoder delay to the decoder.

Called by codecs.py. It is a frame of silence with a tag in its unused bytes, as in LAME (libmp3lame/VbrTag.c;
Gabriel Bouvigne, "Mp3 Info Tag", revision 0). FFmpeg's muxer writes one only if it can seek back at the end to fill in
counts. That of a stream has no counts, so it never changes; that of a whole reply has the number of frames, the number
of bytes, and the padding of the last frame. FFmpeg and browsers drop 1105 samples because of it and are exact to the
sample; mpg123 and libmad drop only the frame and are 1105 samples late, as without it.
"""

import struct
from dataclasses import dataclass
from typing import Final

# Delay of the encoder, which the tag states, and of any decoder, which decoders add themselves.
LAME_DELAY_SAMPLES: Final = 576
DECODER_DELAY_SAMPLES: Final = 529

_HEADER_BYTES: Final = 4
_IS_MPEG_1: Final = 0x08  # in the second byte of a header
_IS_PADDED: Final = 0x02  # in the third
# Follows the header of a mono frame: side information, all 0 for silence.
_SIDE_BYTES_MPEG_1, _SIDE_BYTES_MPEG_2 = 17, 9
# Of a stream: name; flags: a length in bytes follows, but no frame count, table or quality; the length, unknown as in
# a streamed WAV. FFmpeg plays a frame that has neither length nor count as audio.
_NAME: Final = struct.pack(">4sII", b"Info", 2, 0xFFFFFFFF)
# Of a whole reply: name; flags: frames and bytes follow; both.
_COUNTS: Final = struct.Struct(">4sIII")
_SAMPLES_MPEG_1, _SAMPLES_MPEG_2 = 1152, 576  # of a frame
_MAX_PADDING: Final = 0xFFF
# Version; constant bit rate; low-pass frequency, peak and gains not set; flags; kilobits per second.
_ENCODER: Final = struct.Struct(">9sBBIHHBB")
# Delay and padding, 12 bits each; then fields that are not set: source, gain, preset, length, checksum of the audio.
_ENDS: Final = struct.Struct(">3sBBHIH")


@dataclass(frozen=True, slots=True)
class WholeAudio:
    """The counts of a whole reply, without the info frame: frames, samples of the input, bytes."""

    frames: int
    samples: int
    size_bytes: int


def info_frame(
    first_frame: bytes, *, sample_rate_hz: int, bits_per_second: int, whole: WholeAudio | None = None
) -> bytes:
    """Returns the frame to write before `first_frame`; it reuses that frame's header.

    Args:
        first_frame: at least its header.
        sample_rate_hz: of the audio.
        bits_per_second: of the audio.
        whole: counts; None for a stream, whose end is not known.
    """
    header = bytearray(first_frame[:_HEADER_BYTES])
    is_mpeg_1 = bool(header[1] & _IS_MPEG_1)
    header[2] &= ~_IS_PADDED & 0xFF
    frame_bytes = (144 if is_mpeg_1 else 72) * bits_per_second // sample_rate_hz
    name, padding = _NAME, 0
    if whole:
        name = _COUNTS.pack(b"Info", 3, whole.frames, frame_bytes + whole.size_bytes)
        samples = whole.frames * (_SAMPLES_MPEG_1 if is_mpeg_1 else _SAMPLES_MPEG_2)
        padding = min(max(samples - LAME_DELAY_SAMPLES - whole.samples, 0), _MAX_PADDING)
    frame = header + bytes(_SIDE_BYTES_MPEG_1 if is_mpeg_1 else _SIDE_BYTES_MPEG_2) + name
    frame += _ENCODER.pack(b"LAME3.100", 1, 0, 0, 0, 0, 0, bits_per_second // 1000)
    frame += _ENDS.pack((LAME_DELAY_SAMPLES << 12 | padding).to_bytes(3), 0, 0, 0, 0, 0)
    frame += _crc_16(bytes(frame)).to_bytes(2)
    return bytes(frame.ljust(frame_bytes, b"\0"))


def _crc_16(message: bytes) -> int:
    """Returns the checksum of a tag: CRC-16/ARC."""
    crc = 0
    for byte in message:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
