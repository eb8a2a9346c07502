"""Encodings as streams: what is decoded is what was said, and no piece waits for the end."""

import hashlib
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


def encoded(encoding: Encoding, rate: int, piece: int, *, is_whole: bool = False) -> list[bytes]:
    encoder = AudioEncoder(encoding=encoding, source_rate_hz=RATE, target_rate_hz=rate, is_whole=is_whole)
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

    def test_a_whole_reply_has_the_frames_of_a_stream(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        whole, stream = (b"".join(encoded(encoding, rate, 5376, is_whole=is_whole)) for is_whole in (True, False))
        first_frame = {Encoding.FLAC: 42, Encoding.MP3: 208}.get(encoding, 0)
        assert whole[first_frame:] == stream[first_frame:]


class TestLengths:
    """A whole reply states its length, so that players and libraries know it before they decode."""

    def test_flac_has_the_samples_the_sizes_of_frames_and_the_checksum(self):
        pcm = b"".join(encoded(Encoding.LINEAR16, RATE, 10**6))
        info = b"".join(encoded(Encoding.FLAC, RATE, 5376, is_whole=True))[8:42]  # RFC 9639, section 8.2
        assert int.from_bytes(info[10:18]) & 2**36 - 1 == len(pcm) // 2
        assert 0 < int.from_bytes(info[4:7]) < int.from_bytes(info[7:10])
        assert info[18:] == hashlib.md5(pcm).digest()

    def test_a_stream_of_flac_leaves_them_unknown(self):
        info = b"".join(encoded(Encoding.FLAC, RATE, 5376))[8:42]
        assert int.from_bytes(info[10:18]) & 2**36 - 1 == 0

    @pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
    def test_mp3_decodes_to_exactly_its_samples(self, rate):
        count = len(b"".join(encoded(Encoding.LINEAR16, rate, 10**6))) // 2
        samples, _ = decoded(b"".join(encoded(Encoding.MP3, rate, 5376, is_whole=True)), Encoding.MP3, rate)
        assert len(samples) == count

    @pytest.mark.parametrize("encoding", [Encoding.FLAC, Encoding.OGG_OPUS, Encoding.MP3])
    def test_the_container_states_the_seconds(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        with av.open(io.BytesIO(b"".join(encoded(encoding, rate, 5376, is_whole=True)))) as container:
            assert container.duration / av.time_base == pytest.approx(SECONDS, abs=0.01)

    @pytest.mark.parametrize("encoding", CODECS)
    def test_bytes_come_at_the_end_only(self, encoding):
        rate = CODECS[encoding].rate_for(RATE)
        *before, last = encoded(encoding, rate, 5376, is_whole=True)
        assert last
        assert not any(before)


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
