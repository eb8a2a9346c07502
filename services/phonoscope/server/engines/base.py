"""The contract between the scheduler and whatever makes samples.

An engine turns utterances into samples by steps. The scheduler chooses which steps run together and knows nothing of
phonemes, frames, tokens or latents: it sees what a step costs, how much audio it makes and which steps may share a
batch. `open` begins an utterance, `Job.next_step` says what to do next, `run` does it for several jobs at once, and
`close` frees what a job holds.

An engine blocks, and is called from one thread only: that of its lane. docs/architecture.md shows how to add one.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.types import Utterance, Voice

NO_SAMPLES: NDArray[np.float32] = np.zeros(0, np.float32)
NO_SAMPLES.setflags(write=False)


class Job(Protocol):
    """One utterance under way. What it holds belongs to its engine."""

    def next_step(self, audio_seconds: float) -> "Step | None":
        """Returns the next step; None once the utterance is finished.

        Asking changes nothing: only `Engine.run` moves a job on.

        Args:
            audio_seconds: how much audio is wanted of the step, in seconds. An engine that cannot cut its work to
                that length returns the nearest that it can do.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """The next work of one job.

    Attributes:
        job: whose work it is.
        kind: one of the engine's `step_kinds`.
        batch_key: steps of one kind with equal keys may run together.
        cost: amount of work in a unit of this kind, such as phonemes, frames or tokens; above 0. The scheduler learns
            the time of a batch as a line over the sum of the costs.
        audio_seconds: audio that the step makes: exact; 0 where it makes none; None where only running it shows.
    """

    job: Job
    kind: str
    batch_key: Hashable
    cost: float
    audio_seconds: float | None


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """What one step gave.

    Attributes:
        samples: the next of the utterance, in [-1, 1], shape (n,); n may be 0.
        is_last: whether the utterance is finished.
        total_samples: of the whole utterance, once that is known.
        symbol_samples: how many samples each symbol of the utterance lasts, in order; sums to `total_samples`. None
            where the engine cannot tell.
    """

    samples: NDArray[np.float32]
    is_last: bool
    total_samples: int | None = None
    symbol_samples: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an engine does best on its device.

    Attributes:
        max_batch: most steps in one batch, by kind.
        audio_seconds: lengths of audio that a step is best asked for, ascending: the first is for an early first
            audio, and beyond the last nothing is gained. Empty where the engine decides how much a step makes.
        max_jobs: jobs that may be open at once; None for any number. Jobs of an engine with a limit run to their end
            even if their reader pauses, so that a slow reader does not hold the engine.
        plans_ahead: whether an utterance's length is known once its steps without audio have run. A whole reply that
            turns out too long is refused then, before any audio is made.
    """

    max_batch: Mapping[str, int]
    audio_seconds: tuple[float, ...] = ()
    max_jobs: int | None = None
    plans_ahead: bool = False


class Engine(Protocol):
    """Speaks utterances with the voices that it has loaded."""

    @property
    def name(self) -> str:
        """Short name of the engine, such as "vits"; a metric label."""

    @property
    def device(self) -> str:
        """Where it computes, such as "cpu" or "cuda:0"."""

    @property
    def precision(self) -> str:
        """What it computes in: "float32", "bfloat16" or "float16"; final once `warm_up` has returned."""

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""

    @property
    def step_kinds(self) -> Sequence[str]:
        """The kinds of its steps, in the order in which an utterance takes them; a metric label."""

    @property
    def tuning(self) -> Tuning:
        """What the scheduler should know of the engine and its device."""

    def warm_up(self) -> None:
        """Runs every kind of step once per voice, so that the first request finds everything allocated."""

    def open(self, utterance: Utterance) -> Job:
        """Begins an utterance. Cheap: nothing is computed yet."""

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Runs steps of one kind and one batch key, at most `tuning.max_batch` of them, and moves their jobs on.

        What a job gives does not depend on its batch-mates. If it raises, no job has moved on: the scheduler then
        runs each step by itself.
        """

    def close(self, job: Job) -> None:
        """Frees what a job holds: finished, cancelled or failed. Called once for each job."""
