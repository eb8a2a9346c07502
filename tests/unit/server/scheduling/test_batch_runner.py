"""BatchRunner: every batch is timed, shared out, held to the contract and reported."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phonoscope.server.engines.base import NO_SAMPLES, StepResult
from phonoscope.server.events import BatchRan, EngineRaised, Event, Member
from phonoscope.server.scheduling.batch_runner import BatchFailed, BatchRunner, BrokenContract
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.next_steps import PlannedStep
from phonoscope.server.scheduling.policy import Batch

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)


BATCH_SECONDS = 6.0
Owner = tuple[int, int]


class Bench:
    """A runner on an engine that takes so many seconds for each batch, on the clock of the test."""

    def __init__(self) -> None:
        self.engine = fakes.FrameEngine(voices=("tone",), is_elastic=True)
        self.slot: Slot = fakes.slot_of(self.engine)
        self.events: list[Event] = []
        self.now = 100.0
        self.error: Exception | None = None
        self.engine.before_run = lambda _steps: self.take()
        self.runner = BatchRunner(self.events.append, lambda: self.now)

    def take(self) -> None:
        self.now += BATCH_SECONDS
        if self.error:
            raise self.error

    def preparations(self, *phonemes: int, owners: list[Owner]) -> Batch:
        said = [fakes.utterance(*[40] * count, voice="tone") for count in phonemes]
        return Batch(tuple(self.member(*one, audio_frames=None) for one in zip(said, owners, strict=True)))

    def windows(self, *lengths: int, owners: list[Owner]) -> Batch:
        said = [fakes.utterance(1000, voice="tone") for _ in lengths]
        members = zip(said, owners, lengths, strict=True)
        batch = Batch(tuple(self.member(one, owner, audio_frames=length) for one, owner, length in members))
        self.events.clear()
        self.now = 100.0
        return batch

    def member(self, utterance, owner: Owner, *, audio_frames: int | None) -> PlannedStep:
        """The next step of an utterance: the first, or after it one of so many frames."""
        state = fakes.a_state(self.slot, number=owner[0])
        state.queued = owner[1]
        state.add(utterance, self.slot, None)
        if audio_frames is not None:
            fakes.prepared(state)
        job = state.jobs[0] if state.jobs else fakes.begin(state)
        return PlannedStep(state, job, job.next_step((audio_frames or 0) * fakes.FRAME_SECONDS))

    def spoil(self, results: list[StepResult]) -> None:
        """Makes the engine return something else."""
        self.engine.run = lambda _steps: results


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_batchs_time_is_shared_by_the_phonemes_of_its_utterances(bench: Bench) -> None:
    batch = bench.preparations(10, 20, 30, owners=[(7, 0), (7, 1), (9, 4)])
    results, members = bench.runner.run(batch)
    assert members == (Member(7, 0, 1.0), Member(7, 1, 2.0), Member(9, 4, 3.0))
    assert bench.events == [BatchRan("tone", "prepare", members, 100.0, 6.0, padding_ratio=1 - 60 / 90)]
    assert [result.total_samples for result in results] == [40 * 256] * 3


def test_a_batchs_time_is_shared_by_the_frames_of_its_windows(bench: Bench) -> None:
    results, members = bench.runner.run(bench.windows(16, 32, owners=[(1, 0), (2, 0)]))
    assert members == (Member(1, 0, 2.0), Member(2, 0, 4.0))
    assert bench.events == [BatchRan("tone", "render", members, 100.0, 6.0, padding_ratio=0.25)]
    assert [len(result.samples) for result in results] == [16 * 256, 32 * 256]


@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1), (3, 7, 11, 13), (1, 400)])
def test_the_shares_of_a_batch_sum_to_its_time(bench: Bench, lengths: tuple[int, ...]) -> None:
    bench.runner.run(bench.preparations(*lengths, owners=[(request, 0) for request in range(len(lengths))]))
    (event,) = bench.events
    assert isinstance(event, BatchRan)
    assert sum(member.seconds for member in event.members) == pytest.approx(event.seconds)


def test_a_batch_of_like_costs_has_no_padding(bench: Bench) -> None:
    bench.runner.run(bench.windows(32, 32, 32, owners=[(1, 0), (2, 0), (3, 0)]))
    (event,) = bench.events
    assert isinstance(event, BatchRan)
    assert event.padding_ratio == 0.0


@pytest.mark.parametrize("stage", ["prepare", "render"])
def test_a_batch_that_the_engine_raises_on_is_reported_with_everyone_in_it(bench: Bench, stage: str) -> None:
    owners = [(7, 2), (9, 0)]
    make = bench.preparations if stage == "prepare" else bench.windows
    batch = make(10, 20, owners=owners)
    bench.error = RuntimeError("out of order")
    with pytest.raises(BatchFailed) as caught:
        bench.runner.run(batch)
    assert caught.value.__cause__ is bench.error
    assert bench.events == [EngineRaised("tone", stage, (Member(7, 2, 3.0), Member(9, 0, 3.0)), 100.0, bench.error)]


def is_refused(bench: Bench, batch: Batch, results: list[StepResult]) -> bool:
    """Whether an engine that returns these results has broken its contract for every member, each reported."""
    bench.events.clear()
    bench.spoil(results)
    outcomes, _ = bench.runner.run(batch)
    broken = [outcome for outcome in outcomes if isinstance(outcome, BrokenContract)]
    assert [event.error for event in bench.events if isinstance(event, EngineRaised)] == broken
    return len(broken) == len(batch.members)


def test_too_few_results_break_the_contract_for_every_member(bench: Bench) -> None:
    batch = bench.windows(16, 16, owners=[(1, 0), (2, 0)])
    assert is_refused(bench, batch, [batch.members[0].job.job.move(batch.members[0].step)])


@pytest.mark.parametrize("change", [-1, 1])
def test_another_length_than_was_promised_breaks_the_contract(bench: Bench, change: int) -> None:
    batch = bench.windows(16, owners=[(1, 0)])
    made = np.zeros(16 * 256 + change, np.float32)
    assert is_refused(bench, batch, [StepResult(made, is_last=False)])


def test_audio_where_none_was_promised_breaks_the_contract(bench: Bench) -> None:
    batch = bench.preparations(10, owners=[(1, 0)])
    assert is_refused(bench, batch, [StepResult(np.zeros(1, np.float32), is_last=False)])


def test_an_engine_may_make_any_length_where_it_promised_none(bench: Bench) -> None:
    [member] = bench.windows(16, owners=[(1, 0)]).members
    batch = Batch((member._replace(step=replace(member.step, audio_seconds=None)),))
    for length in (0, 1, 77):
        result = StepResult(np.zeros(length, np.float32), is_last=False)
        assert not is_refused(bench, batch, [result])


@pytest.mark.parametrize(("total_samples", "is_broken"), [(0, True), (1, False)])
def test_an_utterance_of_no_length_breaks_the_contract(bench: Bench, total_samples: int, is_broken: bool) -> None:
    batch = bench.preparations(10, owners=[(1, 0)])
    assert is_refused(bench, batch, [StepResult(NO_SAMPLES, is_last=False, total_samples=total_samples)]) is is_broken


@pytest.mark.parametrize(("total_frames", "is_broken"), [(19, True), (20, False)])
def test_an_utterance_shorter_than_what_is_made_of_it_breaks_the_contract(
    bench: Bench, total_frames: int, is_broken: bool
) -> None:
    batch = bench.windows(16, owners=[(1, 0)])
    batch.members[0].job.made_samples = 4 * 256
    made = np.zeros(16 * 256, np.float32)
    assert is_refused(bench, batch, [StepResult(made, is_last=False, total_samples=total_frames * 256)]) is is_broken


def test_who_breaks_the_contract_fails_alone_and_the_others_keep_their_results(bench: Bench) -> None:
    batch = bench.windows(16, 16, owners=[(1, 0), (2, 0)])
    good = batch.members[1].job.job.move(batch.members[1].step)
    bench.spoil([replace(good, samples=good.samples[1:]), good])
    (bad, kept), members = bench.runner.run(batch)
    assert isinstance(bad, BrokenContract)
    assert kept is good
    assert [event.members for event in bench.events if isinstance(event, EngineRaised)] == [(Member(1, 0, 0.0),)]
    assert len(members) == 2
