"""Resampler: pieces equal the whole, lengths are exact, the sound stays what it was."""

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from phonoscope.server.audio.resample import Resampler, resampled_length

RATES = [(22050, 48000), (22050, 8000), (16000, 24000), (22050, 16000), (48000, 44100)]


def noise(samples: int) -> NDArray[np.float32]:
    return (np.random.default_rng(7).standard_normal(samples) * 0.2).astype(np.float32)


def resample(samples: NDArray[np.float32], source: int, target: int, piece: int) -> NDArray[np.float32]:
    resampler = Resampler(source_rate_hz=source, target_rate_hz=target)
    pieces = [resampler.feed(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("piece", [1, 256, 4999])
def test_pieces_concatenate_to_the_whole(source: int, target: int, piece: int) -> None:
    samples = noise(9000)
    whole = soxr.resample(samples, source, target, quality="HQ")
    pieces = resample(samples, source, target, piece)
    assert len(pieces) > 0
    np.testing.assert_allclose(pieces, whole[: len(pieces)], atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [*RATES, (48000, 22050)])
@pytest.mark.parametrize("samples", [0, 1, 2, 255, 22050, 49440])
def test_the_length_is_the_duration_in_whole_samples(source: int, target: int, samples: int) -> None:
    expected = int(samples * target / source)
    assert len(resample(noise(samples), source, target, 5000)) == expected
    assert resampled_length(samples, source_rate_hz=source, target_rate_hz=target) == expected


def test_equal_rates_pass_through_untouched() -> None:
    samples = noise(1000)
    resampler = Resampler(source_rate_hz=22050, target_rate_hz=22050)
    assert resampler.feed(samples) is samples
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("target", [16000, 48000])
def test_a_tone_keeps_its_pitch_and_level(target: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050).astype(np.float32)
    resampled = resample(tone, 22050, target, 256)
    expected = np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    inner = slice(target // 10, -target // 10)  # the ends ring, for the tone starts and stops at once
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=1e-3)


def test_what_a_lower_rate_cannot_hold_is_removed() -> None:
    tone = np.sin(2 * np.pi * 6000 * np.arange(22050) / 22050).astype(np.float32)
    resampled = resample(tone, 22050, 8000, 256)
    assert np.abs(resampled[800:-800]).max() < 1e-3
