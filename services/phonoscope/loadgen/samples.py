"""One line for each call, for plots and for programs: generator.py fills the log, the summary carries it."""

import random
from dataclasses import dataclass
from typing import Final

from phonoscope.loadgen.plan import CallResult

MOST_SAMPLES: Final = 100_000
"""Some 20 MB; a run of fewer calls has a sample of each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one call was to its caller; the times but the first count from when it was due.

    Attributes:
        due_seconds: when it was due, from the start of the run.
        first_audio_seconds: until the first audio; None when there was none.
        seconds: until it ended, however it did.
        audio_seconds: how much was heard.
        underruns: how often a player would have run dry.
        error: "" for a call that succeeded, was refused as it was meant to be, or was cancelled.
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
    """Keeps every call while there are few; beyond `most`, as many of them, each call with the same chance.

    The choice is Vitter's algorithm R ("Random Sampling with a Reservoir", 1985).
    """

    def __init__(self, most: int = MOST_SAMPLES, *, seed: int = 0) -> None:
        self.calls = 0
        """Calls that were added, kept or not."""
        self._most = most
        self._chance = random.Random(f"samples {seed}")  # noqa: S311 - a choice of samples, not a secret
        self._kept: list[Sample] = []

    def add(self, made: CallResult, due_seconds: float) -> None:
        """Takes a call that has ended, and was due so long after the start of the run."""
        self.calls += 1
        place = len(self._kept) if self.calls <= self._most else self._chance.randrange(self.calls)
        if place >= self._most:
            return
        sample = sample_of(made, due_seconds)
        if place == len(self._kept):
            self._kept.append(sample)
        else:
            self._kept[place] = sample

    def samples(self) -> tuple[Sample, ...]:
        """Returns what was kept, in the order in which the calls were due."""
        return tuple(sorted(self._kept, key=lambda sample: sample.due_seconds))


def sample_of(made: CallResult, due_seconds: float) -> Sample:
    """Returns the sample of one call."""
    is_meant = made.call.is_bad and made.is_refused
    return Sample(
        due_seconds=due_seconds,
        first_audio_seconds=made.first_audio_seconds,
        seconds=made.seconds,
        audio_seconds=made.audio_seconds,
        underruns=made.underruns,
        error="" if is_meant else made.error,
        is_cancelled=made.is_cancelled,
    )
