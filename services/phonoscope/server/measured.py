"""⑤ The engine as the scheduler sees it: each batch is timed, held to the contract of `engines/base.py`, and told of.

Called by `scheduler.py` on the engine thread.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.engines.base import Engine, Plan, Window
from phonoscope.server.events import BatchRan, Emit, EngineRaised, EngineStage
from phonoscope.server.types import Utterance


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

    def prepare(self, batch: Sequence[Utterance]) -> tuple[list[Plan], float]:
        """Returns a plan for each utterance, and the seconds that it took.

        Raises:
            BatchFailed: the engine raised, or its plans are not one for each, with frames.
        """
        started, voice = self._clock(), batch[0].voice_id
        try:
            plans = self._engine.prepare(batch)
            _check_plans(plans, len(batch))
        except Exception as error:
            raise self._failed(voice, "prepare", len(batch), error) from error
        return plans, self._ran(voice, "prepare", [len(utterance.phoneme_ids) for utterance in batch], started)

    def render(self, batch: Sequence[Window]) -> tuple[list[NDArray[np.float32]], float]:
        """Returns the samples of each window, and the seconds that it took.

        Raises:
            BatchFailed: the engine raised, or made another number of samples.
        """
        started, voice = self._clock(), batch[0].plan.voice_id
        try:
            waveforms = self._engine.render(batch)
            _check_waveforms(waveforms, batch)
        except Exception as error:
            raise self._failed(voice, "render", len(batch), error) from error
        return waveforms, self._ran(voice, "render", [window.frames for window in batch], started)

    def _failed(self, voice: str, stage: EngineStage, size: int, error: Exception) -> BatchFailed:
        self._emit(EngineRaised(voice, stage, size, error))
        return BatchFailed(f"{stage} of {size} raised {type(error).__name__}")

    def _ran(self, voice: str, stage: EngineStage, lengths: Sequence[int], started: float) -> float:
        """Tells of a batch of these lengths, in phonemes or frames; returns the seconds that it took."""
        seconds = self._clock() - started
        padding = 1 - sum(lengths) / (len(lengths) * max(lengths))
        self._emit(BatchRan(voice, stage, len(lengths), seconds, padding))
        return seconds


def _check_plans(plans: Sequence[Plan], count: int) -> None:
    if len(plans) != count or not all(plan.frames > 0 for plan in plans):
        raise ValueError(f"the engine made plans of {[plan.frames for plan in plans]} frames for {count} utterances")


def _check_waveforms(waveforms: Sequence[NDArray[np.float32]], windows: Sequence[Window]) -> None:
    wanted = [window.frames * window.plan.samples_per_frame for window in windows]
    if (made := [len(samples) for samples in waveforms]) != wanted:
        raise ValueError(f"the engine made {made} samples for windows of {wanted}")
