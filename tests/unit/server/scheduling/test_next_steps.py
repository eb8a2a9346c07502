"""What each request would run next, and in which order requests are compared."""

import importlib.util
from pathlib import Path

import pytest

from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.next_steps import ready_requests
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)

utterance = fakes.utterance


@pytest.fixture
def slot() -> Slot:
    return fakes.slot_of(fakes.FrameEngine())


def test_requests_come_in_the_order_in_which_they_are_due(slot: Slot) -> None:
    states = [
        fakes.playing(fakes.a_state(slot, [utterance(100)], number=number), sent_seconds=seconds)
        for number, seconds in enumerate([3.0, 1.0, 2.0])
    ]
    ready = ready_requests(states)
    assert [(one.state.number, one.due) for one in ready] == [(1, 1.0), (2, 2.0), (0, 3.0)]
    assert all(one.is_playing for one in ready)


def test_a_request_without_an_open_utterance_is_not_ready(slot: Slot) -> None:
    assert ready_requests([fakes.a_state(slot, [utterance(100)])]) == []


def test_preparations_come_first_and_the_audio_of_the_first_utterance_can_be_had(slot: Slot) -> None:
    state = fakes.prepared(fakes.a_state(slot, [utterance(100), utterance(50)]))
    job = fakes.begin(state)
    [ready] = ready_requests([state])
    assert [(one.job, one.step.kind) for one in ready.preparations] == [(job, "prepare")]
    assert ready.first is ready.preparations[0]
    audio = ready.next_audio()
    assert audio is not None
    assert (audio.job, audio.step.kind) == (state.jobs[0], "render")


def test_a_unary_request_renders_nothing_before_all_of_it_is_prepared(slot: Slot) -> None:
    state = fakes.prepared(fakes.a_state(slot, [utterance(100), utterance(50)], is_unary=True))
    assert ready_requests([state]) == [], "its second utterance waits to be opened"
    fakes.begin(state)
    [ready] = ready_requests([state])
    assert (ready.first.step.kind, ready.next_audio()) == ("prepare", None)


def test_a_reader_that_does_not_read_gets_no_more_audio(slot: Slot) -> None:
    state = fakes.playing(fakes.a_state(slot, [utterance(100)]), sent_seconds=1.0)
    state.unread_steps = MAX_UNREAD_STEPS
    assert ready_requests([state]) == []
