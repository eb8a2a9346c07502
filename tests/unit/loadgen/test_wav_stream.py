"""Finds the audio in a stream of bytes, for any chunks."""

import struct

import pytest

from phonoscope.loadgen.wav_stream import BadAudio, PcmStream, WavStream


def heard(body: bytes, piece_bytes: int) -> float:
    stream = WavStream()
    seconds = sum(stream.seconds_of(body[at : at + piece_bytes]) for at in range(0, len(body), piece_bytes))
    stream.end()
    return seconds


def with_length(body: bytes, length: int) -> bytes:
    return body[:40] + struct.pack("<I", length) + body[44:]


@pytest.mark.parametrize("piece_bytes", [1, 7, 43, 44, 45, 1000, 1_000_000])
def test_the_seconds_do_not_depend_on_how_the_body_is_cut(wav_of, piece_bytes):
    assert heard(wav_of(0.5), piece_bytes) == pytest.approx(0.5)


def test_the_header_is_not_audio(wav_of):
    stream = WavStream()
    assert stream.seconds_of(wav_of(0.5)[:44]) == 0.0
    assert stream.seconds_of(b"\0\0" * 22_050) > 0


@pytest.mark.parametrize("placeholder", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36])
def test_a_length_that_the_server_did_not_know_is_that_of_the_body(wav_of, placeholder):
    assert heard(with_length(wav_of(0.5), placeholder), 1000) == pytest.approx(0.5)


@pytest.mark.parametrize("piece_bytes", [1, 50, 1_000_000])
def test_chunks_before_and_after_the_samples_are_not_audio(wav_of, piece_bytes):
    body = wav_of(0.5)
    comment = b"LIST" + struct.pack("<I", 5) + b"abcde\0"  # odd, and padded
    assert heard(body[:36] + comment + body[36:] + comment, piece_bytes) == pytest.approx(0.5)


@pytest.mark.parametrize("kept_bytes", [1, 11, 30, 43, 44, 45, 5000])
def test_an_end_before_the_last_sample_is_reported(wav_of, kept_bytes):
    with pytest.raises(BadAudio, match="WAV_TRUNCATED"):
        heard(wav_of(0.5)[:kept_bytes], 100)


@pytest.mark.parametrize(
    "body",
    [
        b"ID3\x04",
        b"R1FF",
        b"RIFF\0\0\0\0AVI ",
        b"RIFF\0\0\0\0WAVEdata\x04\0\0\0\0\0\0\0",
        b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x0f",
    ],
    ids=["another format", "a letter off", "another RIFF", "no format", "no end of the header"],
)
def test_what_is_not_wav_is_reported(body):
    with pytest.raises(BadAudio, match="NOT_WAV"):
        heard(body, 3)


def test_bare_samples_are_counted_as_they_come():
    stream = PcmStream(24_000)
    assert stream.seconds_of(bytes(24_000)) + stream.seconds_of(bytes(12_000)) == pytest.approx(0.75)
    stream.end()
