"""Runs batches of steps: each is timed, checked against the contract of `engines/base.py`, and reported as an event.

A batch's time is shared among its members by their costs. Called by `scheduler.py` on the lane's thread.
"""

from collections.abc import Callable, Sequence

from phonoscope.server.engines.base import StepResult
from phonoscope.server.events import BatchRan, Emit, EngineRaised, Member
from phonoscope.server.scheduling.policy import Batch, PlannedStep


class BatchFailed(Exception):
    """The engine raised, or broke its contract; an EngineRaised event has the details."""


class BatchRunner:
    """Runs batches and emits BatchRan or EngineRaised for each.

    Args:
        emit: gets the events.
        clock: seconds, monotonic.
    """

    def __init__(self, emit: Emit, clock: Callable[[], float]) -> None:
        self._emit = emit
        self._clock = clock

    def run(self, batch: Batch) -> tuple[Sequence[StepResult], tuple[Member, ...]]:
        """Runs a batch; returns a result for each step, and each member's share of the time.

        Raises:
            BatchFailed: the engine raised, or its results do not fit the steps.
        """
        began = self._clock()
        try:
            results = batch.slot.engine.run([member.step for member in batch.members])
            _check(results, batch.members)
        except Exception as error:
            raise self._failed(batch, began, error) from error
        return results, self._ran(batch, began)

    def _failed(self, batch: Batch, began: float, error: Exception) -> BatchFailed:
        share = (self._clock() - began) / len(batch.members)
        members = tuple(_member(one, share) for one in batch.members)
        self._emit(EngineRaised(_voice(batch), batch.kind, members, began, error))
        return BatchFailed(f"{batch.kind} of {len(members)} raised {type(error).__name__}")

    def _ran(self, batch: Batch, began: float) -> tuple[Member, ...]:
        costs = [member.step.cost for member in batch.members]
        seconds, total = self._clock() - began, sum(costs)
        padding = 1 - total / (len(costs) * max(costs))
        members = tuple(_member(one, seconds * cost / total) for one, cost in zip(batch.members, costs, strict=True))
        self._emit(BatchRan(_voice(batch), batch.kind, members, began, seconds, padding))
        return members


def _member(planned: PlannedStep, seconds: float) -> Member:
    return Member(planned.state.number, planned.job.queued.index, seconds)


def _voice(batch: Batch) -> str:
    return batch.members[0].job.queued.utterance.voice_id


def _check(results: Sequence[StepResult], members: Sequence[PlannedStep]) -> None:
    """Raises ValueError where results are not one for each step, or not of the length that was promised."""
    if len(results) != len(members):
        raise ValueError(f"the engine returned {len(results)} results for {len(members)} steps")
    for result, member in zip(results, members, strict=True):
        job, promised, made = member.job, member.step.audio_seconds, len(result.samples)
        if promised is not None and made != round(promised * job.sample_rate_hz):
            raise ValueError(f"the engine made {made} samples in a step of {promised} s at {job.sample_rate_hz} Hz")
        if result.total_samples is not None and result.total_samples < max(1, job.made_samples + made):
            raise ValueError(f"the engine made {job.made_samples + made} samples of {result.total_samples}")
        if not result.is_last and job.next_step(0.0) is None:
            raise job.failure or ValueError("the engine has no next step for an utterance that it did not finish")
