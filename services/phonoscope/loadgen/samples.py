"""Samples of single calls, for the plots and the JSON report. generator.py fills the log."""

import random
from dataclasses import dataclass
from typing import Final

from phonoscope.loadgen.plan import CallResult

MAX_SAMPLES: Final = 100_000
"""About 20 MB; a run of fewer calls has a sample of each call."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call as its caller sees it; times, except the first, count from when it was due.

    Attributes:
        due_seconds: when it was due, since the start of the run.
        first_audio_seconds: until the first audio; None when there was none.
        seconds: until its end, successful or not.
        audio_seconds: duration of its audio.
        underruns: how often a player would have run out of audio.
        error: "" for a call that succeeded, was refused as expected, or was cancelled.
        is_cancelled: whether its caller cancelled it.
    """

    due_seconds: float
    first_audio_seconds: float | None
    seconds: float
    audio_seconds: float
    underruns: int
    error: str
    is_cancelled: bool = False


class SampleLog:
    """Keeps a sample of up to `max_samples` calls, in which each call has the same probability.

    Reservoir sampling by Vitter's algorithm R ("Random Sampling with a Reservoir", 1985).
    """

    def __init__(self, max_samples: int = MAX_SAMPLES, *, seed: int = 0) -> None:
        self.calls = 0
        """Number of calls added, in the sample or not."""
        self._max_samples = max_samples
        self._rng = random.Random(f"samples {seed}")  # noqa: S311 - a choice of samples, not a secret
        self._kept: list[Sample] = []

    def add(self, result: CallResult, due_seconds: float) -> None:
        """Adds a call that has ended; `due_seconds` counts from the start of the run."""
        self.calls += 1
        place = len(self._kept) if self.calls <= self._max_samples else self._rng.randrange(self.calls)
        if place >= self._max_samples:
            return
        sample = sample_of(result, due_seconds)
        if place == len(self._kept):
            self._kept.append(sample)
        else:
            self._kept[place] = sample

    def samples(self) -> tuple[Sample, ...]:
        """Returns the samples in the order in which the calls were due."""
        return tuple(sorted(self._kept, key=lambda sample: sample.due_seconds))


def sample_of(result: CallResult, due_seconds: float) -> Sample:
    """Returns the sample of one call."""
    is_expected = result.call.is_bad and result.is_refused
    return Sample(
        due_seconds=due_seconds,
        first_audio_seconds=result.first_audio_seconds,
        seconds=result.seconds,
        audio_seconds=result.audio_seconds,
        underruns=result.underruns,
        error="" if is_expected else result.error,
        is_cancelled=result.is_cancelled,
    )
