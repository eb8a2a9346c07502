"""Every encoding, streamed in pieces, as the ffmpeg program decodes it: how long, how alike, and whole to the last.

ffmpeg reads a pipe, as a player reads a stream. What must come out is the LINEAR16 of the same samples, made at once.
"""

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from phonoscope.server.audio.codecs import CODECS
from phonoscope.server.audio.encode import AudioEncoder, whole_file
from phonoscope.server.types import Encoding

VOICE_RATE: Final = 22_050
RATES: Final = (VOICE_RATE, 8000, 12_345, 24_000, 48_000)
SECONDS: Final = 3.0
TONE_SECONDS: Final = 0.02
OPUS_RATE: Final = 48_000  # at which every Opus stream is decoded (RFC 7845, section 5.1)

LOSSLESS: Final = (Encoding.LINEAR16, Encoding.WAV, Encoding.FLAC)
LAWS: Final = (Encoding.MULAW, Encoding.ALAW)
LAW_BIAS: Final = 256 / 32_768  # steps are equal below it in A-law, and below 132 in µ-law (ITU-T G.711)
RAW: Final = {Encoding.LINEAR16: "s16le", Encoding.MULAW: "mulaw", Encoding.ALAW: "alaw"}
LARGEST_ERROR: Final = 0.25  # of the other encodings, root mean square by that of the sound
# Samples that a decoder plays before the first of ours: an AAC frame is whole only with the one before it, and ADTS
# has no place to say so. MP3 has 1105 of them, which its first frame tells; Opus 312 at 48 kHz, told in its header.
DELAY: Final = {Encoding.AAC: 1024}


def frame_samples(encoding: Encoding, rate: int) -> int:
    """Samples that a decoder makes of a frame, where the last one is filled up; 1 where a stream ends exactly."""
    if encoding is Encoding.MP3:
        return 1152 if rate >= 32_000 else 576
    return 1024 if encoding is Encoding.AAC else 1


def speech_like() -> NDArray[np.float32]:
    """A sweep to 3500 Hz under noise in syllables, silence, and a tone in the last 20 ms; at the voice's rate."""
    time = np.arange(round(SECONDS * VOICE_RATE)) / VOICE_RATE
    sweep = 0.3 * np.sin(2 * np.pi * (80 + 570 * time) * time)
    noise = np.random.default_rng(5).standard_normal(len(time)) * 0.05
    sound = (sweep + noise) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))
    sound[time >= SECONDS - 0.1] = 0.0
    last = time >= SECONDS - TONE_SECONDS
    sound[last] = 0.5 * np.sin(2 * np.pi * 1000 * time[last])
    return sound.astype(np.float32)


def streamed(encoding: Encoding, rate: int, pieces: Iterable[NDArray[np.float32]]) -> bytes:
    encoder = AudioEncoder(encoding=encoding, source_rate_hz=VOICE_RATE, target_rate_hz=rate)
    return b"".join([*(encoder.encode(piece) for piece in pieces), encoder.finish()])


