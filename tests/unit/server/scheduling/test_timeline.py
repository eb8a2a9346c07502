"""Timeline: how long streams that play can do without the engine, and who may go first."""

import math

import pytest

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.timeline import SAFETY, Step, Timeline
from phonoscope.server.types import Utterance

RATE_HZ = 22_050
PLAN = Plan("a", 1000, 256, RATE_HZ, (1000,))
FRAME_SECONDS = 256 / RATE_HZ
NOW = 50.0
ONE_BY_ONE = Tuning(4, 1, 16, 128)


def timeline(tuning: Tuning = ONE_BY_ONE, *, fixed_seconds: float = 0.0) -> Timeline:
    """An engine that takes 1 ms a frame and 20 ms for 40 phonemes."""
    cost = CostModel()
    for frames in (16, 32, 64, 128) * 4:
        cost.prepared(0.02, [Utterance("a", (1,) * 40, 0, 1.0, 0.0, 0.0, seed=0)], [PLAN], NOW)
        cost.rendered(fixed_seconds + 0.001 * frames, [Window(PLAN, 0, frames)], NOW)
    return Timeline(tuning, cost, NOW)


def playing(slack_seconds: float, frames: int = 16) -> Step:
    return Step(frames, due=NOW + slack_seconds)


def new(frames: int = 16) -> Step:
    return Step(frames, 1, 40, plays_seconds=frames * FRAME_SECONDS)


def test_without_streams_that_sound_there_is_all_the_time() -> None:
    assert timeline().spare_seconds([]) == math.inf
    assert timeline().room_for([Step(16, 1, 40)] * 9, []) == 9


def test_the_spare_time_is_what_the_tightest_stream_leaves_after_those_before_it() -> None:
    assert timeline().spare_seconds([playing(1.0)]) == pytest.approx(1.0 - SAFETY * 0.016)
    assert timeline().spare_seconds([playing(1.0), playing(0.5)]) == pytest.approx(0.5 - SAFETY * 0.016)
    assert timeline().spare_seconds([playing(0.5), playing(0.5)]) == pytest.approx(0.5 - SAFETY * 0.032)
    assert timeline().spare_seconds([Step(16, 1, 40, due=NOW + 1.0)]) == pytest.approx(1.0 - SAFETY * 0.036)


def test_a_stream_that_is_dry_already_takes_its_turn_but_is_not_waited_for() -> None:
    assert timeline().spare_seconds([playing(-3.0)]) == math.inf
    assert timeline().spare_seconds([playing(-3.0), playing(0.5)]) == pytest.approx(0.5 - SAFETY * 0.032)


def test_others_go_first_as_far_as_the_spare_time_reaches() -> None:
    streams = [playing(0.2)]
    assert timeline().room_for([new()] * 5, streams) == 2  # 36 ms each, with safety 72
    assert timeline().room_for([new()] * 5, [playing(0.02)]) == 0


def test_one_that_begins_must_get_its_second_window_too() -> None:
    busy = [playing(0.4 + 0.1 * number) for number in range(10)]
    assert timeline().room_for([new()], busy) == 0
    assert timeline().room_for([Step(16, 1, 40)], busy) == 1
    comfortable = [playing(5.0) for _ in range(5)]
    assert timeline().room_for([new()], comfortable) == 1


def test_a_round_is_over_before_its_first_window_is_played() -> None:
    slow = timeline(fixed_seconds=0.04)
    assert [slow.round_frames(streams) for streams in (1, 4, 5, 8, 100)] == [16, 32, 64, 128, 128]


def test_windows_that_share_a_batch_share_what_a_turn_costs() -> None:
    alone, together = timeline(fixed_seconds=0.04), timeline(Tuning(4, 8, 16, 128), fixed_seconds=0.04)
    streams = [playing(1.0) for _ in range(8)]
    assert alone.spare_seconds(streams) == pytest.approx(1.0 - SAFETY * 8 * 0.056)
    assert together.spare_seconds(streams) == pytest.approx(1.0 - SAFETY * (0.04 + 8 * 0.016))
