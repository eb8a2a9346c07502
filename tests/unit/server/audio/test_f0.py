"""F0Tracker on sounds whose pitch is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.audio.f0 import F0Shape, F0Tracker, median_hz

RATES = (16_000, 22_050, 48_000)


def buzz(rate_hz: int, pitch_hz: float, seconds: float = 0.6) -> NDArray[np.float32]:
    """All harmonics below 4 kHz, falling as those of a voice do."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    tones = (np.sin(2 * np.pi * pitch_hz * n * t) / n for n in range(1, int(4000 / pitch_hz)))
    return (0.2 * sum(tones)).astype(np.float32)


def pitches(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """The pitch of each frame in hertz, 0 where there is none."""
    tracker = F0Tracker(F0Shape.of(rate_hz))
    tracker.track(samples, 0)
    periods = np.array(tracker.periods)
    return np.divide(rate_hz, periods, out=np.zeros(len(periods)), where=periods > 0)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch_hz", [65.0, 90.0, 123.4, 220.0, 311.0, 440.0])
def test_a_steady_pitch_is_found_within_half_a_percent(rate_hz: int, pitch_hz: float) -> None:
    found = pitches(buzz(rate_hz, pitch_hz), rate_hz)[5:-5]
    assert np.allclose(found, pitch_hz, rtol=0.005)


def test_a_glide_is_followed_without_a_jump_of_an_octave() -> None:
    rate_hz = 22_050
    t = np.arange(rate_hz) / rate_hz
    phase = 2 * np.pi * np.cumsum(80 * 2.0 ** (1.5 * t)) / rate_hz
    glide = (0.2 * sum(np.sin(n * phase) / n for n in range(1, 12))).astype(np.float32)
    found = pitches(glide, rate_hz)[5:-5]
    assert np.all(np.abs(np.diff(np.log2(found))) < 0.05)
    assert found[0] == pytest.approx(84, rel=0.05)
    assert found[-1] == pytest.approx(215, rel=0.05)


@pytest.mark.parametrize("kind", ["silence", "noise", "faint buzz"])
def test_what_has_no_voice_has_no_pitch(kind: str) -> None:
    samples = {
        "silence": np.zeros(10_000, np.float32),
        "noise": (0.1 * np.random.default_rng(1).standard_normal(22_050)).astype(np.float32),
        "faint buzz": buzz(22_050, 120.0) / 200,
    }[kind]
    assert np.mean(pitches(samples, 22_050) > 0) < 0.05


def test_frames_are_the_same_whatever_pieces_the_samples_come_in() -> None:
    shape, samples = F0Shape.of(22_050), buzz(22_050, 123.4)
    whole, pieces = F0Tracker(shape), F0Tracker(shape)
    whole.track(samples, 0)
    for stop in range(1000, len(samples) + 1, 77):
        pieces.track(samples[:stop], 0)
    assert len(pieces.periods) > 40
    assert pieces.periods == whole.periods[: len(pieces.periods)]


def test_the_median_is_of_what_is_voiced() -> None:
    silence = np.zeros(22_050, np.float32)
    assert median_hz(np.concatenate([silence, buzz(22_050, 123.4), silence]), 22_050) == pytest.approx(123.4, rel=0.01)
    assert median_hz(silence, 22_050) == 0.0
