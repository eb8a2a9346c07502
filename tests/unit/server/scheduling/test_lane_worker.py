"""LaneWorker: the work of a lane's thread.

Here it runs on the test's own thread, and the test decides what happens when it would wait.
"""

import asyncio
import importlib.util
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, NotReady
from phonoscope.server.engines.base import NO_SAMPLES, EngineLost, Step, StepResult
from phonoscope.server.events import (
    BatchRan,
    EngineRaised,
    Event,
    IdleWorkDone,
    LaneLost,
    Member,
    QueueLeft,
    UtteranceSpoken,
)
from phonoscope.server.scheduling.batch_runner import BatchRunner
from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.failure_streak import MAX_FAILURES
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.lane import Lane
from phonoscope.server.scheduling.lane_worker import IDLE_SECONDS, MAX_DEFECTS, LaneWorker
from phonoscope.server.scheduling.policy import EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS, RequestState
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.types import Utterance

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


utterance = fakes.utterance
FRAME_SECONDS = fakes.FRAME_SECONDS
BATCH_SECONDS = 0.02
REFINEMENTS = 4
NOW = 200.0


class Idle(threading.Condition):
    """Tells when the worker would wait, and for how long at most, instead of waiting."""

    def __init__(self, on_wait: Callable[[float | None], None]) -> None:
        super().__init__()
        self._on_wait = on_wait

    def wait(self, timeout: float | None = None) -> bool:
        return self._on_wait(timeout)


class Stream:
    """Keeps what it is handed, and what its request counted by then."""

    def __init__(self, state: RequestState) -> None:
        self.state = state
        self.delivered: list[object] = []
        self.finished: list[int] = []

    def deliver(self, item: object) -> None:
        self.delivered.append(item)
        self.finished.append(self.state.finished)

    def note_progress(self) -> None:
        self.finished.append(self.state.finished)

    @property
    def frames(self) -> int:
        """Of the audio that came."""
        return sum(len(item.samples) for item in self.delivered if isinstance(item, Rendered)) // fakes.FRAME_SAMPLES

    @property
    def ending(self) -> object:
        """What came last: None, or an error."""
        return self.delivered[-1]


class Bench:
    """A worker on some engines, a clock that stands still, and readers that read at once."""

    def __init__(self, *engines) -> None:
        self.now = 100.0
        self.events: list[Event] = []
        self.waits: list[float | None] = []
        self.while_idle: deque[Callable[[], None]] = deque()
        self.is_read = True
        self.lane = Lane(engines)
        self.held = HeldRequests(self.events.append)
        self.held.changed = Idle(self._wait)
        self.policy = EarliestDeadlineFirst()
        runner = BatchRunner(self.events.append, lambda: self.now)
        self.worker = LaneWorker(self.lane, self.held, self.policy, runner, self.events.append, lambda: self.now)

    def open(self, *said: Utterance, voice: str = "", is_complete: bool = True, **how: object) -> Stream:
        """Holds a request; a voice is that of its first utterance."""
        slot = self.lane.of_voice(voice or said[0].voice_id)
        state = fakes.a_state(slot, entered=self.now, is_text_complete=is_complete, **how)
        for one in said:
            state.add(one, self.lane.of_voice(one.voice_id), one)
        stream = Stream(state)
        with self.held.changed:
            self.held.add(state, stream)
        return stream

    def cancel(self, stream: Stream) -> None:
        with self.held.changed:
            self.held.drop(stream.state)

    def run(self) -> None:
        """Runs until there is nothing to do, nothing to read and nothing else to happen."""
        self.worker.is_stopping = False
        self.worker.run_until_stopped()

    def _wait(self, timeout: float | None) -> bool:
        self.waits.append(timeout)
        assert len(self.waits) < 1000, "the worker never comes to an end"
        unread = [state for state in self.held if state.unread_steps] if self.is_read else []
        if unread:
            for state in unread:
                state.acknowledge(state.unread_seconds / state.unread_steps, self.now)
        elif self.while_idle:
            self.while_idle.popleft()()
        elif timeout == IDLE_SECONDS:
            return False
        else:
            self.worker.is_stopping = True
        return True

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def engine():
    return fakes.FrameEngine()


@pytest.fixture
def bench(engine) -> Bench:
    return Bench(engine)


def is_failure(item: object) -> bool:
    return isinstance(item, EngineFailed)


def fails_for(engine, guilty: Utterance) -> None:
    def before_run(steps: Sequence[Step]) -> None:
        if any(step.job.utterance == guilty for step in steps):
            raise RuntimeError("out of order")

    engine.before_run = before_run


# --- jobs ------------------------------------------------------------------------------------------------------


