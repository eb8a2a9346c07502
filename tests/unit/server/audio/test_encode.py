"""AudioEncoder: scale, clipping, headers, and streams that equal the whole."""

import io
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import EngineFailed
from phonoscope.server.audio.encode import AudioEncoder, wav_header, whole_file
from phonoscope.server.audio.psola import PitchShifter
from phonoscope.server.audio.resample import Resampler
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
    with pytest.raises(EngineFailed, match="not finite"):
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
        stream.set_prosody(22_050, Prosody(pitch=pitch))
        return b"".join(encode_in_pieces(stream, sound(9_000), 1_000))

    assert len(out(1.3)) == len(out(1.0)) == 2 * (9_000 * target // 22_050)


# --- changes, pauses and where the stream is --------------------------------------------------------------------

PLAIN, LOUD, LOW = Prosody(), Prosody(gain_db=6.0206), Prosody(pitch=0.8)


def pcm(encoded: bytes) -> NDArray[np.float64]:
    return np.frombuffer(encoded, "<i2") / 32767


@pytest.mark.parametrize("piece", [1, 37, 100_000])
def test_a_turn_is_heard_from_the_next_sample_on(piece: int) -> None:
    stream, samples = encoder(), sound(1000) * np.float32(0.3)
    parts = []
    for manner, part in ((PLAIN, samples[:300]), (LOUD, samples[300:700]), (PLAIN, samples[700:])):
        parts += [
            stream.set_prosody(22050, manner),
            *(stream.encode(part[at : at + piece]) for at in range(0, len(part), piece)),
        ]
    heard = pcm(b"".join([*parts, stream.finish()]))
    ramp = round(0.01 * 22050)
    assert heard[:300] == pytest.approx(samples[:300], abs=1e-4)
    assert heard[300 + ramp : 700] == pytest.approx(2 * samples[300 + ramp : 700], abs=1e-4)
    assert heard[700 + ramp :] == pytest.approx(samples[700 + ramp :], abs=1e-4)
    assert np.abs(heard[300:301]) < 1.1 * np.abs(samples[300:301]) + 1e-4, "no click"


def test_louder_words_are_limited_where_the_stream_may_be_loud() -> None:
    tone = (0.8 * np.sin(np.arange(8000) * 0.05)).astype(np.float32)

    def peak(*, may_be_loud: bool) -> float:
        stream = AudioEncoder(
            encoding=Encoding.LINEAR16, source_rate_hz=22050, target_rate_hz=22050, may_be_loud=may_be_loud
        )
        stream.set_prosody(22050, LOUD)
        heard = pcm(stream.encode(tone) + stream.finish())
        assert len(heard) == len(tone)
        return float(np.abs(heard).max())

    assert peak(may_be_loud=True) == pytest.approx(10 ** (-1 / 20), rel=0.01)
    assert peak(may_be_loud=False) == 1.0


def test_a_turn_to_another_pitch_keeps_every_sample_in_its_place() -> None:
    stream = AudioEncoder(encoding=Encoding.LINEAR16, source_rate_hz=22050, target_rate_hz=22050, changes_pitch=True)
    silence, hum = np.zeros(4000, np.float32), (0.3 * np.sin(np.arange(6000) * 0.05)).astype(np.float32)
    encoded = stream.encode(silence)
    encoded += stream.set_prosody(22050, LOW) + stream.encode(hum)
    encoded += stream.set_prosody(22050, PLAIN) + stream.encode(silence) + stream.finish()
    heard = pcm(encoded)
    assert len(heard) == 14_000
    assert np.abs(heard[:3600]).max() < 0.01
    assert np.abs(heard[5000:9000]).max() > 0.2
    assert np.abs(heard[10_500:]).max() < 0.01


@pytest.mark.parametrize(
    ("seconds", "samples"), [(0.0, 0), (0.1, 2205), (0.25, 5512), (1e-5, 0), (1 / 22050, 1), (3.0, 66_150)]
)
def test_a_pause_is_so_many_samples_of_silence(seconds: float, samples: int) -> None:
    stream = encoder()
    stream.encode(sound(10))
    assert stream.pause(seconds) == b"\0\0" * samples
    assert stream.seconds_in == (10 + samples) / 22050


@pytest.mark.parametrize("target", [8000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("changes_pitch", [False, True])
def test_a_pause_lasts_as_long_at_another_rate(target: int, changes_pitch: bool) -> None:
    stream = AudioEncoder(
        encoding=Encoding.LINEAR16, source_rate_hz=22050, target_rate_hz=target, changes_pitch=changes_pitch
    )
    hum = (0.3 * np.sin(np.arange(4410) * 0.05)).astype(np.float32)
    encoded = stream.encode(hum) + stream.pause(0.5) + stream.encode(hum) + stream.finish()
    heard = pcm(encoded)
    assert len(heard) == round(0.9 * target)
    assert stream.seconds_in == pytest.approx(0.9)
    edge = round(0.02 * target)
    start, stop = round(0.2 * target), round(0.7 * target)
    assert np.abs(heard[start + edge : stop - edge]).max() < 0.005
    assert np.abs(heard[start - edge : start]).max() > 0.15
    assert np.abs(heard[stop : stop + edge]).max() > 0.15


@pytest.mark.parametrize("target", [8000, 16_000, 22_050, 48_000])
def test_voices_of_two_rates_sound_in_turn_and_each_as_long_as_it_is(target: int) -> None:
    def hum(rate_hz: int) -> NDArray[np.float32]:
        return (0.3 * np.sin(2 * np.pi * 200 * np.arange(rate_hz // 2) / rate_hz)).astype(np.float32)

    stream = encoder(target=target)
    parts = []
    for rate_hz in (22_050, 16_000, 48_000, 22_050):
        parts += [stream.set_prosody(rate_hz, PLAIN), stream.encode(hum(rate_hz))]
    whole = b"".join([*parts, stream.finish()])
    heard = pcm(whole)
    assert len(heard) == pytest.approx(2 * target, abs=4)
    assert stream.samples_out == len(heard)
    for start in range(0, 2 * target, target // 2):
        middle = heard[start + target // 20 : start + target // 20 + target // 5 * 2]
        crossings = np.count_nonzero(np.diff(np.signbit(middle)))
        assert crossings == pytest.approx(0.4 * 2 * 200, abs=3)
        assert np.abs(middle).max() == pytest.approx(0.3, abs=0.02)


def test_a_turn_to_another_rate_gives_out_what_the_filters_held_back() -> None:
    stream = encoder(target=48_000)
    ready = stream.encode(sound(2205))
    ready += stream.set_prosody(22050, LOUD)
    assert len(ready) < 2 * 4800, "the same rate: nothing is ready before its time"
    ready += stream.set_prosody(16_000, PLAIN)
    assert len(ready) == 2 * 4800
    assert stream.samples_out == 4800


def buzz(rate_hz: int, amplitude: float = 0.1) -> NDArray[np.float32]:
    """A second of a voice without a formant."""
    phase = 2 * np.pi * 130 * np.arange(rate_hz) / rate_hz
    return (amplitude * sum(np.cos(harmonic * phase) for harmonic in range(1, 6))).astype(np.float32)


def shifted(rate_hz: int, manner: Prosody, centre_hz: float) -> NDArray[np.float32]:
    shifter = PitchShifter(rate_hz, 1.0)
    shifter.set_pitch(manner.pitch, manner.pitch_range, centre_hz)
    return np.concatenate([shifter.feed(buzz(rate_hz)), shifter.flush()])


@pytest.mark.parametrize("manner", [Prosody(pitch=1.3), Prosody(pitch_range=1.6), Prosody(pitch=0.9, pitch_range=0.5)])
def test_a_turn_changes_the_pitch_at_the_voices_rate(manner: Prosody) -> None:
    stream = AudioEncoder(encoding=Encoding.LINEAR16, source_rate_hz=22050, target_rate_hz=16_000, changes_pitch=True)
    encoded = stream.set_prosody(22050, manner, 100.0) + stream.encode(buzz(22050))
    encoded += stream.set_prosody(16_000, manner, 100.0) + stream.encode(buzz(16_000)) + stream.finish()
    heard = pcm(encoded)
    first = Resampler(source_rate_hz=22050, target_rate_hz=16_000)
    expected = shifted(22050, manner, 100.0)
    assert heard[:16_000] == pytest.approx(np.concatenate([first.feed(expected), first.flush()]), abs=1e-3)
    assert heard[16_000:] == pytest.approx(shifted(16_000, manner, 100.0), abs=1e-3)


def test_grains_that_meet_are_limited() -> None:
    stream = AudioEncoder(encoding=Encoding.LINEAR16, source_rate_hz=22050, target_rate_hz=22050, changes_pitch=True)
    stream.set_prosody(22050, Prosody(pitch=1.9))
    heard = pcm(stream.encode(buzz(22050, 0.199)) + stream.finish())
    assert np.abs(heard).max() <= 10 ** (-1 / 20) + 1e-3


def test_a_turn_to_another_rate_begins_without_the_gain_of_what_was_before() -> None:
    stream = encoder(target=16_000)
    stream.set_prosody(22050, Prosody(gain_db=-40.0))
    stream.encode(sound(5000))
    stream.set_prosody(16_000, PLAIN)
    assert pcm(stream.encode(buzz(16_000))) == pytest.approx(buzz(16_000), abs=1e-4)


def test_seconds_in_count_each_voice_at_its_own_rate() -> None:
    stream = encoder(target=48_000)
    assert stream.seconds_in == 0.0
    stream.encode(sound(2205))
    assert stream.seconds_in == pytest.approx(0.1)
    stream.set_prosody(22050, LOUD)
    assert stream.seconds_in == pytest.approx(0.1)
    stream.set_prosody(16_000, PLAIN)
    assert stream.seconds_in == pytest.approx(0.1)
    stream.encode(sound(3200))
    stream.pause(0.3)
    assert stream.seconds_in == pytest.approx(0.6)
    stream.set_prosody(22050, PLAIN)
    stream.encode(sound(2205))
    assert stream.seconds_in == pytest.approx(0.7)
    stream.finish()
    assert stream.samples_out == pytest.approx(0.7 * 48_000, abs=3)


@pytest.mark.parametrize("encoding", [Encoding.WAV, Encoding.FLAC, Encoding.MULAW, Encoding.OGG_OPUS])
def test_a_stream_may_begin_with_a_turn_and_a_pause(encoding: Encoding) -> None:
    stream = encoder(encoding, target=48_000)
    encoded = stream.set_prosody(16_000, PLAIN) + stream.pause(0.1) + stream.encode(sound(1600)) + stream.finish()
    assert stream.samples_out == 9600
    assert encoded
    if encoding is Encoding.WAV:
        assert encoded.count(b"RIFF") == 1
        assert len(encoded) == 44 + 2 * 9600
