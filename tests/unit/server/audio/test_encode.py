"""AudioEncoder: scale, clipping, headers, and streams that equal the whole."""

import io
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import EngineFailed
from phonoscope.server.audio.encode import AudioEncoder, wav_header, whole_file
from phonoscope.server.emotions import Prosody
from phonoscope.server.types import Encoding


def encoder(encoding: Encoding = Encoding.LINEAR16, target: int = 22050, gain: float = 0.0) -> AudioEncoder:
    return AudioEncoder(encoding=encoding, source_rate_hz=22050, target_rate_hz=target, volume_gain_db=gain)


def pcm_of(values: list[float], gain: float = 0.0) -> list[int]:
    encoded = encoder(gain=gain).encode(np.array(values, np.float32))
    return np.frombuffer(encoded, "<i2").tolist()


def sound(samples: int) -> NDArray[np.float32]:
    return (np.random.default_rng(3).standard_normal(samples) * 0.3).astype(np.float32)


def encode_in_pieces(stream: AudioEncoder, samples: NDArray[np.float32], piece: int) -> list[bytes]:
    encoded = [stream.encode(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    return [*encoded, stream.finish()]


def test_full_scale_is_32767_on_both_sides() -> None:
    assert pcm_of([0.0, 1.0, -1.0, 0.5]) == [0, 32767, -32767, 16384]


def test_samples_are_rounded_to_the_nearest() -> None:
    assert pcm_of([1.4 / 32767, 1.6 / 32767, -1.4 / 32767, -1.6 / 32767]) == [1, 2, -1, -2]


def test_samples_beyond_full_scale_are_clipped_to_it() -> None:
    assert pcm_of([1.5, -1.5, 1e9, -1e9]) == [32767, -32767, 32767, -32767]


def test_samples_are_little_endian() -> None:
    assert encoder().encode(np.array([258 / 32767], np.float32)) == b"\x02\x01"


def test_gain_is_in_decibels_of_amplitude() -> None:
    assert pcm_of([0.1], gain=-6.0206) == pcm_of([0.05])
    assert pcm_of([1.0], gain=-20.0) == [3277]
    assert pcm_of([1.0], gain=-96.0) == [1]


def test_gain_above_zero_is_limited_and_nothing_is_clipped() -> None:
    quiet = np.sin(np.arange(4000) * 0.05).astype(np.float32) * 0.1
    for gain, peak in ((6.0206, 0.2), (16.0, 0.631), (20.0, 0.891)):
        stream = encoder(gain=gain)
        samples = np.frombuffer(stream.encode(quiet) + stream.finish(), "<i2") / 32767
        assert len(samples) == len(quiet)
        assert np.abs(samples).max() == pytest.approx(peak, rel=0.005)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_the_engines_fault(bad: float) -> None:
    with pytest.raises(EngineFailed, match="not numbers"):
        encoder().encode(np.array([0.0, bad], np.float32))


@pytest.mark.parametrize("target", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("piece", [1, 100, 5632])
def test_pieces_concatenate_to_the_whole_in_whole_samples(target: int, piece: int) -> None:
    samples = sound(11025)
    stream = encoder(target=target)
    pieces = encode_in_pieces(stream, samples, piece)
    whole = encoder(target=target)
    assert b"".join(pieces) == whole.encode(samples) + whole.finish()
    assert all(len(encoded) % 2 == 0 for encoded in pieces)
    assert stream.samples_out == target // 2


def test_samples_out_counts_what_was_given_out_so_far() -> None:
    stream = encoder(target=48000)
    assert (stream.encode(sound(100)), stream.samples_out) == (b"", 0)
    encoded = stream.encode(sound(22050))
    assert 0 < stream.samples_out == len(encoded) // 2
    assert stream.samples_out + len(stream.finish()) // 2 == 48000 + 100 * 48000 // 22050


def test_a_wav_header_has_exact_lengths() -> None:
    samples = sound(5000)
    pcm = b"".join(encode_in_pieces(encoder(target=16000), samples, 1000))
    with wave.open(io.BytesIO(wav_header(sample_rate_hz=16000, pcm_bytes=len(pcm)) + pcm)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        assert file.getnframes() == len(pcm) // 2
        assert file.readframes(len(pcm)) == pcm


def test_a_wav_header_states_its_lengths_where_riff_has_them() -> None:
    header = wav_header(sample_rate_hz=22050, pcm_bytes=1000)
    assert len(header) == 44
    assert header[4:8] == (1036).to_bytes(4, "little")
    assert header[40:44] == (1000).to_bytes(4, "little")
    assert header[28:34] == (44100).to_bytes(4, "little") + (2).to_bytes(2, "little")


@pytest.mark.parametrize("pcm_bytes", [None, 0xFFFFFFFF - 36, 2**33])
def test_a_wav_header_without_a_length_that_fits_leaves_it_open(pcm_bytes: int | None) -> None:
    header = wav_header(sample_rate_hz=22050, pcm_bytes=pcm_bytes)
    assert header[4:8] == header[40:44] == b"\xff" * 4


@pytest.mark.parametrize("target", [22050, 48000])
def test_a_wav_stream_has_its_header_once_in_front_of_the_first_samples(target: int) -> None:
    pieces = encode_in_pieces(encoder(Encoding.WAV, target), sound(22050), 500)
    plain = encode_in_pieces(encoder(Encoding.LINEAR16, target), sound(22050), 500)
    assert b"".join(pieces) == wav_header(sample_rate_hz=target, pcm_bytes=None) + b"".join(plain)
    assert [len(piece) == 0 for piece in pieces] == [len(piece) == 0 for piece in plain]


def test_a_stream_without_samples_is_empty_or_a_header() -> None:
    assert encoder(target=48000).finish() == b""
    stream = encoder(Encoding.WAV)
    assert stream.encode(np.zeros(0, np.float32)) == b""
    assert stream.finish() == wav_header(sample_rate_hz=22050, pcm_bytes=None)


def test_a_finished_stream_takes_no_more() -> None:
    stream = encoder()
    stream.finish()
    with pytest.raises(RuntimeError, match="encode after finish"):
        stream.encode(sound(1))
    with pytest.raises(RuntimeError, match="finish after finish"):
        stream.finish()


def test_a_whole_file_is_the_pcm_itself_or_behind_an_exact_header() -> None:
    assert whole_file(b"\1\2", encoding=Encoding.LINEAR16, sample_rate_hz=8000) == b"\1\2"
    wrapped = whole_file(b"\1\2", encoding=Encoding.WAV, sample_rate_hz=8000)
    assert wrapped == wav_header(sample_rate_hz=8000, pcm_bytes=2) + b"\1\2"


@pytest.mark.parametrize("target", [22_050, 8_000])
def test_pitch_is_changed_before_the_rate_and_nothing_is_lost(target: int) -> None:
    def out(pitch: float) -> bytes:
        stream = AudioEncoder(
            encoding=Encoding.LINEAR16, source_rate_hz=22_050, target_rate_hz=target, changes_pitch=pitch != 1.0
        )
        stream.turn(22_050, Prosody(pitch=pitch))
        return b"".join(encode_in_pieces(stream, sound(9_000), 1_000))

    assert len(out(1.3)) == len(out(1.0)) == 2 * (9_000 * target // 22_050)