def in_small_pieces(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cuts at odd places, a few samples to 80 ms apart."""
    cuts = np.cumsum(np.random.default_rng(6).integers(1, 1764, 2 * len(samples) // 1764))
    return np.split(samples, cuts[cuts < len(samples)])


def as_floats(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32_768


def ffmpeg(audio: bytes, encoding: Encoding, rate: int) -> NDArray[np.float64]:
    """Returns what the program decodes from a pipe, at the rate that it finds, in [-1, 1)."""
    stated = ["-f", RAW[encoding], "-ar", str(rate), "-ac", "1"] if encoding in RAW else []
    if encoding is Encoding.AAC:  # two frames are too few to guess from
        stated = ["-f", "aac"]
    command = ["ffmpeg", "-v", "error", "-nostdin", *stated, "-i", "pipe:", "-f", "f32le", "pipe:"]
    decoded = subprocess.run(command, input=audio, capture_output=True, check=True)
    return np.frombuffer(decoded.stdout, "<f4").astype(np.float64)


def ffprobe_seconds(path: Path) -> float:
    """Returns the duration that a file states."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def expected_of(encoding: Encoding, rate: int, pcm: bytes) -> NDArray[np.float64]:
    """Returns the samples that a decoder would make, had the encoding no loss."""
    samples = as_floats(pcm)
    return soxr.resample(samples, rate, OPUS_RATE, quality="VHQ") if encoding is Encoding.OGG_OPUS else samples


@dataclass(frozen=True)
class Streamed:
    """One encoding at one rate: the bytes of a stream in pieces, and what ffmpeg made of them."""

    encoding: Encoding
    rate: int
    audio: bytes
    expected: NDArray[np.float64]
    decoded: NDArray[np.float64]

    @property
    def decoded_rate(self) -> int:
        return OPUS_RATE if self.encoding is Encoding.OGG_OPUS else self.rate

    @property
    def aligned(self) -> NDArray[np.float64]:
        """What was decoded, without delay and filling."""
        delay = DELAY.get(self.encoding, 0)
        return self.decoded[delay : delay + len(self.expected)]


def cases() -> list[tuple[Encoding, int]]:
    return [
        (encoding, rate)
        for encoding in Encoding
        for rate in RATES
        if encoding not in CODECS or not CODECS[encoding].rates_hz or rate in CODECS[encoding].rates_hz
    ]


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    if missing := [name for name in ("ffmpeg", "ffprobe") if not shutil.which(name)]:
        reason = f"no {' and no '.join(missing)} here: apt-get install ffmpeg"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def decode(encoding: Encoding, rate: int, samples: NDArray[np.float32]) -> Streamed:
    audio = streamed(encoding, rate, in_small_pieces(samples))
    expected = expected_of(encoding, rate, streamed(Encoding.LINEAR16, rate, [samples]))
    return Streamed(encoding, rate, audio, expected, ffmpeg(audio, encoding, rate))


@pytest.fixture(scope="module", params=cases(), ids=lambda case: f"{case[0].value}-{case[1]}")
def case(request: pytest.FixtureRequest) -> Streamed:
    return decode(*request.param, speech_like())


class TestStreams:
    """Each encoding at each rate."""

    def test_pieces_give_the_bytes_of_the_whole(self, case):
        assert case.audio == streamed(case.encoding, case.rate, [speech_like()])

    def test_it_lasts_as_long_to_one_frame(self, case):
        filled = len(case.decoded) - DELAY.get(case.encoding, 0) - len(case.expected)
        assert 0 <= filled < frame_samples(case.encoding, case.rate)

    def test_no_sample_is_early_or_late(self, case):
        lags = range(-40, 41)
        middle = case.expected[2000:-2000]
        alike = [np.dot(case.aligned[2000 + lag : 2000 + lag + len(middle)], middle) for lag in lags]
        assert abs(lags[int(np.argmax(alike))]) <= (2 if case.encoding is Encoding.OGG_OPUS else 0)

    def test_it_sounds_as_what_went_in(self, case):
        errors = np.abs(case.aligned - case.expected)
        if case.encoding in LOSSLESS:
            assert errors.max() == 0
        elif case.encoding in LAWS:  # half of one of 16 steps in an octave; FFmpeg's encoder takes 13 of 16 bits
            assert (errors <= (np.abs(case.expected) + LAW_BIAS) / 32 + 4 / 32_768).all()
        else:
            assert np.sqrt((errors**2).mean() / (case.expected**2).mean()) < LARGEST_ERROR

    def test_where_pieces_meet_nothing_is_heard(self, case):
        """Around the seams of the pieces, the error of a lossy encoding is what it is elsewhere."""
        near = np.zeros(len(case.expected), bool)
        seams = np.cumsum([len(piece) for piece in in_small_pieces(speech_like())])[:-1]
        for seam in seams * case.decoded_rate // VOICE_RATE:
            near[max(seam - case.decoded_rate // 500, 0) : seam + case.decoded_rate // 500] = True
        assert 0.05 < near.mean() < 0.5
        errors = np.abs(case.aligned - case.expected)
        assert np.quantile(errors[near], 0.99) <= 1.25 * np.quantile(errors[~near], 0.99)
        assert errors[near].max() <= 1.25 * errors[~near].max()

    def test_the_last_20_ms_are_there(self, case):
        tail = slice(-round(TONE_SECONDS * case.decoded_rate), None)
        heard, expected = case.aligned[tail], case.expected[tail]
        assert np.dot(heard, expected) / np.dot(expected, expected) > 0.8


@pytest.mark.parametrize("rate", RATES)
def test_linear16_is_the_samples_themselves(rate: int) -> None:
    """What the others are compared with: the samples, or what soxr makes of them all at once."""
    samples = speech_like()
    whole = samples if rate == VOICE_RATE else soxr.resample(samples, VOICE_RATE, rate, quality="HQ")
    pcm = np.frombuffer(streamed(Encoding.LINEAR16, rate, in_small_pieces(samples)), "<i2")
    assert len(pcm) == int(SECONDS * rate)
    np.testing.assert_allclose(pcm, whole[: len(pcm)] * 32_767, atol=0.51)


SHORT: Final = (1, 2, 300, 575, 576, 577, 1024, 1105, 1152, 2048, 4608, 5000, 9999)


@pytest.mark.parametrize("encoding", CODECS)
def test_short_streams_last_as_long_too(encoding: Encoding) -> None:
    """Lengths at which a last frame is just full, or would hold nothing of ours."""
    rate = CODECS[encoding].rate_for(VOICE_RATE)
    for length in SHORT:
        case = decode(encoding, rate, speech_like()[:length])
        filled = len(case.decoded) - DELAY.get(encoding, 0) - len(case.expected)
        frame = frame_samples(encoding, rate)
        assert 0 <= filled < (OPUS_RATE // VOICE_RATE + 1 if encoding is Encoding.OGG_OPUS else frame), length


@pytest.mark.parametrize("encoding", Encoding)
def test_the_embedded_voice(embedded, short_ids, encoding):
    """Speech by the engine, in the windows that a stream has."""
    samples = embedded.speak(embedded.utterance(short_ids))
    rate = VOICE_RATE if encoding not in CODECS else CODECS[encoding].rate_for(VOICE_RATE)
    windows = np.split(samples, range(21 * 256, len(samples), 43 * 256))
    audio = streamed(encoding, rate, windows)
    assert audio == streamed(encoding, rate, [samples])
    expected = expected_of(encoding, rate, streamed(Encoding.LINEAR16, rate, [samples]))
    decoded = Streamed(encoding, rate, audio, expected, ffmpeg(audio, encoding, rate)).aligned
    assert len(decoded) == len(expected)
    assert np.sqrt(((decoded - expected) ** 2).mean() / (expected**2).mean()) < LARGEST_ERROR


class TestWav:
    """Open lengths in a stream, exact ones in a whole reply."""

    def test_a_stream_leaves_its_lengths_open(self):
        audio = streamed(Encoding.WAV, VOICE_RATE, [speech_like()])
        assert struct.unpack_from("<4sI", audio) == (b"RIFF", 0xFFFFFFFF)
        assert struct.unpack_from("<4sI", audio, 36) == (b"data", 0xFFFFFFFF)

    def test_a_whole_reply_states_them(self, tmp_path):
        pcm = streamed(Encoding.LINEAR16, 8000, [speech_like()])
        audio = whole_file(pcm, encoding=Encoding.WAV, sample_rate_hz=8000)
        assert struct.unpack_from("<4sI", audio) == (b"RIFF", len(audio) - 8)
        assert struct.unpack_from("<4sI", audio, 36) == (b"data", len(pcm))
        (tmp_path / "whole.wav").write_bytes(audio)
        assert ffprobe_seconds(tmp_path / "whole.wav") == SECONDS
        assert (ffmpeg(audio, Encoding.WAV, 8000) == as_floats(pcm)).all()


@pytest.mark.parametrize("rate", [8000, 24_000, 48_000])
def test_an_opus_stream_tells_what_to_skip_and_where_it_ends(rate, tmp_path):
    """RFC 7845: pre-skip in the header, and a last granule position that counts it; so the length is exact."""
    audio = streamed(Encoding.OGG_OPUS, rate, in_small_pieces(speech_like()))
    (pre_skip,) = struct.unpack_from("<H", audio, audio.index(b"OpusHead") + 10)
    *_, last_page = re.finditer(rb"OggS\x00", audio)
    flags, granule = struct.unpack_from("<Bq", audio, last_page.end())
    assert pre_skip == 312
    assert flags & 0x04, "the end of the stream"
    assert granule == pre_skip + round(SECONDS * OPUS_RATE)
    (tmp_path / "speech.opus").write_bytes(audio)
    assert ffprobe_seconds(tmp_path / "speech.opus") == pytest.approx(SECONDS + pre_skip / OPUS_RATE, abs=1e-6)


def test_a_flac_stream_leaves_its_length_open():
    """RFC 9639, section 8.2: 0 samples in all stands for a number that is not known."""
    audio = streamed(Encoding.FLAC, VOICE_RATE, [speech_like()])
    assert audio[:4] == b"fLaC"
    streaminfo = audio[8 : 8 + 34]
    assert int.from_bytes(streaminfo[10:18]) & (2**36 - 1) == 0
    assert int.from_bytes(streaminfo[10:18]) >> 44 == VOICE_RATE


@pytest.mark.parametrize("rate", [8000, VOICE_RATE, 48_000])
def test_an_mp3_stream_tells_its_delay_in_a_frame_of_silence(rate):
    """LAME's tag: 576 samples of the encoder, to which a decoder adds its own 529."""
    audio = streamed(Encoding.MP3, rate, [speech_like()])
    tag = audio.index(b"LAME3.100")
    assert int.from_bytes(audio[tag + 21 : tag + 24]) >> 12 == 576
    second = audio.index(audio[:2], 4)
    assert audio[:2] == audio[second : second + 2]
    without = ffmpeg(audio[second:], Encoding.MP3, rate)
    assert len(without) == len(ffmpeg(audio, Encoding.MP3, rate)) + 1105
