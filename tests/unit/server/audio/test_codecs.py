"""Encodings as streams: what is decoded is what was said, and no piece waits for the end."""

import io

import av
import numpy as np
import pytest

from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import AudioEncoder
from phonoscope.server.types import Encoding

RATE = 22_050
SECONDS = 2.0
# Frames that may be heard besides ours: the rest of a last one, and AAC's first, which its streams cannot leave out.
SLACK_FRAMES = {Encoding.MP3: 1, Encoding.AAC: 2}
FRAME_SAMPLES = {Encoding.MP3: 576, Encoding.AAC: 1024}


def tone(rate: int = RATE) -> np.ndarray:
    time = np.arange(int(SECONDS * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def encoded(encoding: Encoding, rate: int, piece: int) -> list[bytes]:
    encoder = AudioEncoder(encoding=encoding, source_rate_hz=RATE, target_rate_hz=rate)
    samples = tone()
    parts = [encoder.encode(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    return [*parts, encoder.finish()]


def decoded(audio: bytes, encoding: Encoding, rate: int) -> tuple[np.ndarray, int]:
    options = {"format": encoding.value, "options": {"sample_rate": str(rate)}} if "law" in encoding.value else {}
    resampler = av.AudioResampler("flt", "mono")
    with av.open(io.BytesIO(audio), **options) as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


@pytest.mark.parametrize("encoding", CODECS)
class TestEveryCodec:
    def test_it_decodes_to_the_same_tone_for_the_same_time(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        samples, decoded_rate = decoded(b"".join(encoded(encoding, rate, 5376)), encoding, rate)
        slack = SLACK_FRAMES.get(encoding, 0) * FRAME_SAMPLES.get(encoding, 0) / rate
        assert len(samples) / decoded_rate + 1e-3 >= SECONDS
        assert len(samples) / decoded_rate <= SECONDS + slack + 1e-3
        middle = samples[len(samples) // 4 : -len(samples) // 4]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
        peak_hz = spectrum.argmax() * decoded_rate / len(middle)
        assert peak_hz == pytest.approx(440, abs=2)
        assert np.sqrt(2 * (middle**2).mean()) == pytest.approx(0.5, rel=0.1)

    def test_pieces_make_no_difference(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        at_once, in_pieces = (b"".join(encoded(encoding, rate, piece)) for piece in (10**6, 1000))
        one, other = (decoded(audio, encoding, rate)[0] for audio in (at_once, in_pieces))
        assert len(one) == len(other)
        np.testing.assert_allclose(one, other, atol=1e-3)

    def test_bytes_come_while_the_rest_is_being_made(self, encoding):
        parts = encoded(encoding, CODECS[encoding].rate_for(RATE), 5376)
        assert all(parts[:-2]), "a quarter of a second of sound gives bytes"

    def test_the_stated_size_is_an_upper_bound_and_not_far_off(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        size = len(b"".join(encoded(encoding, rate, 5376)))
        assert size <= CODECS[encoding].bytes_per_second(rate) * SECONDS + 4096

    def test_silence_and_nothing_end_well(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        encoder = AudioEncoder(encoding=encoding, source_rate_hz=RATE, target_rate_hz=rate)
        assert isinstance(encoder.finish(), bytes)


@pytest.mark.parametrize(
    ("encoding", "voice", "rate"),
    [
        (Encoding.OGG_OPUS, 22_050, 24_000),
        (Encoding.OGG_OPUS, 16_000, 16_000),
        (Encoding.OGG_OPUS, 44_100, 48_000),
        (Encoding.MP3, 22_050, 22_050),
        (Encoding.MP3, 96_000, 48_000),
        (Encoding.FLAC, 12_345, 12_345),
    ],
)
def test_the_rate_that_suits_a_voice(encoding, voice, rate):
    assert CODECS[encoding].rate_for(voice) == rate
