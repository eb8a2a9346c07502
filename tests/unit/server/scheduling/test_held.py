"""HeldRequests: who is held, whose jobs are to be closed, and what is reported of it."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from phonoscope.server.events import Event, QueueMoved
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS, RequestState

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


class Stream:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.delivered: list[object] = []

    def deliver(self, item: object) -> None:
        self.delivered.append(item)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def held(events: list[Event]) -> Iterator[HeldRequests]:
    """With its lock acquired, as its methods need it."""
    held = HeldRequests(events.append)
    with held.changed:
        yield held


def a_state(number: int, owed_seconds: float = 0.0, utterances: int = 0) -> RequestState:
    slot = fakes.slot_of(fakes.FrameEngine())
    said = [fakes.utterance() for _ in range(utterances)]
    return fakes.a_state(slot, said, number=number, owed_seconds=owed_seconds, is_text_complete=False)


def test_what_is_added_is_held_until_it_is_dropped(held: HeldRequests) -> None:
    one, other, streams = a_state(1), a_state(2), [Stream(), Stream()]
    for state, stream in zip((one, other), streams, strict=True):
        held.add(state, stream)
    assert (len(held), list(held), one in held, held.stream_of(other)) == (2, [one, other], True, streams[1])
    assert held.drop(one) is streams[0]
    assert (len(held), list(held), one in held, held.stream_of(one)) == (1, [other], False, None)
    assert held.drop(one) is None, "once only"
    assert streams[0].delivered == []


def test_requests_may_be_dropped_while_one_looks_at_all(held: HeldRequests) -> None:
    states = [a_state(number) for number in range(3)]
    for state in states:
        held.add(state, Stream())
    for state in held:
        held.drop(state)
    assert len(held) == 0


def test_a_number_that_is_held_already_is_refused(held: HeldRequests) -> None:
    first, stream = a_state(1), Stream()
    held.add(first, stream)
    with pytest.raises(ValueError, match="request 1 is held already"):
        held.add(a_state(1), Stream())
    assert held.stream_of(first) is stream
    held.drop(first)
    held.add(a_state(1), Stream())


def test_a_request_ends_once_with_its_error(held: HeldRequests) -> None:
    state, stream, error = a_state(1), Stream(), RuntimeError("out of order")
    held.add(state, stream)
    held.end(state, error)
    held.end(state, None)
    assert stream.delivered == [error]
    assert len(held) == 0


def test_a_request_all_of_whose_text_is_spoken_ends_without_error(held: HeldRequests) -> None:
    state, stream = a_state(1), Stream()
    held.add(state, stream)
    held.end_if_finished(state)
    assert stream.delivered == [], "more text may come"
    state.is_text_complete = True
    held.end_if_finished(state)
    held.end_if_finished(state)
    assert stream.delivered == [None]


def test_the_jobs_of_a_dropped_request_are_closed_once_each(held: HeldRequests) -> None:
    state = a_state(1, utterances=3)
    held.add(state, Stream())
    jobs = [fakes.begin(state), fakes.begin(state)]
    assert held.take_jobs_to_close() == []
    held.drop(state)
    held.drop(state)
    assert held.take_jobs_to_close() == jobs
    assert held.take_jobs_to_close() == []
    assert list(state.jobs) == []


def test_a_job_that_is_to_be_closed_is_taken_once(held: HeldRequests) -> None:
    job = fakes.begin(a_state(1, utterances=1))
    held.close_later(job)
    assert held.take_jobs_to_close() == [job]
    assert held.take_jobs_to_close() == []


def test_every_move_is_reported_with_the_audio_owed(held: HeldRequests, events: list[Event]) -> None:
    one, other = a_state(1, owed_seconds=3.0), a_state(2, owed_seconds=4.0)
    held.add(one, Stream())
    held.add(other, Stream())
    other.unread_steps = MAX_UNREAD_STEPS
    held.report()
    held.drop(one)
    held.drop(one)
    held.end(other, None)
    moves = [(1, 3.0), (2, 7.0), (2, 3.0), (1, 0.0), (0, 0.0)]
    assert events == [QueueMoved(*move) for move in moves], "what nobody reads is not owed"


@pytest.mark.parametrize("move", ["add", "drop"])
def test_every_move_wakes_the_waiters(held: HeldRequests, monkeypatch: pytest.MonkeyPatch, move: str) -> None:
    state, notified = a_state(1), []
    if move == "drop":
        held.add(state, Stream())
    monkeypatch.setattr(held.changed, "notify_all", lambda: notified.append(len(held)))
    if move == "add":
        held.add(state, Stream())
    else:
        held.drop(state)
    assert notified == [1 if move == "add" else 0]
