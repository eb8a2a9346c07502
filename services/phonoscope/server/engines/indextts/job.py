"""One utterance in progress in the IndexTTS engine: its recordings first, then segment after segment.

The library runs all networks of a segment in one call: the autoregressive one, the flow and the vocoder. So a segment
is the smallest step, and what a cancellation waits for.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from phonoscope.server.engines.base import Job, Step
from phonoscope.server.engines.indextts.library import SEGMENT_TOKENS, Segment, Wish

CONDITION: Final = "condition"
SEGMENT: Final = "segment"


@dataclass(slots=True, eq=False)
class IndexTtsJob:
    """An utterance.

    Attributes:
        wish: what to speak.
        seed: of its noise.
        tokens: of each of its segments: an estimate for the first, until it is spoken.
        is_conditioned: whether nothing has to be computed from its recordings any more.
        spoken: segments that were spoken or skipped.
        has_sound: whether one was spoken.
        is_finished: whether all were.
        noise: state of the random generators after its latest step, the CPU's and the device's; None before the first.
        segments: spoken by the library one after another; None before the first.
    """

    wish: Wish
    seed: int
    tokens: list[int]
    is_conditioned: bool
    spoken: int = 0
    has_sound: bool = False
    is_finished: bool = False
    noise: tuple[Tensor, Tensor] | None = None
    segments: Generator[Segment] | None = None

    def next_step(self, audio_seconds: float) -> Step | None:  # noqa: ARG002  a segment makes what it makes
        """Returns the step of its recordings, then of each segment; None at the end."""
        if self.is_finished:
            return None
        if not self.is_conditioned:
            return Step(self, CONDITION, self, cost=1.0, audio_seconds=0.0)
        tokens = self.tokens[min(self.spoken, len(self.tokens) - 1)]
        return Step(self, SEGMENT, self, cost=float(min(max(tokens, 1), SEGMENT_TOKENS)), audio_seconds=None)


def own_job(job: Job) -> IndexTtsJob:
    """Returns a job as one of this engine.

    Raises:
        TypeError: it is another engine's.
    """
    if not isinstance(job, IndexTtsJob):
        raise TypeError(f"{type(job).__name__} is not a job of the IndexTTS engine")
    return job
