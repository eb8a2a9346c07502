"""PitchShifter: the pitch moves as asked, duration and formants stay, chunks of any size give the same."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.audio.psola import PitchShifter

RATE_HZ = 22_050
PITCH_HZ = 120.0
FORMANT_HZ = 700.0


def vowel(seconds: float = 1.0, pitch_hz: float = PITCH_HZ) -> NDArray[np.float32]:
    """A pulse a period through one resonance: a voice with one formant, and its harmonics."""
    length = round(RATE_HZ * seconds)
    ringing = np.arange(round(RATE_HZ * 0.02)) / RATE_HZ
    formant = np.exp(-2 * np.pi * 60 * ringing) * np.sin(2 * np.pi * FORMANT_HZ * ringing)
    pulses = np.zeros(length)
    pulses[(np.arange(0, seconds, 1 / pitch_hz) * RATE_HZ).astype(int)] = 1.0
    return (0.3 * np.convolve(pulses, formant)[:length]).astype(np.float32)


def shifted(samples: NDArray[np.float32], ratio: float, chunk: int = 5000) -> NDArray[np.float32]:
    shifter = PitchShifter(RATE_HZ, ratio)
    parts = [shifter.feed(samples[start : start + chunk]) for start in range(0, len(samples), chunk)]
    return np.concatenate([*parts, shifter.flush()])


def pitch_of(samples: NDArray[np.float32]) -> float:
    """The distance of the harmonics: the strongest peak of the power spectrum's own spectrum."""
    middle = samples[len(samples) // 4 : -len(samples) // 4] * np.hanning(len(samples) // 2)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(middle, 1 << 16)) ** 2)
    shortest, longest = RATE_HZ // 400, RATE_HZ // 50
    return RATE_HZ / (shortest + int(np.argmax(correlation[shortest:longest])))


def formant_of(samples: NDArray[np.float32]) -> float:
    """The centre of the power between 300 and 1400 Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    near = (hertz > 300) & (hertz < 1400)
    return float(np.sum(hertz[near] * power[near]) / np.sum(power[near]))


@pytest.mark.parametrize("ratio", [0.5, 0.7, 0.9, 1.1, 1.4, 2.0])
def test_the_pitch_moves_and_duration_and_formant_stay(ratio: float) -> None:
    samples = vowel()
    out = shifted(samples, ratio)
    assert len(out) == len(samples)
    assert pitch_of(out) == pytest.approx(ratio * pitch_of(samples), rel=0.02)
    assert formant_of(out) == pytest.approx(formant_of(samples), rel=0.06)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.2)


@pytest.mark.parametrize(("spread", "asked"), [(0.5, 0.5), (1.0, 1.0), (1.5, 1.5)])
def test_a_range_moves_the_pitch_from_its_centre_or_to_it(spread: float, asked: float) -> None:
    """Two vowels, half an octave apart around the centre."""
    for octaves in (-0.25, 0.25):
        samples = vowel(0.6, PITCH_HZ * 2**octaves)
        shifter = PitchShifter(RATE_HZ, 1.0, spread, PITCH_HZ)
        out = np.concatenate([shifter.feed(samples), shifter.flush()])
        assert np.log2(pitch_of(out) / PITCH_HZ) == pytest.approx(asked * octaves, abs=0.03)


@pytest.mark.parametrize("chunk", [1, 333, 4410, 100_000])
def test_chunks_of_any_size_give_the_same(chunk: int) -> None:
    silence = np.zeros(3000, np.float32)
    hiss = (0.05 * np.random.default_rng(2).standard_normal(4000)).astype(np.float32)
    samples = np.concatenate([vowel(0.3), hiss, silence, vowel(0.2, 200.0)])
    assert np.array_equal(shifted(samples, 1.3, chunk), shifted(samples, 1.3, 2048))


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_chunks_of_any_size_give_the_same_at_the_lowest_pitch_too(ratio: float) -> None:
    samples = np.concatenate([vowel(0.4, 61.0), np.zeros(500, np.float32), vowel(0.4, 63.0)])
    whole = shifted(samples, ratio, 10**6)
    assert all(np.array_equal(shifted(samples, ratio, chunk), whole) for chunk in (1, 37, 400, 2048))


Changes = dict[int, tuple[float, ...]]


def changing(samples: NDArray[np.float32], changes: Changes, chunk: int = 5000) -> NDArray[np.float32]:
    """Chunks end where a change is, besides."""
    shifter, parts = PitchShifter(RATE_HZ, 1.0), []
    for start, stop in pairwise(sorted({*range(0, len(samples), chunk), *changes, len(samples)})):
        if start in changes:
            shifter.set_pitch(*changes[start])
        parts.append(shifter.feed(samples[start:stop]))
    return np.concatenate([*parts, shifter.flush()])


def test_after_a_turn_the_pitch_is_another_and_before_it_it_is_not() -> None:
    samples = vowel(1.2)
    middle = len(samples) // 2
    out = changing(samples, {0: (1.5,), middle: (0.8,)})
    assert len(out) == len(samples)
    assert pitch_of(out[: middle - 500]) == pytest.approx(1.5 * PITCH_HZ, rel=0.02)
    assert pitch_of(out[middle + 500 :]) == pytest.approx(0.8 * PITCH_HZ, rel=0.02)
    beginning = shifted(samples, 1.5)
    assert np.array_equal(out[: middle - 500], beginning[: middle - 500]), "nothing ahead is heard early"


def test_a_turn_to_a_range_needs_a_centre_and_a_turn_back_ends_it() -> None:
    samples = vowel(1.8, PITCH_HZ * 2**0.25)
    third = len(samples) // 3
    out = changing(samples, {0: (1.0, 2.0, PITCH_HZ), third: (1.2, 2.0, 0.0), 2 * third: (0.8, 1.0, PITCH_HZ)})
    heard = [pitch_of(out[start + 500 : start + third - 500]) for start in (0, third, 2 * third)]
    own = PITCH_HZ * 2**0.25
    assert heard == pytest.approx([PITCH_HZ * 2**0.5, 1.2 * own, 0.8 * own], rel=0.025)


def test_a_range_and_a_ratio_together_have_limits() -> None:
    samples = vowel(0.6, 150.0)
    assert pitch_of(changing(samples, {0: (1.5, 2.0, 75.0)})) == pytest.approx(2.5 * 150.0, rel=0.02)
    assert pitch_of(changing(samples, {0: (0.7, 2.0, 300.0)})) == pytest.approx(0.4 * 150.0, rel=0.02)


CHANGES: Changes = {0: (1.2,), 3_000: (0.7,), 3_001: (1.9,), 7_000: (1.0, 1.6, 100.0), 12_345: (1.0,), 13_000: (0.9,)}


@pytest.mark.parametrize("chunk", [1, 333, 4410])
def test_turns_within_a_stream_give_the_same_whatever_the_chunks(chunk: int) -> None:
    silence = np.zeros(1500, np.float32)
    samples = np.concatenate([vowel(0.3), silence, vowel(0.213, 190.0), vowel(0.21, 71.0)])
    assert np.array_equal(changing(samples, CHANGES, chunk), changing(samples, CHANGES, 10**6))


def test_a_turn_to_what_is_already_so_changes_nothing() -> None:
    samples = vowel(0.5)
    often = changing(samples, dict.fromkeys(range(0, len(samples), 100), (1.3,)))
    assert np.array_equal(often, shifted(samples, 1.3))


def test_of_turns_without_a_sample_between_them_the_last_counts() -> None:
    samples = vowel(0.5)
    shifter = PitchShifter(RATE_HZ, 1.3)
    for ratio in (1.9, 0.6, 1.3):
        shifter.set_pitch(ratio)
    assert np.array_equal(np.concatenate([shifter.feed(samples), shifter.flush()]), shifted(samples, 1.3))


def test_many_turns_are_not_kept() -> None:
    shifter = PitchShifter(RATE_HZ, 1.0)
    for number in range(200):
        for _ in range(20):
            shifter.set_pitch(1.0 + 0.1 * (number % 3))
        shifter.feed(vowel(0.05))
    assert len(shifter._changes) < 10


def test_unvoiced_samples_do_not_change() -> None:
    hiss = np.diff(0.05 * np.random.default_rng(2).standard_normal(20_000), 3).astype(np.float32)  # as of an s
    out = shifted(hiss, 1.4)
    assert np.allclose(out[200:-200], hiss[200:-200], atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 50, 300, 2000])
def test_streams_shorter_than_what_a_decision_needs_come_out_whole(length: int) -> None:
    out = shifted(vowel()[:length], 0.8)
    assert len(out) == length
    assert np.isfinite(out).all()


def test_little_is_held_back_and_little_is_kept() -> None:
    shifter = PitchShifter(RATE_HZ, 1.2)
    given = 0
    for _ in range(40):
        given += len(shifter.feed(vowel(0.5)))
    assert 40 * 0.5 * RATE_HZ - given < 0.12 * RATE_HZ
    assert len(shifter._input) < 0.8 * RATE_HZ
    assert len(shifter._marks) < 200