def test_an_utterance_is_opened_prepared_rendered_and_closed(bench: Bench, engine) -> None:
    stream = bench.open(utterance(48))
    bench.run()
    assert engine.log == ["open", "prepare", "render", "render", "close"]
    assert (stream.frames, stream.ending) == (48, None)
    assert len(bench.held) == 0
    assert next(iter(bench.lane)).open_jobs == 0


def test_a_finished_job_is_closed_before_anything_else_runs(bench: Bench, engine) -> None:
    bench.open(utterance(16))
    bench.open(utterance(16, voice="b"), number=1)
    bench.run()
    assert engine.log == ["open", "open", "prepare", "render", "close", "prepare", "render", "close"]


def test_the_jobs_of_a_request_that_is_cancelled_while_it_waits_are_closed(bench: Bench, engine) -> None:
    bench.is_read = False
    stream = bench.open(utterance(10_000))
    held: list[int] = []
    bench.while_idle += [
        lambda: bench.cancel(stream),
        lambda: held.append(len(engine.held_jobs)),
    ]
    bench.run()
    assert engine.log[-1] == "close"
    assert held == [0], "the worker closes them at once, not when it stops"


def test_a_job_that_is_cancelled_during_its_batch_is_closed_after_it_and_gives_nothing(bench: Bench, engine) -> None:
    stream, other = bench.open(utterance(500)), bench.open(utterance(20), number=1)

    def before_run(steps: Sequence[Step]) -> None:
        if steps[0].kind == "render":
            bench.cancel(stream)
            assert len(engine.held_jobs) == 2, "a job is not closed under its own batch"

    engine.before_run = before_run
    bench.run()
    assert engine.log == ["open", "open", "prepare", "render", "close", "close"]
    assert stream.delivered == []
    assert (other.frames, other.ending) == (20, None)


def test_a_request_that_is_cancelled_before_its_turn_is_never_opened(bench: Bench, engine) -> None:
    bench.cancel(bench.open(utterance(500)))
    bench.run()
    assert engine.log == []


def test_the_jobs_of_a_request_that_fails_are_closed_and_the_next_is_served(bench: Bench, engine) -> None:
    bad = utterance(7)
    fails_for(engine, bad)
    failed = bench.open(utterance(20), bad)
    bench.while_idle.append(lambda: later.append(bench.open(utterance(20), number=1)))
    later: list[Stream] = []
    bench.run()
    assert failed.frames == 20
    assert is_failure(failed.ending)
    assert (later[0].frames, later[0].ending) == (20, None)
    assert engine.log.count("open") == engine.log.count("close") == 3
    assert engine.held_jobs == []


def test_the_jobs_of_a_worker_that_is_stopped_are_closed(bench: Bench, engine) -> None:
    bench.is_read = False
    stream = bench.open(utterance(10_000))

    def stop() -> None:
        bench.worker.is_stopping = True
        bench.held.end(stream.state, RuntimeError("the server shut down first"))

    bench.while_idle.append(stop)
    bench.run()
    assert engine.held_jobs == []
    assert engine.log.count("close") == 1


def test_an_engine_that_cannot_close_a_job_is_reported_and_the_work_continues(bench: Bench, engine) -> None:
    def before_close(_job: object) -> None:
        raise OSError("stuck")

    engine.before_close = before_close
    streams = [bench.open(utterance(16)), bench.open(utterance(16), number=1)]
    bench.run()
    assert [stream.ending for stream in streams] == [None, None]
    assert [str(event.error) for event in bench.of(EngineRaised)] == ["stuck"] * 2
    assert engine.log.count("close") == 2
    assert next(iter(bench.lane)).open_jobs == 0


def test_an_utterance_that_the_engine_refuses_to_open_fails_its_request_alone(bench: Bench, engine) -> None:
    bad = utterance(7)

    def before_open(said: Utterance) -> None:
        if said == bad:
            raise ValueError("no such speaker")

    engine.before_open = before_open
    good, failed = bench.open(utterance(20)), bench.open(utterance(20), bad, utterance(30), number=1)
    refused = bench.open(bad, number=2)
    bench.run()
    assert (good.frames, good.ending) == (20, None)
    assert failed.frames == 20
    assert is_failure(failed.ending)
    assert len(refused.delivered) == 1
    assert is_failure(refused.ending)
    raised = bench.of(EngineRaised)
    assert [event.members for event in raised] == [(Member(2, 0, 0.0),), (Member(1, 1, 0.0),)]
    assert {(event.voice, event.stage, str(event.error)) for event in raised} == {("a", "prepare", "no such speaker")}
    assert engine.opened == [utterance(20), utterance(20)], "nothing of a failed request is opened any more"
    assert engine.held_jobs == []
    assert next(iter(bench.lane)).open_jobs == 0


