"""The frame in front of an MP3 stream: a frame of the stream's own kind, silent, with LAME's tag."""

import pytest

from phonoscope.server.audio.mp3_info import WholeAudio, _crc_16, info_frame

# Headers of frames at 64 kbit/s, one channel: MPEG-1, MPEG-2 with its padding bit set, MPEG-2.5.
HEADERS = {48_000: "fffb54c4", 22_050: "fff382c4", 8000: "ffe388c4"}
FRAME_BYTES = {48_000: 192, 22_050: 208, 8000: 576}
NAME_AT = {48_000: 21, 22_050: 13, 8000: 13}


@pytest.mark.parametrize("rate", HEADERS)
def test_it_is_one_frame_of_the_stream_and_tells_the_delay(rate: int) -> None:
    frame = info_frame(bytes.fromhex(HEADERS[rate]) + b"\xaa" * 600, sample_rate_hz=rate, bits_per_second=64_000)
    assert len(frame) == FRAME_BYTES[rate]
    assert frame[2] == bytes.fromhex(HEADERS[rate])[2] & ~0x02, "without the padding that the length leaves out"
    assert frame[:2] + frame[3:4] == bytes.fromhex(HEADERS[rate])[:2] + b"\xc4"
    name_at = NAME_AT[rate]
    assert not any(frame[4:name_at]), "side information of silence"
    assert frame[name_at : name_at + 12] == b"Info" + bytes.fromhex("00000002 ffffffff")
    tag = frame[name_at + 12 :]
    assert tag[:9] == b"LAME3.100"
    assert int.from_bytes(tag[21:24]) == 576 << 12
    assert int.from_bytes(tag[34:36]) == _crc_16(frame[: name_at + 12 + 34])


@pytest.mark.parametrize(("rate", "frames"), [(48_000, 50), (22_050, 100), (8000, 100)])
def test_that_of_a_whole_reply_tells_frames_bytes_and_padding(rate: int, frames: int) -> None:
    """50 frames of 1152 samples, or 100 of 576: 576 of them are the encoder's delay, and 1000 pad the last."""
    whole = WholeAudio(frames, samples=57_600 - 576 - 1000, size_bytes=9000)
    header = bytes.fromhex(HEADERS[rate])
    frame = info_frame(header, sample_rate_hz=rate, bits_per_second=64_000, whole=whole)
    assert len(frame) == FRAME_BYTES[rate]
    name_at = NAME_AT[rate]
    counts = [int.from_bytes(frame[at : at + 4]) for at in range(name_at + 4, name_at + 16, 4)]
    assert counts == [3, frames, 9000 + len(frame)]
    tag = frame[name_at + 16 :]
    assert int.from_bytes(tag[21:24]) == 576 << 12 | 1000
    assert int.from_bytes(tag[34:36]) == _crc_16(frame[: name_at + 16 + 34])


def test_the_checksum_is_the_one_that_lame_writes() -> None:
    assert _crc_16(b"123456789") == 0xBB3D, "the check value of CRC-16/ARC"
