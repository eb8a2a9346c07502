"""Timeline: how long streams that play can do without the engine, and who may go first."""

import importlib.util
import math
from pathlib import Path

import pytest

from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.timeline import SAFETY, Timeline, UpcomingAudio, Work

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


FRAME_SECONDS = fakes.FRAME_SECONDS
NOW = 50.0


def a_slot(*, render_batch: int = 1, fixed_seconds: float = 0.0, **costs: float) -> Slot:
    """An engine that takes 1 ms a frame and 20 ms for 40 phonemes."""
    cost = fakes.teach(CostModel(), fixed_seconds=fixed_seconds, prepare_cost=40.0, now=NOW, **costs)
    return fakes.slot_of(fakes.FrameEngine(render_batch=render_batch), cost)


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(NOW)


@pytest.fixture
def slot() -> Slot:
    return a_slot()


def playing(slot: Slot, slack_seconds: float, frames: int = 16) -> UpcomingAudio:
    return UpcomingAudio((Work(slot, "render", frames),), slot, due=NOW + slack_seconds)


def starting(slot: Slot, frames: int = 16, *, plays: bool = True) -> UpcomingAudio:
    work = (Work(slot, "prepare", 40.0), Work(slot, "render", frames))
    return UpcomingAudio(work, slot, plays_seconds=frames * FRAME_SECONDS if plays else 0.0)


def test_without_streams_that_play_there_is_all_the_time(timeline: Timeline, slot: Slot) -> None:
    assert timeline.spare_seconds([]) == math.inf
    assert timeline.room_for([starting(slot, plays=False)] * 9, []) == 9


def test_the_spare_time_is_what_the_tightest_stream_leaves_after_those_before_it(
    timeline: Timeline, slot: Slot
) -> None:
    tight, tighter = playing(slot, 1.0), playing(slot, 0.5)
    assert timeline.spare_seconds([tight]) == pytest.approx(1.0 - SAFETY * 0.016)
    assert timeline.spare_seconds([tight, tighter]) == pytest.approx(0.5 - SAFETY * 0.016)
    assert timeline.spare_seconds([tighter, tighter]) == pytest.approx(0.5 - SAFETY * 0.032)
    unprepared = UpcomingAudio(starting(slot).work, slot, due=NOW + 1.0)
    assert timeline.spare_seconds([unprepared]) == pytest.approx(1.0 - SAFETY * 0.036)


def test_a_stream_that_is_dry_already_takes_its_turn_but_is_not_waited_for(timeline: Timeline, slot: Slot) -> None:
    assert timeline.spare_seconds([playing(slot, -3.0)]) == math.inf
    assert timeline.spare_seconds([playing(slot, -3.0), playing(slot, 0.5)]) == pytest.approx(0.5 - SAFETY * 0.032)


def test_others_go_first_as_far_as_the_spare_time_reaches(timeline: Timeline, slot: Slot) -> None:
    assert timeline.room_for([starting(slot)] * 5, [playing(slot, 0.2)]) == 2  # 36 ms each, with safety 72
    assert timeline.room_for([starting(slot)] * 5, [playing(slot, 0.02)]) == 0


def test_one_that_begins_must_get_its_second_step_too(timeline: Timeline, slot: Slot) -> None:
    busy = [playing(slot, 0.4 + 0.1 * number) for number in range(10)]
    assert timeline.room_for([starting(slot)], busy) == 0
    assert timeline.room_for([starting(slot, plays=False)], busy) == 1
    assert timeline.room_for([starting(slot)], [playing(slot, 5.0) for _ in range(5)]) == 1


def test_one_that_begins_makes_the_round_longer_by_its_own_step(timeline: Timeline) -> None:
    slow = a_slot(fixed_seconds=0.04)
    # 186 ms of first audio last until 104 ms for a second step of 64 frames are over, not until 168 ms for 128.
    assert timeline.room_for([starting(slow)], [playing(slow, 50.0) for _ in range(4)]) == 1
    assert timeline.room_for([starting(slow)], [playing(slow, 50.0) for _ in range(5)]) == 0


def test_a_round_is_over_before_its_first_step_is_played(timeline: Timeline) -> None:
    slow = a_slot(fixed_seconds=0.04)
    rounds = [timeline.round_seconds(slow, {slow: streams}) / FRAME_SECONDS for streams in (1, 4, 5, 8, 100)]
    assert rounds == pytest.approx([16, 32, 64, 128, 128])


def test_steps_that_share_a_batch_share_what_a_batch_costs(timeline: Timeline) -> None:
    alone, together = a_slot(fixed_seconds=0.04), a_slot(fixed_seconds=0.04, render_batch=8)
    for slot, seconds in ((alone, 8 * 0.056), (together, 0.04 + 8 * 0.016)):
        spare_seconds = timeline.spare_seconds([playing(slot, 1.0) for _ in range(8)])
        assert spare_seconds == pytest.approx(1.0 - SAFETY * seconds)


def test_streams_of_all_engines_count_in_a_round_and_share_no_batch(timeline: Timeline) -> None:
    one, other = (a_slot(fixed_seconds=0.04, render_batch=8) for _ in range(2))
    assert timeline.round_seconds(one, {one: 2}) == pytest.approx(16 * FRAME_SECONDS)  # 72 ms, and plays 186 ms
    assert timeline.round_seconds(one, {one: 2, other: 2}) == pytest.approx(16 * FRAME_SECONDS)  # 144 ms
    assert timeline.round_seconds(one, {one: 2, other: 4}) == pytest.approx(32 * FRAME_SECONDS)  # 176 ms
    both = [playing(one, 1.0), playing(other, 1.0)]
    assert timeline.spare_seconds(both) == pytest.approx(1.0 - SAFETY * 2 * 0.056)


def test_an_engine_that_decides_how_much_a_step_makes_has_no_round(timeline: Timeline) -> None:
    decoder = fakes.slot_of(fakes.TokenEngine())
    assert timeline.round_seconds(decoder, {decoder: 3}) == 0.0


def test_while_nothing_is_known_all_others_may_go_first(timeline: Timeline) -> None:
    slot = fakes.slot_of(fakes.FrameEngine())
    assert Timeline(NOW).audio_work(slot, 1.0) == []
    assert timeline.round_seconds(slot, {slot: 9}) == slot.tuning.audio_seconds[0]
    assert timeline.room_for([starting(slot)] * 5, [playing(slot, 0.02)]) == 5


def test_the_work_of_audio_is_what_it_was_on_average(slot: Slot) -> None:
    [work] = Timeline(NOW).audio_work(slot, 100 * FRAME_SECONDS)
    assert (work.slot, work.kind, work.cost) == (slot, "render", pytest.approx(100))
