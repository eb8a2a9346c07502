"""Limiter: no true peak above the ceiling, nothing changed below it, nothing lost, no click."""

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from phonoscope.server.audio.limiter import Limiter

RATE_HZ = 22_050


def limited(samples: NDArray[np.float32], chunk: int = 4000, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    limiter = Limiter(rate_hz)
    parts = [limiter.feed(samples[start : start + chunk]) for start in range(0, len(samples), chunk)]
    return np.concatenate([*parts, limiter.flush()])


def true_peak(samples: NDArray[np.float32]) -> float:
    """Of the waveform between the samples, by a resampler that is not ours, eight times as fine."""
    return float(np.abs(soxr.resample(samples.astype(np.float64), 1, 8, "VHQ")).max())


def tone(hertz: float, level: float, seconds: float = 0.3) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(RATE_HZ * seconds)) / RATE_HZ + 0.7)).astype(np.float32)


def speechlike() -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(RATE_HZ) / RATE_HZ)
    return (np.convolve(rng.standard_normal(RATE_HZ), np.hanning(9), "same") * swell * 0.5).astype(np.float32)


@pytest.mark.parametrize("hertz", [80.0, 440.0, RATE_HZ / 4, 5000.0])
@pytest.mark.parametrize("level", [1.2, 4.0, 6.3])
def test_no_true_peak_passes_the_ceiling(hertz: float, level: float) -> None:
    out = limited(tone(hertz, level))
    assert true_peak(out) < 1.0
    assert np.abs(out).max() <= 10 ** (-1 / 20) * 1.001


def test_peaks_of_speech_stay_below_full_scale_between_samples_too() -> None:
    samples = speechlike()
    assert true_peak(samples) > 2
    assert true_peak(limited(samples)) < 1.0


def test_what_is_below_the_ceiling_is_not_touched() -> None:
    samples = tone(440.0, 0.5)
    assert np.array_equal(limited(samples), samples)


def test_the_gain_moves_smoothly_and_only_near_a_peak() -> None:
    samples = tone(440.0, 0.5)
    samples[3000] = 3.0
    out = limited(samples)
    gain = out[np.abs(samples) > 0.05] / samples[np.abs(samples) > 0.05]
    assert np.abs(np.diff(gain)).max() < 0.03
    far = np.abs(np.arange(len(samples)) - 3000) > 0.022 * RATE_HZ
    assert np.array_equal(out[far], samples[far])


@pytest.mark.parametrize("chunk", [1, 100, 1234, 10**6])
def test_chunks_of_any_size_give_the_same(chunk: int) -> None:
    samples = speechlike()[:8000]
    assert np.array_equal(limited(samples, chunk), limited(samples, 997))


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 48_000])
@pytest.mark.parametrize("length", [0, 1, 5, 1000])
def test_as_many_samples_come_out_as_went_in(rate_hz: int, length: int) -> None:
    assert len(limited(np.ones(length, np.float32), rate_hz=rate_hz)) == length
