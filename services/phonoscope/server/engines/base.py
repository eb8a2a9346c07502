"""The contract between the scheduler and whatever makes samples.

An engine blocks and is called from one thread, the engine thread. `prepare` is the global half: text to latents and
alignment, once per utterance. `render` is the local half: a window of frames to samples. Because `render` looks no
further than a fixed number of frames to each side, any cut into windows gives the same samples. All noise is drawn in
`prepare`, from the utterance's seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.types import Utterance, Voice


@dataclass(frozen=True, slots=True)
class Plan:
    """An utterance after `prepare`: its length is known, its samples are not made yet.

    Engines subclass it to keep what `render` needs.

    Attributes:
        voice_id: the voice; windows of one render batch share it.
        frames: length of the utterance in frames.
        samples_per_frame: samples that each frame becomes.
        sample_rate_hz: of those samples.
        phoneme_frames: frames that each phoneme id lasts; sums to `frames`.
    """

    voice_id: str
    frames: int
    samples_per_frame: int
    sample_rate_hz: int
    phoneme_frames: tuple[int, ...]

    @property
    def audio_seconds(self) -> float:
        """Duration of the whole utterance in seconds."""
        return self.frames * self.samples_per_frame / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Window:
    """Frames `start` to `stop` (excluded) of a plan: the unit of `render`."""

    plan: Plan
    start: int
    stop: int

    @property
    def frames(self) -> int:
        """Number of frames that the window asks for."""
        return self.stop - self.start

    @property
    def audio_seconds(self) -> float:
        """Duration of the window in seconds."""
        return self.frames * self.plan.samples_per_frame / self.plan.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an engine does best on its device; the scheduler sizes batches and windows by it.

    Attributes:
        prepare_batch: most utterances in one `prepare`.
        render_batch: most windows in one `render`.
        first_window_frames: frames of a stream's first window, small for an early first sound.
        largest_window_frames: frames beyond which a window gains nothing.
        window_frames: lengths of windows that the engine pads least, ascending, from the first to the largest; empty
            where every length is alike.
    """

    prepare_batch: int
    render_batch: int
    first_window_frames: int
    largest_window_frames: int
    window_frames: tuple[int, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths that windows have, ascending: `window_frames`, or doublings of the first."""
        if self.window_frames:
            return self.window_frames
        sizes = [self.first_window_frames]
        while sizes[-1] < self.largest_window_frames:
            sizes.append(min(2 * sizes[-1], self.largest_window_frames))
        return tuple(sizes)


class Engine(Protocol):
    """Speaks utterances with the voices that it has loaded."""

    @property
    def name(self) -> str:
        """Short name of the engine, such as "vits"."""

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""

    @property
    def precision(self) -> str:
        """What `render` computes in: "float32", "bfloat16" or "float16"; final once `warm_up` has returned."""

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""

    @property
    def tuning(self) -> Tuning:
        """What the scheduler should know of the device."""

    def warm_up(self) -> None:
        """Runs both halves once per voice, so that the first request finds everything allocated."""

    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        """Turns utterances of one voice into plans, in order; batch-mates do not change each other."""

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Turns windows of one voice into samples in [-1, 1], shape (window.frames * samples_per_frame,) each."""