@pytest.mark.parametrize("max_jobs", [1, 2])
def test_no_more_jobs_are_open_than_the_engine_allows(max_jobs: int) -> None:
    engine = fakes.TokenEngine(max_jobs=max_jobs)
    bench, most = Bench(engine), []
    engine.before_run = lambda _steps: most.append(len(engine.held_jobs))
    streams = [
        bench.open(utterance(256, 256, voice="t"), utterance(256, voice="t"), number=number, is_unary=number == 2)
        for number in range(4)
    ]
    bench.run()
    assert max(most) == max_jobs
    assert [(stream.frames, stream.ending) for stream in streams] == [(3, None)] * 4
    assert engine.log.count("open") == engine.log.count("close") == 8


def test_a_reader_that_pauses_does_not_keep_an_engine_of_one_job_from_others() -> None:
    engine = fakes.TokenEngine(max_jobs=1)
    bench = Bench(engine)
    bench.is_read = False
    paused = bench.open(utterance(*[256] * 10, voice="t"), utterance(256, voice="t"))
    other = bench.open(utterance(256, voice="t"), number=1)
    bench.run()
    assert (paused.frames, other.frames, other.ending) == (10, 1, None)
    assert engine.held_jobs == []


# --- batches ---------------------------------------------------------------------------------------------------


def test_the_members_of_a_failed_batch_are_tried_alone(bench: Bench, engine) -> None:
    bad = utterance(16, 1)
    fails_for(engine, bad)
    streams = [bench.open(one, number=number) for number, one in enumerate([utterance(16), bad, utterance(16)])]
    bench.run()
    assert [stream.frames for stream in streams] == [16, 0, 16]
    assert [is_failure(stream.ending) for stream in streams] == [False, True, False]
    assert [len(event.members) for event in bench.of(EngineRaised)] == [3, 1]
    assert engine.held_jobs == []


def test_a_request_that_is_cancelled_while_its_batch_fails_is_not_tried_alone(bench: Bench, engine) -> None:
    bad, gone = utterance(16, 1), bench.open(utterance(16, 2), number=1)

    def before_run(steps: Sequence[Step]) -> None:
        if any(step.job.utterance == bad for step in steps):
            bench.cancel(gone)
            raise RuntimeError("out of order")

    engine.before_run = before_run
    failed = bench.open(bad)
    bench.run()
    assert is_failure(failed.ending)
    assert (utterance(16, 2),) not in [tuple(step.job.utterance for step in steps) for steps in engine.batches]
    assert engine.held_jobs == []


def test_the_time_in_the_queue_is_reported_with_the_first_batch(bench: Bench, engine) -> None:
    bench.open(utterance(48), number=7)
    bench.now += 3.0
    bench.run()
    assert bench.of(QueueLeft) == [QueueLeft(7, "a", 3.0)]


def test_samples_come_with_what_was_said_and_where_they_are_in_it(bench: Bench) -> None:
    said = [utterance(48), utterance(500)]
    stream = bench.open(*said)
    bench.run()
    items = [item for item in stream.delivered if isinstance(item, Rendered)]
    for one in said:
        own = [item for item in items if item.context is one]
        lengths = [len(item.samples) for item in own]
        assert [item.start for item in own] == [sum(lengths[:at]) for at in range(len(own))]
        assert sum(lengths) == one.symbols[0] * fakes.FRAME_SAMPLES
    assert bench.of(UtteranceSpoken) == [UtteranceSpoken(0, 0), UtteranceSpoken(0, 1)]


def test_an_utterance_counts_as_spoken_when_its_last_samples_come(bench: Bench) -> None:
    stream = bench.open(utterance(16), utterance(16))
    bench.run()
    # Whoever reads them may ask at once, on another thread, how many utterances are left.
    assert stream.finished == [1, 2, 2]


def test_the_engines_time_is_shared_out_to_requests(bench: Bench, engine) -> None:
    def before_run(_steps: Sequence[Step]) -> None:
        bench.now += 6.0

    engine.before_run = before_run
    streams = [bench.open(utterance(16)), bench.open(utterance(16, 1, 1), number=1)]
    bench.run()
    assert [stream.state.engine_seconds for stream in streams] == pytest.approx([6 / 4 + 3, 6 * 3 / 4 + 3])


def test_a_unary_request_that_turns_out_too_long_is_refused_before_any_audio(bench: Bench, engine) -> None:
    said = [utterance(100) for _ in range(6)]
    stream = bench.open(*said, is_unary=True, max_seconds=599 * FRAME_SECONDS)
    bench.run()
    [error] = stream.delivered
    assert isinstance(error, AudioTooLong)
    assert error.audio_seconds == pytest.approx(600 * FRAME_SECONDS)
    assert engine.of_kind("render") == []
    assert engine.held_jobs == []


