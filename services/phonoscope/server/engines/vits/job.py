"""One utterance in progress in the VITS engine: prepared in one step, then rendered window by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.engines.base import Job, Step, StepResult
from phonoscope.server.engines.vits.config import PiperVoice
from phonoscope.server.engines.vits.plan import VitsPlan, VitsUtterance, Window
from phonoscope.server.engines.windows import nearest_size, window_stops
from phonoscope.server.types import Utterance

PREPARE: Final = "prepare"
RENDER: Final = "render"


@dataclass(frozen=True, slots=True)
class RenderStep(Step):
    """A step of `render`: consecutive windows; several only where much audio is requested at once."""

    windows: tuple[Window, ...]


class VitsJob:
    """An utterance's state between steps.

    Args:
        utterance: as the network's input.
        sizes: preferred lengths of windows, in frames, ascending.
        max_windows: maximum number in one step.

    Attributes:
        plan: None until `prepare` has run.
        cursor: the next frame to render.
    """

    def __init__(self, utterance: VitsUtterance, sizes: Sequence[int], max_windows: int) -> None:
        self.utterance = utterance
        self.plan: VitsPlan | None = None
        self.cursor = 0
        self._sizes = sizes
        self._max_windows = max_windows

    def next_step(self, audio_seconds: float) -> Step | None:
        """Returns the utterance's `prepare`, then steps of about this much audio; None at its end."""
        plan = self.plan
        if plan is None:
            ids = self.utterance.phoneme_ids
            return Step(self, PREPARE, self.utterance.voice_id, cost=len(ids), audio_seconds=0.0)
        if self.cursor == plan.frames:
            return None
        windows = self._windows(plan, audio_seconds)
        frames = windows[-1].stop - self.cursor
        seconds = frames * plan.samples_per_frame / plan.sample_rate_hz
        return RenderStep(self, RENDER, plan.voice_id, cost=frames, audio_seconds=seconds, windows=windows)

    def _windows(self, plan: VitsPlan, audio_seconds: float) -> tuple[Window, ...]:
        wanted = audio_seconds * plan.sample_rate_hz / plan.samples_per_frame
        count = max(1, min(self._max_windows, int(wanted / self._sizes[-1])))
        stops = window_stops(self.cursor, nearest_size(self._sizes, wanted), plan.frames, count)
        starts = [self.cursor, *stops]
        return tuple(Window(plan, start, stop) for start, stop in zip(starts, stops, strict=False))


def vits_utterance(utterance: Utterance, voice: PiperVoice) -> VitsUtterance:
    """Returns an utterance as the network's input, with the voice's own scales."""
    return VitsUtterance(
        voice_id=voice.id,
        phoneme_ids=tuple(int(symbol) for symbol in utterance.symbols),
        speaker=utterance.speaker,
        length_scale=voice.length_scale,
        noise_scale=voice.noise_scale * utterance.variation,
        noise_w_scale=voice.noise_w_scale * utterance.rhythm_variation,
        seed=utterance.seed,
        speed=utterance.speed,
        rates=utterance.rates,
    )


def own_job(job: Job) -> VitsJob:
    """Returns a job of this engine. Raises TypeError for any other."""
    if not isinstance(job, VitsJob):
        raise TypeError(f"{type(job).__name__} is not a job of the VITS engine")
    return job


def windows_of(step: Step) -> Sequence[Window]:
    """Returns the windows of a step. Raises TypeError for a step without windows."""
    if not isinstance(step, RenderStep):
        raise TypeError(f"a step of kind {step.kind!r} has no windows to render")
    return step.windows


def step_result(samples: NDArray[np.float32], plan: VitsPlan, rendered: int) -> StepResult:
    """Returns a step's result, with `rendered` frames of the plan rendered so far."""
    per_frame = plan.samples_per_frame
    return StepResult(
        samples,
        is_last=rendered == plan.frames,
        total_samples=plan.samples,
        symbol_samples=tuple(frames * per_frame for frames in plan.phoneme_frames),
    )
