"""Fader: the gain moves along a straight line to what is asked, whatever the chunks are."""

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.audio.shaping import RAMP_SECONDS, Fader

RATE_HZ = 10_000
RAMP = 100  # samples
HALF_DB = 20 * math.log10(0.5)


def ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, np.float32)


def line(start: float, stop: float, steps: int = RAMP) -> NDArray[np.float64]:
    """The gains of a ramp: the first has moved, the last has arrived."""
    return start + (stop - start) * np.arange(1, steps + 1) / steps


def changed_to(*gains_db: float) -> Fader:
    fader = Fader(RATE_HZ)
    for gain_db in gains_db:
        fader.set_gain(gain_db)
    return fader


def test_untouched_samples_are_the_same_samples() -> None:
    samples = ones(10)
    assert Fader(RATE_HZ).feed(samples) is samples
    assert changed_to(0.0).feed(samples) is samples


@pytest.mark.parametrize(("gain_db", "gain"), [(HALF_DB, 0.5), (6.0206, 2.0), (-20.0, 0.1), (-math.inf, 0.0)])
def test_a_gain_is_reached_along_a_line_and_kept(gain_db: float, gain: float) -> None:
    assert pytest.approx(0.01) == RAMP_SECONDS
    fader = changed_to(gain_db)
    heard = fader.feed(ones(300))
    assert heard == pytest.approx(np.concatenate([line(1.0, gain), np.full(200, gain)]), abs=1e-5)
    assert fader.feed(ones(5)) == pytest.approx(np.full(5, gain), abs=1e-5)
    assert heard.dtype == np.float32


def test_samples_are_multiplied_and_the_callers_stay() -> None:
    samples = np.linspace(-1, 1, 300, dtype=np.float32)
    before = samples.copy()
    assert changed_to(HALF_DB).feed(samples)[RAMP:] == pytest.approx(samples[RAMP:] / 2)
    assert np.array_equal(samples, before)


def test_the_same_gain_again_begins_no_new_line() -> None:
    fader = changed_to(HALF_DB)
    heard = [fader.feed(ones(30))]
    for _ in range(9):
        fader.set_gain(HALF_DB)
        heard.append(fader.feed(ones(30)))
    assert np.concatenate(heard) == pytest.approx(np.concatenate([line(1.0, 0.5), np.full(200, 0.5)]), abs=1e-5)


def test_a_change_of_gain_under_way_continues_from_where_it_is() -> None:
    fader = changed_to(-math.inf)
    assert fader.feed(ones(25))[-1] == pytest.approx(0.75)
    fader.set_gain(6.0206)
    assert fader.feed(ones(50)) == pytest.approx(line(0.75, 2.0)[:50], abs=1e-4)
    fader.set_gain(0.0)
    assert fader.feed(ones(150)) == pytest.approx(np.concatenate([line(1.375, 1.0), ones(50)]), abs=1e-4)


def test_turns_without_a_sample_between_them_are_one() -> None:
    assert changed_to(-math.inf, 6.0, HALF_DB).feed(ones(200)) == pytest.approx(changed_to(HALF_DB).feed(ones(200)))
    assert changed_to(-math.inf, 0.0).feed(ones(200)) == pytest.approx(ones(200))


def test_back_at_one_nothing_is_touched_any_more() -> None:
    fader = changed_to(HALF_DB)
    fader.feed(ones(RAMP))
    fader.set_gain(0.0)
    assert fader.feed(ones(RAMP)) == pytest.approx(line(0.5, 1.0))
    samples = ones(10)
    assert fader.feed(samples) is samples


@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_chunks_of_any_size_give_the_same(chunk: int) -> None:
    samples = np.random.default_rng(1).standard_normal(450).astype(np.float32)
    gains = {0: -6.0, 130: 3.0, 160: -math.inf, 300: 0.0}

    def faded(size: int) -> NDArray[np.float32]:
        fader, parts = Fader(RATE_HZ), []
        edges = sorted({*range(0, 450, size), *gains, 450})
        for start, stop in pairwise(edges):
            if start in gains:
                fader.set_gain(gains[start])
            parts.append(fader.feed(samples[start:stop]))
        return np.concatenate(parts)

    assert faded(chunk) == pytest.approx(faded(450), abs=1e-6)


def test_no_samples_move_nothing() -> None:
    fader = changed_to(HALF_DB)
    assert len(fader.feed(ones(0))) == 0
    assert fader.feed(ones(RAMP)) == pytest.approx(line(1.0, 0.5))


def test_a_line_lasts_a_sample_at_least() -> None:
    fader = Fader(1)
    fader.set_gain(HALF_DB)
    assert fader.feed(ones(2)) == pytest.approx([0.5, 0.5])