def test_a_unary_request_is_refused_as_soon_as_it_is_too_long_where_only_the_end_shows_the_length() -> None:
    engine = fakes.TokenEngine()
    bench = Bench(engine)
    stream = bench.open(utterance(*[256] * 10, voice="t"), is_unary=True, max_seconds=2.5 * FRAME_SECONDS)
    bench.run()
    assert isinstance(stream.ending, AudioTooLong)
    assert len(engine.of_kind("decode")) == 3
    assert engine.held_jobs == []


def test_a_unary_request_of_just_the_longest_length_is_spoken(bench: Bench) -> None:
    stream = bench.open(utterance(100), is_unary=True, max_seconds=100 * FRAME_SECONDS)
    bench.run()
    assert (stream.frames, stream.ending) == (100, None)


# --- waiting ---------------------------------------------------------------------------------------------------


def test_the_worker_waits_until_the_next_deadline_and_ends_what_passed_it(bench: Bench, engine) -> None:
    late = bench.open(voice="a", is_complete=False, deadline=105.0, number=1)
    later = bench.open(voice="a", is_complete=False, deadline=109.0, number=2)

    def pass_five_seconds() -> None:
        bench.now += 5.0

    bench.while_idle += [pass_five_seconds, lambda: None]
    bench.run()
    assert bench.waits == [5.0, 4.0, 4.0]
    assert isinstance(late.ending, DeadlineUnreachable)
    assert later.delivered == []


def test_without_deadlines_the_worker_waits_for_as_long_as_it_takes(bench: Bench) -> None:
    bench.open(voice="a", is_complete=False)
    bench.run()
    assert bench.waits == [None]


def test_the_jobs_of_a_request_whose_deadline_passes_are_closed(bench: Bench, engine) -> None:
    bench.is_read = False
    late = bench.open(utterance(10_000), deadline=105.0)
    held: list[int] = []

    def pass_five_seconds() -> None:
        bench.now += 5.0

    bench.while_idle += [pass_five_seconds, lambda: held.append(len(engine.held_jobs))]
    bench.run()
    assert isinstance(late.ending, DeadlineUnreachable)
    assert held == [0]


def test_a_reader_that_pauses_is_served_on_once_it_reads(bench: Bench, engine) -> None:
    bench.is_read = False
    stream = bench.open(utterance(10_000))
    renders: list[int] = []
    bench.while_idle += [
        lambda: renders.append(len(engine.of_kind("render"))),
        lambda: setattr(bench, "is_read", True),
    ]
    bench.run()
    assert renders == [MAX_UNREAD_STEPS]
    assert (stream.frames, stream.ending) == (10_000, None)


# --- defects ---------------------------------------------------------------------------------------------------


