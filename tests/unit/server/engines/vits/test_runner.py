"""Whole frames for durations: what speeds and rates by phoneme make of them."""

import math

import pytest
import torch
from torch import Tensor

from phonoscope.server.engines.vits.runner import frames_of

FRAMES = [3.0, 4.0, 5.0, 2.0, 6.0, 4.0]


def laid(
    speeds: list[float] | None = None, frames: list[float] | None = None, scale: float = 1.0, max_frames: int = 1000
) -> list[int]:
    """Lays one utterance out, of phonemes that last so many frames."""
    lasting = FRAMES if frames is None else frames
    asked = torch.tensor([speeds or [1.0] * len(lasting)])
    durations = torch.tensor([lasting]).sub(1e-3).log()  # rounded up, as VITS does
    (row,) = frames_of(durations, torch.tensor([[scale]]), asked, max_frames).tolist()
    return row


def test_at_speed_one_frames_are_those_of_vits() -> None:
    assert laid() == [3, 4, 5, 2, 6, 4]
    assert laid(frames=[0.2, 1.2, 2.0]) == [1, 2, 2]


def test_a_rate_of_some_phonemes_changes_these_alone() -> None:
    assert laid([1, 1, 0.5, 0.5, 1, 1]) == [3, 4, 10, 4, 6, 4]
    assert laid([1, 2, 1, 2, 2, 1]) == [3, 2, 5, 1, 3, 4]
    assert laid([0.25, 1, 1, 1, 1, 1]) == [12, 4, 5, 2, 6, 4]


def test_frames_are_whole_and_their_ends_stay_within_half_of_one() -> None:
    speeds = [1.3, 1.3, 0.7, 2.6, 1.0, 4.7]
    ends = torch.tensor(laid(speeds)).cumsum(0)
    wanted = (torch.tensor(FRAMES) / torch.tensor(speeds)).cumsum(0)
    assert (ends - wanted).abs().max() <= 0.5
    assert ends[-1] == round(float(wanted[-1]))


@pytest.mark.parametrize("speed", [0.5, 1.3, 2.0, 5.0])
def test_as_a_whole_it_lasts_as_long_as_the_speed_says(speed: float) -> None:
    frames = laid([speed] * 40, [2.0] * 40)
    assert sum(frames) == round(80 / speed)
    assert max(frames) - min(frames) <= 1


def test_however_fast_it_is_the_first_phoneme_sounds_and_none_ends_before_it_begins() -> None:
    frames = laid([5.0] * 4, [1.0] * 4)
    assert frames == [1, 0, 0, 0]
    assert sum(frames) >= 1


def test_the_voices_own_length_is_rounded_and_the_speed_is_not() -> None:
    assert laid(frames=[2.0, 2.0], scale=1.2) == [3, 3]
    assert laid([1 / 1.2, 1 / 1.2], [2.0, 2.0]) == [2, 3]


def test_the_longest_phoneme_is_bounded_before_the_speed_counts() -> None:
    assert laid(frames=[1e6, 2.0], max_frames=10) == [10, 2]
    assert laid([0.5, 1.0], [1e6, 2.0], max_frames=10) == [20, 2]
    assert laid([1.0, 1.0], [math.inf, 2.0], max_frames=10) == [10, 2]


def test_each_row_has_its_own_rates() -> None:
    durations = torch.tensor([[2.0, 3.0], [2.0, 3.0]]).sub(1e-3).log()
    speeds = torch.tensor([[1.0, 0.5], [2.0, 1.0]])
    frames: Tensor = frames_of(durations, torch.tensor([[1.0], [3.0]]), speeds, 1000)
    assert frames.tolist() == [[2, 6], [3, 9]]
    assert frames.dtype == torch.long
