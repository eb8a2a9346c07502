"""One utterance in progress in the Kokoro engine: planned in one step, then rendered part by part.

An utterance is one part. Only one of more phonemes than the network reads at once is cut, at spaces, into several.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from phonoscope.server.engines.base import Job, Step
from phonoscope.server.engines.kokoro.model import DecoderInput
from phonoscope.server.types import Utterance

PREPARE: Final = "prepare"
RENDER: Final = "render"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of an utterance whose length is known.

    Attributes:
        frames: that each of its phonemes lasts, with the pads at both ends.
        given: the decoder's input.
        noise: of the harmonic source, (samples,).
    """

    frames: tuple[int, ...]
    given: DecoderInput
    noise: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class RenderStep(Step):
    """A step of `render`: one part."""

    part: Part


class KokoroJob:
    """An utterance's state between steps.

    Args:
        utterance: what to say.
        frame_seconds: duration of a frame.

    Attributes:
        parts: None until `prepare` has run.
        rendered: how many parts are rendered.
        symbol_samples: of each symbol of the utterance; empty until `prepare` has run.
    """

    def __init__(self, utterance: Utterance, frame_seconds: float) -> None:
        self.utterance = utterance
        self.parts: Sequence[Part] | None = None
        self.rendered = 0
        self.symbol_samples: tuple[int, ...] = ()
        self._frame_seconds = frame_seconds

    def next_step(self, audio_seconds: float) -> Step | None:  # noqa: ARG002  a part cannot be cut
        """Returns the utterance's `prepare`, then a step for each part; None at its end."""
        voice_id = self.utterance.voice_id
        if self.parts is None:
            return Step(self, PREPARE, voice_id, cost=len(self.utterance.symbols), audio_seconds=0.0)
        if self.rendered == len(self.parts):
            return None
        part = self.parts[self.rendered]
        frames = sum(part.frames)
        return RenderStep(self, RENDER, voice_id, frames, frames * self._frame_seconds, part)


def own_job(job: Job) -> KokoroJob:
    """Returns a job of this engine. Raises TypeError for any other."""
    if not isinstance(job, KokoroJob):
        raise TypeError(f"{type(job).__name__} is not a job of the Kokoro engine")
    return job


def part_of(step: Step) -> Part:
    """Returns the part of a step. Raises TypeError for a step without one."""
    if not isinstance(step, RenderStep):
        raise TypeError(f"a step of kind {step.kind!r} has no part to render")
    return step.part


def cut_symbols(symbols: Sequence[int], limit: int, space: int) -> Iterator[Sequence[int]]:
    """Yields the phonemes between the pads of an utterance, at most `limit` at a time, cut after spaces."""
    inner = symbols[1:-1]
    start = 0
    while len(inner) - start > limit:
        stop = next((at for at in range(start + limit, start, -1) if inner[at - 1] == space), start + limit)
        yield inner[start:stop]
        start = stop
    yield inner[start:]


def joined_frames(parts: Sequence[Part]) -> tuple[int, ...]:
    """Returns the frames of an utterance's symbols: pads between parts belong to the phonemes beside them."""
    joined: list[int] = []
    for part in parts:
        frames = list(part.frames)
        if joined:
            last, first = joined.pop(), frames.pop(0)
            joined[-1] += last
            frames[0] += first
        joined += frames
    return tuple(joined)