def test_a_defect_of_the_policy_fails_the_requests_held_and_the_work_continues(
    bench: Bench, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def next_step_seconds(_state: RequestState) -> float:
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(bench.policy, "next_step_seconds", next_step_seconds)
    failed = [bench.open(utterance(500), number=number) for number in range(2)]
    later: list[Stream] = []
    bench.while_idle.append(lambda: later.append(bench.open(utterance(20), number=2)))
    bench.run()
    assert [is_failure(stream.ending) for stream in failed] == [True, True]
    assert [type(event.error) for event in bench.of(EngineRaised)] == [ZeroDivisionError]
    assert (later[0].frames, later[0].ending) == (20, None)
    assert engine.held_jobs == []


def test_a_policy_that_always_raises_stops_the_worker_after_a_few_requests(
    bench: Bench, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.policy, "choose", choose)
    failed = [bench.open(utterance(20))]
    for number in range(1, MAX_DEFECTS):
        bench.while_idle.append(lambda number=number: failed.append(bench.open(utterance(20), number=number)))
    bench.run()
    assert [is_failure(stream.ending) for stream in failed] == [True] * (MAX_DEFECTS - 1) + [False]
    assert is_refusal(failed[-1].ending)
    assert len(bench.of(EngineRaised)) == MAX_DEFECTS - 1
    [lost] = bench.of(LaneLost)
    assert "scheduler" in lost.cause
    assert isinstance(lost.error, ZeroDivisionError)
    assert bench.worker.is_lost
    assert engine.held_jobs == []


def test_a_policy_has_nothing_to_choose_from_while_nothing_is_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(bench.policy, "choose", lambda *_: asked.append("choose"))
    monkeypatch.setattr(bench.policy, "to_open", lambda *_: asked.append("open"))
    bench.run()
    assert asked == []


def test_defects_with_batches_in_between_do_not_stop_the_worker(
    bench: Bench, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = bench.policy.choose

    def choose_once(states, now):
        if any(state.number % 2 for state in states):
            raise ZeroDivisionError
        return choose(states, now)

    monkeypatch.setattr(bench.policy, "choose", choose_once)
    streams: list[Stream] = []
    for number in range(4 * MAX_DEFECTS):
        bench.while_idle.append(lambda number=number: streams.append(bench.open(utterance(20), number=number)))
    bench.run()
    assert [is_failure(stream.ending) for stream in streams] == [False, True] * 2 * MAX_DEFECTS
    assert not bench.worker.is_lost


# --- lost engines ----------------------------------------------------------------------------------------------


def is_refusal(item: object) -> bool:
    return isinstance(item, NotReady) and item.reason == "ENGINE_LOST"


@pytest.mark.parametrize("where", ["open", "next_step", "run"])
def test_a_lost_engine_refuses_every_request_held(bench: Bench, engine, where: str) -> None:
    lost = EngineLost("the device is gone")

    def lose(*_: object) -> None:
        raise lost

    if where == "next_step":
        job_of = engine.job_of
        engine.job_of = lambda said: setattr(job := job_of(said), "next_step", lose) or job
    else:
        setattr(engine, f"before_{where}", lose)
    streams = [bench.open(utterance(20), utterance(30), number=number) for number in range(3)]
    bench.run()
    assert [len(stream.delivered) for stream in streams] == [1] * 3
    assert all(is_refusal(stream.ending) for stream in streams)
    assert bench.of(LaneLost) == [LaneLost("cpu", "the device is gone", lost)]
    assert bench.worker.is_lost
    assert engine.held_jobs == []


def test_a_batch_of_a_lost_engine_is_not_tried_again(bench: Bench, engine) -> None:
    def lose(_steps: Sequence[Step]) -> None:
        raise EngineLost("the device is gone")

    engine.before_run = lose
    for number in range(3):
        bench.open(utterance(20), number=number)
    bench.run()
    assert len(engine.batches) == 1
    assert [len(event.members) for event in bench.of(EngineRaised)] == [3]


def test_an_engine_that_cannot_free_the_jobs_of_a_lost_device_is_reported_once(bench: Bench, engine) -> None:
    def lose(*_: object) -> None:
        raise EngineLost("the device is gone")

    engine.before_run = engine.before_close = lose
    for number in range(3):
        bench.open(utterance(20), number=number)
    bench.run()
    assert len(bench.of(EngineRaised)) == 1
    assert len(bench.of(LaneLost)) == 1


def one_by_one(bench: Bench, said: Sequence[Utterance]) -> list[Stream]:
    """Opens a request for each utterance once the one before is over."""
    streams: list[Stream] = []
    for number, one in enumerate(said):
        bench.while_idle.append(
            lambda number=number, one=one: (
                streams.append(bench.open(one, number=number)) if not bench.worker.is_lost else None
            )
        )
    bench.run()
    return streams


def fails_always(_steps: Sequence[Step]) -> None:
    raise RuntimeError("out of order")


def breaks_after(engine, batches: int) -> None:
    """From so many batches on, the engine fails on everything."""

    def before_run(_steps: Sequence[Step]) -> None:
        if len(engine.batches) > batches:
            raise RuntimeError("out of order")

    engine.before_run = before_run


def test_an_engine_that_fails_on_what_it_has_spoken_before_is_lost(bench: Bench, engine) -> None:
    breaks_after(engine, batches=2)
    streams = one_by_one(bench, [utterance(16)] + [utterance(20)] * 2 * MAX_FAILURES)
    assert streams[0].ending is None
    assert all(is_failure(stream.ending) for stream in streams[1:])
    assert len(streams) == 1 + MAX_FAILURES
    [lost] = bench.of(LaneLost)
    assert lost.cause == (
        f"frames failed on {MAX_FAILURES} utterances in a row, and now on one that it has spoken before: out of order"
    )
    assert engine.opened[-1] == utterance(16)
    assert engine.held_jobs == []


def test_an_engine_that_has_never_spoken_is_lost_after_several_utterances(bench: Bench, engine) -> None:
    engine.before_run = fails_always
    streams = one_by_one(bench, [utterance(20, number) for number in range(2 * MAX_FAILURES)])
    assert len(streams) == MAX_FAILURES
    [lost] = bench.of(LaneLost)
    failed = f"frames failed on {MAX_FAILURES} utterances in a row and has spoken none since its start"
    assert lost.cause == f"{failed}: prepare of 1 raised RuntimeError: out of order"


def test_an_engine_whose_every_open_fails_is_lost(bench: Bench, engine) -> None:
    def before_open(_said: Utterance) -> None:
        raise ValueError("no such speaker")

    engine.before_open = before_open
    one_by_one(bench, [utterance(20, number) for number in range(2 * MAX_FAILURES)])
    assert "no such speaker" in bench.of(LaneLost)[0].cause


@pytest.mark.parametrize("is_proven", [True, False])
def test_one_bad_utterance_sent_again_and_again_loses_no_engine(bench: Bench, engine, is_proven: bool) -> None:
    bad = utterance(7)
    fails_for(engine, bad)
    streams = one_by_one(bench, [utterance(16)] * is_proven + [bad] * 5 * MAX_FAILURES + [utterance(20)])
    assert is_failure(streams[-2].ending)
    assert (streams[-1].frames, streams[-1].ending) == (20, None)
    assert bench.of(LaneLost) == []
    assert engine.held_jobs == []


def test_many_bad_utterances_lose_no_engine_that_still_speaks_another(bench: Bench, engine) -> None:
    def before_run(steps: Sequence[Step]) -> None:
        if any(len(step.job.utterance.symbols) > 1 for step in steps):
            raise RuntimeError("out of order")

    engine.before_run = before_run
    bad = [utterance(20, number) for number in range(3 * MAX_FAILURES)]
    streams = one_by_one(bench, [utterance(16), *bad, utterance(20)])
    assert streams[-1].ending is None
    assert bench.of(LaneLost) == []
    assert engine.opened.count(utterance(16)) == 1 + 3, "it proves itself after each few failures"


def test_a_suspect_engine_of_one_job_proves_itself_once_it_has_room() -> None:
    engine = fakes.TokenEngine(max_jobs=1)
    bench = Bench(engine)
    breaks_after(engine, batches=2)
    said = [utterance(256, voice="t")] + [utterance(256, number, voice="t") for number in range(2 * MAX_FAILURES)]
    one_by_one(bench, said)
    assert len(bench.of(LaneLost)) == 1
    assert engine.held_jobs == []


def test_all_engines_are_warmed_up_and_an_error_of_one_is_raised() -> None:
    engines = fakes.FrameEngine(), fakes.TokenEngine()
    bench = Bench(*engines)
    bench.worker.warm_up()
    assert [engine.log for engine in engines] == [["warm_up"], ["warm_up"]]

    def fail() -> None:
        raise MemoryError("no room")

    engines[1].warm_up = fail
    with pytest.raises(MemoryError, match="no room"):
        bench.worker.warm_up()


# --- idle work ------------------------------------------------------------------------------------------------


def test_idle_work_is_done_piece_by_piece_while_nothing_is_held_and_each_piece_is_reported(bench: Bench, engine):
    engine.idle_pieces = 3
    bench.worker.does_idle_work = True
    bench.run()
    assert engine.log == ["idle_work"] * 3
    assert bench.of(IdleWorkDone) == [IdleWorkDone("frames", left, 0.0) for left in (2, 1, 0)]


def test_no_idle_work_is_done_before_the_server_is_ready(bench: Bench, engine):
    engine.idle_pieces = 3
    bench.run()
    assert engine.log == []


def test_a_request_comes_before_the_rest_of_the_idle_work(bench: Bench, engine):
    engine.idle_pieces = 3
    bench.worker.does_idle_work = True
    bench.while_idle.append(lambda: None)
    bench.while_idle.append(lambda: bench.open(utterance(8)))
    bench.run()
    assert engine.log[0] == "open"
    assert engine.log[-4:] == ["close", "idle_work", "idle_work", "idle_work"]


def test_no_idle_work_is_done_while_a_reader_pauses(bench: Bench, engine):
    engine.idle_pieces = 3
    bench.worker.does_idle_work, bench.is_read = True, False
    bench.open(utterance(500))
    bench.run()
    assert "idle_work" not in engine.log


def test_idle_work_that_fails_is_reported_and_ends_and_requests_are_served() -> None:
    engine, other = fakes.FrameEngine(), fakes.TokenEngine()
    bench = Bench(engine, other)
    engine.idle_pieces, other.idle_pieces = 5, 1
    error = RuntimeError("no memory")

    def fail() -> int:
        raise error

    engine.idle_work = fail
    bench.worker.does_idle_work = True
    bench.run()
    assert [event.error for event in bench.of(EngineRaised)] == [error]
    assert [(event.engine, event.left) for event in bench.of(IdleWorkDone)] == [(engine.name, 0), (other.name, 0)]
    stream = bench.open(utterance(8))
    bench.run()
    assert (stream.frames, stream.ending) == (8, None)


def test_a_device_lost_in_idle_work_ends_the_lane(bench: Bench, engine):
    def lose() -> int:
        raise EngineLost("the device is gone")

    engine.idle_work = lose
    bench.worker.does_idle_work = True
    bench.run()
    assert [event.cause for event in bench.of(LaneLost)] == ["the device is gone"]


# --- two engines -----------------------------------------------------------------------------------------------


def test_a_stream_may_change_from_one_engine_to_another_and_back() -> None:
    frames, tokens = fakes.FrameEngine(), fakes.TokenEngine()
    bench = Bench(frames, tokens)
    stream = bench.open(utterance(40), utterance(256, 512, voice="t"), utterance(50))
    bench.run()
    items = [item for item in stream.delivered if isinstance(item, Rendered)]
    assert list(dict.fromkeys(item.context.voice_id for item in items)) == ["a", "t"]
    assert [event.index for event in bench.of(UtteranceSpoken)] == [0, 1, 2]
    assert (stream.frames, stream.ending) == (40 + 3 + 50, None)
    assert [slot.open_jobs for slot in bench.lane] == [0, 0]
    assert (frames.log.count("close"), tokens.log.count("close")) == (2, 1)


def test_batches_are_of_one_engine_and_each_learns_from_its_own() -> None:
    frames, tokens = fakes.FrameEngine(), fakes.TokenEngine()
    bench = Bench(frames, tokens)

    def before_run(steps: Sequence[Step]) -> None:
        bench.now += 0.01 if steps[0].kind in frames.step_kinds else 0.03

    frames.before_run = tokens.before_run = before_run
    for number in range(4):
        bench.open(utterance(500), number=2 * number)
        bench.open(utterance(*[2560] * 20, voice="t"), number=2 * number + 1)
    bench.run()
    one, other = bench.lane
    assert one.cost.seconds("render", 128, bench.now) > 0
    assert one.cost.seconds("decode", 1, bench.now) == 0.0
    assert other.cost.seconds("render", 128, bench.now) == 0.0
    assert {event.stage for event in bench.of(BatchRan)} == {"prepare", "render", "prefill", "decode"}
    assert set(bench.lane.estimates(bench.now)) == {"frames", "tokens"}
    assert len(bench.held) == 0


def test_an_engine_that_fails_leaves_the_requests_of_the_other_alone() -> None:
    frames, tokens = fakes.FrameEngine(), fakes.TokenEngine()
    bench = Bench(frames, tokens)

    def before_run(_steps: Sequence[Step]) -> None:
        raise RuntimeError("out of order")

    frames.before_run = before_run
    failed, other = bench.open(utterance(40)), bench.open(utterance(256, voice="t"), number=1)
    bench.run()
    assert is_failure(failed.ending)
    assert (other.frames, other.ending) == (1, None)


class BreakingJob(fakes.FrameJob):
    """Cannot tell its next step once it is planned."""

    def next_step(self, audio_seconds: float) -> Step | None:
        if self.is_planned:
            raise LookupError("lost the place")
        return super().next_step(audio_seconds)


class EndlessJob(fakes.FrameJob):
    """Never says which step is its last."""

    def move(self, step: Step) -> StepResult:
        return replace(super().move(step), is_last=False)


@pytest.mark.parametrize("kind", [BreakingJob, EndlessJob])
def test_a_job_that_breaks_the_contract_fails_its_own_request_only(bench: Bench, engine, kind: type) -> None:
    bad = utterance(40)
    engine.job_of = lambda said: (kind if said is bad else fakes.FrameJob)(said, engine)
    failed, other = bench.open(bad), bench.open(utterance(48), number=1)
    bench.run()
    assert is_failure(failed.ending)
    assert (other.frames, other.ending) == (48, None)
    assert len(bench.of(EngineRaised)) >= 1
    assert next(iter(bench.lane)).open_jobs == 0


class EndlessTokens(fakes.TokenJob):
    """Stops without saying so, on an engine that decides the length of its steps."""

    def move(self, step: Step) -> StepResult:
        return replace(super().move(step), is_last=False)


def test_a_job_that_stops_without_a_last_step_fails_and_does_not_block_the_engine() -> None:
    engine = fakes.TokenEngine(max_batch=1, max_jobs=1)
    bad = utterance(256, 256, voice="t")
    engine.job_of = lambda said: (EndlessTokens if said is bad else fakes.TokenJob)(said)
    bench = Bench(engine)
    failed, other = bench.open(bad), bench.open(utterance(256, voice="t"), number=1)
    bench.run()
    assert is_failure(failed.ending)
    assert (other.frames, other.ending) == (1, None)


# --- what the cost model learns ---------------------------------------------------------------------------------


def taught_by(engine, said: Sequence[Utterance]) -> CostModel:
    """What an engine teaches that speaks these utterances one after another, each batch in 20 ms."""
    bench = Bench(engine)
    engine.before_run = lambda _steps: setattr(bench, "now", bench.now + BATCH_SECONDS)
    for number, one in enumerate(said):
        stream = bench.open(one, number=number)
        bench.run()
        assert stream.ending is None
    assert bench.now < NOW
    [slot] = bench.lane
    return slot.cost


def real_time_factor(cost: CostModel) -> float:
    return cost.real_time_factor(NOW)


def test_a_step_that_says_how_long_the_utterance_will_be_teaches_at_once() -> None:
    engine = fakes.FrameEngine()
    cost = taught_by(engine, [utterance(16 + 32 + 64 + 128)] * 5)
    seconds = len(engine.batches) * BATCH_SECONDS
    assert real_time_factor(cost) == pytest.approx(seconds / (5 * 240 * FRAME_SECONDS), rel=0.1)
    assert cost.preparation_factor(NOW) == pytest.approx(BATCH_SECONDS / (240 * FRAME_SECONDS), rel=0.01)
    assert [kind for kind, _ in cost.audio_work(1.0)] == ["render"]


def test_a_step_whose_audio_is_known_only_at_the_end_teaches_then() -> None:
    cost = taught_by(fakes.TokenEngine(), [utterance(*[2205] * 10, voice="t")] * 5)  # 10 steps of 0.1 s
    assert cost.preparation_factor(NOW) == pytest.approx(BATCH_SECONDS / 1.0, rel=0.01)
    assert real_time_factor(cost) == pytest.approx(11 * BATCH_SECONDS / 1.0, rel=0.01)
    assert cost.audio_work(1.0) == [("decode", pytest.approx(10))]
    assert cost.first_audio_seconds(0.1, NOW) == pytest.approx(2 * BATCH_SECONDS, rel=0.01)


def test_an_utterance_that_is_cancelled_teaches_nothing_of_what_only_its_end_shows() -> None:
    engine = fakes.TokenEngine()
    bench = Bench(engine)
    bench.is_read = False
    stream = bench.open(utterance(*[2205] * 10, voice="t"))
    bench.while_idle.append(lambda: bench.cancel(stream))
    bench.run()
    [slot] = bench.lane
    assert slot.cost.audio_work(1.0) == [("decode", pytest.approx(10))]
    assert slot.cost.preparation_factor(NOW) == 0.0


@pytest.mark.parametrize("symbols", [(0, *[2205] * 10), (*[2205] * 10, 0)])
def test_a_kind_of_step_that_makes_no_audio_now_and_then_still_makes_audio(symbols: tuple[int, ...]) -> None:
    """A decoder looks ahead before its first samples, or ends with a token that has none."""
    cost = taught_by(fakes.TokenEngine(), [utterance(*symbols, voice="t")] * 5)
    assert [kind for kind, _ in cost.audio_work(1.0)] == ["decode"]
    assert cost.is_known
    assert real_time_factor(cost) == pytest.approx(12 * BATCH_SECONDS / 1.0, rel=0.05)


class RefiningJob(fakes.FrameJob):
    """Takes several steps of one kind without audio before the length of which it knew from the first."""

    refined = 0

    def next_step(self, audio_seconds: float) -> Step | None:
        if self.refined < REFINEMENTS:
            return Step(self, "prepare", self.utterance.voice_id, 10.0, 0.0)
        self.is_planned = True
        return super().next_step(audio_seconds)

    def move(self, step: Step) -> StepResult:
        if step.kind == "prepare":
            self.refined += 1
            return StepResult(NO_SAMPLES, is_last=False, total_samples=self.frames * fakes.FRAME_SAMPLES)
        return super().move(step)


def test_every_step_of_a_preparation_counts_even_if_the_length_is_known_from_the_first() -> None:
    engine = fakes.FrameEngine()
    engine.job_of = lambda said: RefiningJob(said, engine)
    cost = taught_by(engine, [utterance(16 + 32 + 64 + 128)] * 5)
    seconds = 240 * FRAME_SECONDS
    assert cost.preparation_factor(NOW) == pytest.approx(REFINEMENTS * BATCH_SECONDS / seconds, rel=0.05)


# --- what a stream's writer sees -------------------------------------------------------------------------------


async def test_a_writer_continues_though_the_last_step_of_its_utterance_made_no_audio() -> None:
    engine = fakes.TokenEngine()
    bench = Bench(engine)
    state = bench.open(utterance(256, 0, voice="t"), is_complete=False).state
    with bench.held.changed:
        bench.held.drop(state)
        stream = SpeechStream(Owner(), state)
        bench.held.add(state, stream)

    def stop_after_the_first_audio(steps: Sequence[Step]) -> None:
        bench.worker.is_stopping = steps[0].kind == "decode"

    engine.before_run = stop_after_the_first_audio
    waiting = asyncio.ensure_future(stream.wait_until_fewer(1))
    bench.run()
    for _ in range(3):
        await asyncio.sleep(0)  # the audio arrives, and the writer looks
    assert (stream.unspoken_utterances, waiting.done()) == (1, False)
    bench.run()
    assert stream.unspoken_utterances == 0
    for _ in range(3):
        await asyncio.sleep(0)
    is_done = waiting.done()
    waiting.cancel()
    assert is_done


class Owner:
    """Of a stream of which nobody reads."""

    def remove(self, _state: RequestState) -> None: ...
