"""Runs batches of steps: times each, checks it against the contract of `engines/base.py`, and emits an event.

A batch's time is shared among its members by their costs. Called by `lane_worker.py`.
"""

from collections.abc import Callable, Sequence

from phonoscope.server.engines.base import EngineLost, StepResult
from phonoscope.server.events import BatchRan, Emit, EngineRaised, Member
from phonoscope.server.scheduling.next_steps import PlannedStep
from phonoscope.server.scheduling.policy import Batch


class BatchFailed(Exception):
    """The engine raised, and no job has advanced; an EngineRaised event has the details."""


class BrokenContract(Exception):
    """The engine's result for a step breaks the contract."""


class BatchRunner:
    """Runs batches and emits BatchRan or EngineRaised for each.

    Args:
        emit: receives the events.
        clock: seconds, monotonic.
    """

    def __init__(self, emit: Emit, clock: Callable[[], float]) -> None:
        self._emit = emit
        self._clock = clock

    def run(self, batch: Batch) -> tuple[Sequence[StepResult | BrokenContract], tuple[Member, ...]]:
        """Runs a batch; returns the outcome of each step, and each member's share of the time.

        Jobs have advanced once the engine returns, so a result that breaks the contract fails its own member, and the
        others keep their results.

        Raises:
            BatchFailed: the engine raised.
            EngineLost: the engine raised it.
        """
        began = self._clock()
        try:
            results = batch.slot.engine.run([member.step for member in batch.members])
        except EngineLost as error:
            self._failed(batch, began, error)
            raise
        except Exception as error:
            raise self._failed(batch, began, error) from error
        for member in batch.members:
            member.job.has_run()
        outcomes = _checked(results, batch.members)
        for outcome, member in zip(outcomes, batch.members, strict=True):
            if isinstance(outcome, BrokenContract):
                self._emit(EngineRaised(_voice(batch), batch.kind, (_member(member, 0.0),), began, outcome))
        return outcomes, self._ran(batch, began)

    def _failed(self, batch: Batch, began: float, error: Exception) -> BatchFailed:
        share = (self._clock() - began) / len(batch.members)
        members = tuple(_member(one, share) for one in batch.members)
        self._emit(EngineRaised(_voice(batch), batch.kind, members, began, error))
        return BatchFailed(f"{batch.kind} of {len(members)} raised {type(error).__name__}: {error}")

    def _ran(self, batch: Batch, began: float) -> tuple[Member, ...]:
        costs = [member.step.cost for member in batch.members]
        seconds, total = self._clock() - began, sum(costs)
        padding = 1 - total / (len(costs) * max(costs))
        members = tuple(_member(one, seconds * cost / total) for one, cost in zip(batch.members, costs, strict=True))
        self._emit(BatchRan(_voice(batch), batch.kind, members, began, seconds, padding))
        return members


def _member(planned: PlannedStep, seconds: float) -> Member:
    return Member(planned.state.reported_number, planned.job.queued.index, seconds)


def _voice(batch: Batch) -> str:
    return batch.members[0].job.queued.utterance.voice_id


def _checked(results: Sequence[StepResult], members: Sequence[PlannedStep]) -> Sequence[StepResult | BrokenContract]:
    """Returns each step's result, or the error in it."""
    if len(results) != len(members):
        return [BrokenContract(f"the engine returned {len(results)} results for {len(members)} steps")] * len(members)
    faults = (_fault(result, member) for result, member in zip(results, members, strict=True))
    return [BrokenContract(fault) if fault else result for result, fault in zip(results, faults, strict=True)]


def _fault(result: StepResult, member: PlannedStep) -> str:
    """Returns how a result breaks the contract of its step; "" if it does not."""
    job, promised, made = member.job, member.step.audio_seconds, len(result.samples)
    if promised is not None and made != round(promised * job.sample_rate_hz):
        return f"the engine made {made} samples in a step of {promised} s at {job.sample_rate_hz} Hz"
    if result.total_samples is not None and result.total_samples < max(1, job.made_samples + made):
        return f"the engine made {job.made_samples + made} samples of {result.total_samples}"
    if not result.is_last and job.next_step(0.0) is None:
        return f"the engine has no next step for an utterance that it did not finish: {job.failure or 'None'}"
    return ""
