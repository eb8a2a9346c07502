"""⑤ The engine as the scheduler sees it: each batch is timed, held to the contract of `engines/base.py`, and told of.

A batch's time is shared among its members by their lengths.

Called by `scheduler.py` on the engine thread.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.engines.base import Engine, Plan, Window
from phonoscope.server.events import BatchRan, Emit, EngineRaised, EngineStage, Member
from phonoscope.server.types import Utterance

Owner = tuple[int, int]  # a request's number, and the index of an utterance of it


class BatchFailed(Exception):
    """The engine raised, or broke its contract; EngineRaised has told how."""


class MeasuredEngine:
    """Runs batches of one engine and emits BatchRan or EngineRaised for each.

    Args:
        engine: blocks; called from the engine thread only.
        emit: told of every batch.
        clock: seconds, monotonic.
    """

    def __init__(self, engine: Engine, emit: Emit, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._emit = emit
        self._clock = clock

    def warm_up(self) -> None:
        """Warms the engine up; raises whatever it raises."""
        self._engine.warm_up()

    def prepare(self, batch: Sequence[Utterance], owners: Sequence[Owner]) -> tuple[list[Plan], tuple[Member, ...]]:
        """Returns a plan for each utterance, and each one's share of the time that it took.

        Raises:
            BatchFailed: the engine raised, or its plans are not one for each, with frames.
        """
        began, voice = self._clock(), batch[0].voice_id
        try:
            plans = self._engine.prepare(batch)
            _check_plans(plans, len(batch))
        except Exception as error:
            raise self._failed(voice, "prepare", owners, began, error) from error
        return plans, self._ran(voice, "prepare", owners, [len(utterance.phoneme_ids) for utterance in batch], began)

    def render(
        self, batch: Sequence[Window], owners: Sequence[Owner]
    ) -> tuple[list[NDArray[np.float32]], tuple[Member, ...]]:
        """Returns the samples of each window, and each one's share of the time that it took.

        Raises:
            BatchFailed: the engine raised, or made another number of samples.
        """
        began, voice = self._clock(), batch[0].plan.voice_id
        try:
            waveforms = self._engine.render(batch)
            _check_waveforms(waveforms, batch)
        except Exception as error:
            raise self._failed(voice, "render", owners, began, error) from error
        return waveforms, self._ran(voice, "render", owners, [window.frames for window in batch], began)

    def _failed(
        self, voice: str, stage: EngineStage, owners: Sequence[Owner], began: float, error: Exception
    ) -> BatchFailed:
        share = (self._clock() - began) / len(owners)
        members = tuple(Member(request, utterance, share) for request, utterance in owners)
        self._emit(EngineRaised(voice, stage, members, began, error))
        return BatchFailed(f"{stage} of {len(owners)} raised {type(error).__name__}")

    def _ran(
        self, voice: str, stage: EngineStage, owners: Sequence[Owner], lengths: Sequence[int], began: float
    ) -> tuple[Member, ...]:
        """Tells of a batch of these lengths, in phonemes or frames; returns its members with their shares."""
        seconds, total = self._clock() - began, sum(lengths)
        padding = 1 - total / (len(lengths) * max(lengths))
        members = tuple(
            Member(request, utterance, seconds * length / total)
            for (request, utterance), length in zip(owners, lengths, strict=True)
        )
        self._emit(BatchRan(voice, stage, members, began, seconds, padding))
        return members


def _check_plans(plans: Sequence[Plan], count: int) -> None:
    if len(plans) != count or not all(plan.frames > 0 for plan in plans):
        raise ValueError(f"the engine made plans of {[plan.frames for plan in plans]} frames for {count} utterances")


def _check_waveforms(waveforms: Sequence[NDArray[np.float32]], windows: Sequence[Window]) -> None:
    wanted = [window.frames * window.plan.samples_per_frame for window in windows]
    if (made := [len(samples) for samples in waveforms]) != wanted:
        raise ValueError(f"the engine made {made} samples for windows of {wanted}")
