"""Lane and Slot: which engine speaks with a voice, and what is known of it."""

import importlib.util
from pathlib import Path

import pytest

from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.lane import Lane

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


NOW = 5.0


def test_a_voice_is_spoken_by_the_engine_that_has_it() -> None:
    one, other = fakes.FrameEngine(voices=("a", "b")), fakes.TokenEngine(voices=("t",))
    lane = Lane([one, other])
    assert [slot.engine for slot in lane] == [one, other]
    assert [lane.of_voice(voice).engine for voice in ("a", "b", "t")] == [one, one, other]
    assert lane.sample_rate_hz("t") == fakes.RATE_HZ
    with pytest.raises(KeyError):
        lane.of_voice("unheard-of")


def test_a_voice_that_two_engines_have_is_refused() -> None:
    with pytest.raises(ValueError, match="voice 'b' is loaded twice"):
        Lane([fakes.FrameEngine(voices=("a", "b")), fakes.TokenEngine(voices=("b",))])


def test_two_engines_of_one_name_are_refused_since_metrics_tell_them_apart_by_it() -> None:
    engines = [fakes.FrameEngine(voices=["a"]), fakes.FrameEngine(voices=["b"])]
    with pytest.raises(ValueError, match="two engines of one name"):
        Lane(engines)


def test_a_lane_without_engines_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one engine"):
        Lane([])


def test_an_engine_has_room_while_fewer_jobs_are_open_than_it_allows() -> None:
    limited, unlimited = fakes.slot_of(fakes.TokenEngine(max_jobs=2)), fakes.slot_of(fakes.TokenEngine())
    has_room = []
    for open_jobs in (0, 1, 2):
        limited.open_jobs = unlimited.open_jobs = open_jobs
        has_room.append((limited.has_room, unlimited.has_room))
    assert has_room == [(True, True), (True, True), (False, True)]


def test_a_kind_of_step_of_which_the_tuning_is_silent_runs_alone() -> None:
    slot = fakes.slot_of(fakes.FrameEngine(prepare_batch=4, render_batch=3))
    assert [slot.max_batch(kind) for kind in ("prepare", "render", "unheard of")] == [4, 3, 1]


def test_the_first_step_is_the_shortest_that_the_engine_does_well() -> None:
    assert fakes.slot_of(fakes.FrameEngine()).first_step_seconds == 16 * fakes.FRAME_SECONDS
    assert fakes.slot_of(fakes.TokenEngine()).first_step_seconds == 0.0


def test_estimates_of_each_engine_are_reported_once_known() -> None:
    lane = Lane([fakes.FrameEngine(name="quick"), fakes.FrameEngine(name="slow", voices=("c",))])
    quick, slow = lane
    assert (lane.estimates(NOW), quick.estimates(NOW), quick.first_audio_seconds(NOW)) == ({}, None, 0.0)
    fakes.teach(quick.cost, prepare_seconds=0.02, now=NOW)
    assert list(lane.estimates(NOW)) == ["quick"]
    assert quick.first_audio_seconds(NOW) == pytest.approx(0.036)
    fakes.teach(slow.cost, prepare_seconds=0.2, now=NOW)
    firsts = {name: one.first_audio_seconds for name, one in lane.estimates(NOW).items()}
    assert firsts == {"quick": pytest.approx(0.036), "slow": pytest.approx(0.216)}


def test_every_engine_learns_by_itself() -> None:
    one, other = Lane([fakes.FrameEngine(), fakes.TokenEngine()])
    assert isinstance(one.cost, CostModel)
    assert one.cost is not other.cost
