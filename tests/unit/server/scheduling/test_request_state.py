"""RequestState: when a request is due, what is owed to it, and what its reader has."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from phonoscope.server.engines.base import NO_SAMPLES, Step, StepResult
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.request_state import MAX_UNREAD_SECONDS, MAX_UNREAD_STEPS, OpenJob, RequestState

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


a_state, prepared, utterance = fakes.a_state, fakes.prepared, fakes.utterance
FRAME_SECONDS = fakes.FRAME_SECONDS
FIRST_SECONDS = 0.2


@pytest.fixture
def slot() -> Slot:
    return fakes.slot_of(fakes.FrameEngine())


def playing(slot: Slot, *, sent_seconds: float) -> RequestState:
    return fakes.playing(a_state(slot, [utterance(10_000)]), sent_seconds=sent_seconds)


def samples(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * fakes.RATE_HZ), np.float32)


# --- when it is due --------------------------------------------------------------------------------------------


def test_a_stream_is_due_when_what_it_sent_has_been_played(slot: Slot) -> None:
    state = prepared(a_state(slot, [utterance(40)], entered=1.0, first_audio_seconds=FIRST_SECONDS))
    assert state.due == 1.0 + FIRST_SECONDS
    assert (state.is_starting, state.is_playing) == (True, False)
    state.deliver(0.5, now=5.0)
    assert state.due == pytest.approx(5.5)
    assert (state.is_starting, state.is_playing) == (False, True)
    state.deliver(0.25, now=5.1)
    assert state.due == pytest.approx(5.75), "a player that is fed in time goes on without a gap"


@pytest.mark.parametrize(("deadline", "due"), [(None, 70.0), (20.0, 15.0), (3610.0, 70.0)])
def test_a_unary_request_is_due_while_there_is_time_to_make_it(slot: Slot, deadline: float | None, due: float) -> None:
    state = a_state(slot, entered=10.0, deadline=deadline, is_unary=True)
    assert state.due == due
    state.deliver(1.0, now=11.0)
    assert (state.due, state.is_starting, state.is_playing) == (due, False, False)


# --- what its reader has ---------------------------------------------------------------------------------------


def test_what_is_delivered_and_acknowledged_is_counted_in_seconds(slot: Slot) -> None:
    state = prepared(a_state(slot, [utterance(10_000)]))
    state.deliver(0.1, now=0.0)
    state.deliver(0.2, now=0.0)
    assert (state.unread_steps, state.unread_seconds) == (2, pytest.approx(0.3))
    state.acknowledge(0.1, now=0.0)
    assert (state.unread_steps, state.unread_seconds) == (1, pytest.approx(0.2))
    state.acknowledge(0.2, now=0.0)
    assert (state.unread_steps, state.unread_seconds, state.sent_seconds) == (0, 0.0, pytest.approx(0.3))


@pytest.mark.parametrize(
    ("steps", "seconds", "is_backpressured"),
    [
        (MAX_UNREAD_STEPS - 1, 0.1, False),
        (MAX_UNREAD_STEPS, 0.1, True),
        (1, MAX_UNREAD_SECONDS - 0.01, False),
        (1, MAX_UNREAD_SECONDS, True),
    ],
)
def test_a_reader_may_leave_so_many_steps_and_so_much_audio(
    slot: Slot, steps: int, seconds: float, is_backpressured: bool
) -> None:
    state = playing(slot, sent_seconds=10.0)
    state.owed_seconds, state.unread_steps, state.unread_seconds = 100.0, steps, seconds
    assert (state.is_backpressured, state.waits_for_caller) == (is_backpressured, is_backpressured)
    assert (state.wanted_seconds == 0.0) is is_backpressured
    assert state.unsent_seconds > 0.0


def test_a_slow_reader_that_reads_on_is_no_more_urgent_than_what_it_left_unread_shows(slot: Slot) -> None:
    slow = playing(slot, sent_seconds=6.0)
    slow.unread_steps, slow.unread_seconds = 2, MAX_UNREAD_SECONDS
    slow.acknowledge(3.0, now=100.0)
    assert slow.due == pytest.approx(100.0 + MAX_UNREAD_SECONDS)


def test_a_reader_that_keeps_up_does_not_move_its_clock(slot: Slot) -> None:
    late = playing(slot, sent_seconds=1.0)
    late.unread_steps, late.unread_seconds = 1, 0.5
    late.acknowledge(0.5, now=100.0)
    assert late.due == 1.0


# --- text that comes late --------------------------------------------------------------------------------------


def test_a_request_awaits_text_when_all_that_came_is_spoken_and_more_may_come(slot: Slot) -> None:
    state = a_state(slot, [utterance()], is_text_complete=False)
    assert not state.awaits_text
    prepared(state)
    assert not state.awaits_text
    state.finish_job(state.jobs[0])
    assert (state.awaits_text, state.waits_for_caller, state.is_finished) == (True, True, False)
    state.is_text_complete = True
    assert (state.awaits_text, state.waits_for_caller, state.is_finished) == (False, False, True)


def test_a_request_whose_text_is_still_being_read_does_not_wait_for_its_caller(slot: Slot) -> None:
    state = a_state(slot, is_text_complete=False)
    assert state.waits_for_caller, "nothing is known to come"
    state.owed_seconds = 5.0
    assert not state.waits_for_caller


def test_text_that_comes_after_the_player_ran_dry_is_a_new_start(slot: Slot) -> None:
    state = playing(slot, sent_seconds=2.0)
    state.step_seconds = 1.5
    state.begin_again(now=50.0, step_seconds=0.25, first_audio_seconds=FIRST_SECONDS)
    assert state.due == pytest.approx(50.0 + FIRST_SECONDS)
    assert state.step_seconds == 0.25


def test_a_request_is_due_from_when_its_first_text_came(slot: Slot) -> None:
    state = a_state(slot, entered=0.0, is_text_complete=False, first_audio_seconds=0.0)
    state.begin_again(now=7.0, step_seconds=0.25, first_audio_seconds=FIRST_SECONDS)
    assert state.due == pytest.approx(7.0 + FIRST_SECONDS)
    unary = a_state(slot, entered=0.0, is_unary=True, is_text_complete=False)
    unary.begin_again(now=7.0, step_seconds=0.25, first_audio_seconds=FIRST_SECONDS)
    assert unary.entered == 0.0


def test_text_that_comes_in_time_continues_where_it_was(slot: Slot) -> None:
    state = playing(slot, sent_seconds=2.0)
    state.step_seconds = 1.5
    state.begin_again(now=1.5, step_seconds=0.25, first_audio_seconds=FIRST_SECONDS)
    assert (state.due, state.step_seconds) == (2.0, 1.5)


# --- what is owed ----------------------------------------------------------------------------------------------


def test_nothing_is_owed_while_the_writer_thinks(slot: Slot) -> None:
    state = a_state(slot, is_text_complete=False, owed_seconds=1.0)
    assert state.unsent_seconds == 1.0  # by the estimate, before anything came
    state.add(utterance(), slot, None)
    job = fakes.begin(state)
    state.finish_job(job)
    assert state.unsent_seconds == 0.0
    state.add(utterance(), slot, None)
    assert state.unsent_seconds == 1.0


def test_what_is_owed_is_an_estimate_until_every_utterance_has_its_length(slot: Slot) -> None:
    state = a_state(slot, [utterance(100), utterance(100)], owed_seconds=60.0)
    prepared(state)
    assert state.unsent_seconds == 60.0
    prepared(state)
    assert state.known_seconds == pytest.approx(200 * FRAME_SECONDS)
    assert state.unsent_seconds == pytest.approx(200 * FRAME_SECONDS)
    state.deliver(50 * FRAME_SECONDS, now=0.0)
    assert state.unsent_seconds == pytest.approx(150 * FRAME_SECONDS)


def test_what_is_owed_is_more_than_the_estimate_where_more_turns_out_to_come(slot: Slot) -> None:
    state = prepared(a_state(slot, [utterance(1000), utterance(1000)], owed_seconds=1.0))
    assert state.unsent_seconds == pytest.approx(1000 * FRAME_SECONDS)


def test_what_is_owed_stays_an_estimate_while_only_the_end_shows_the_length() -> None:
    slot = fakes.slot_of(fakes.TokenEngine())
    state = a_state(slot, [utterance(100, 100, voice="t")], owed_seconds=2.0)
    job = fakes.begin(state)
    job.add(StepResult(samples(0.5), is_last=False))
    state.deliver(0.5, now=0.0)
    assert (job.total_samples, state.known_seconds, state.unsent_seconds) == (None, 0.5, 1.5)
    job.add(StepResult(samples(0.5), is_last=True))
    state.deliver(0.5, now=0.0)
    state.finish_job(job)
    assert (state.known_seconds, state.unsent_seconds) == (1.0, 0.0)


def test_utterances_are_counted_when_they_come_and_when_they_are_spoken(slot: Slot) -> None:
    state = a_state(slot, [utterance(10), utterance(20)])
    assert (state.queued, state.finished, [queued.index for queued in state.waiting]) == (2, 0, [0, 1])
    assert state.next_slot is slot
    job = fakes.begin(state)
    job.made_samples = fakes.RATE_HZ
    state.finish_job(job)
    assert (state.queued, state.finished, state.finished_seconds) == (2, 1, 1.0)
    assert not state.is_finished, "one waits still"


# --- jobs ------------------------------------------------------------------------------------------------------


def test_a_step_is_the_last_where_it_is_known_to_make_all_that_is_left(slot: Slot) -> None:
    job = fakes.begin(a_state(slot, [utterance(48)]))
    first = job.next_step(16 * FRAME_SECONDS)
    assert not job.is_last(first), "nothing is known yet"
    [result] = slot.engine.run([first])
    job.add(result)
    assert not job.is_last(first), "it makes no audio"
    assert not job.is_last(job.next_step(16 * FRAME_SECONDS))
    assert job.is_last(job.next_step(64 * FRAME_SECONDS))
    assert not job.is_last(Step(job.job, "render", "a", 1.0, None)), "only running it shows"


def test_the_end_of_an_utterance_shows_its_length(slot: Slot) -> None:
    job: OpenJob = fakes.begin(a_state(slot, [utterance(48)]))
    job.add(StepResult(samples(1.0), is_last=False))
    assert (job.total_samples, job.known_seconds) == (None, 1.0)
    job.add(StepResult(NO_SAMPLES, is_last=True))
    assert (job.total_samples, job.known_seconds) == (fakes.RATE_HZ, 1.0)
