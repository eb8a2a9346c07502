"""The contract between the scheduler and the engines.

An engine turns utterances into samples in steps. The scheduler chooses which steps run together and is independent of
phonemes, frames, tokens and latents: it sees what a step costs, how much audio it makes and which steps may share a
batch. `open` begins an utterance, `Job.next_step` returns the next step, `run` runs steps of several jobs at once, and
`close` frees a job's resources.

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


class EngineLost(Exception):
    """The engine cannot run again in this process: its device is lost, for example. The message says what happened.

    Raised by `Engine.open`, `run` or `idle_work`, or by `Job.next_step`. It ends every request of the lane, and the
    server reports NOT_SERVING until it is restarted. Any other exception fails the utterance alone.
    """


class Job(Protocol):
    """One utterance in progress. Its state belongs to its engine."""

    def next_step(self, audio_seconds: float) -> "Step | None":
        """Returns the next step; None once the utterance is finished.

        It has no side effects: only `Engine.run` advances a job.

        Args:
            audio_seconds: requested audio of the step, in seconds. An engine that cannot cut its work to
                that length returns the nearest step that it can run.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """The next work of one job.

    Attributes:
        job: the job that it belongs to.
        kind: one of the engine's `step_kinds`.
        batch_key: steps of one kind with equal keys may run together.
        cost: amount of work in a unit of this kind, such as phonemes, frames or tokens; above 0. The scheduler learns
            the time of a batch as a line over the sum of the costs.
        audio_seconds: audio that the step makes, exact; 0 for none; None if unknown until it runs.
    """

    job: Job
    kind: str
    batch_key: Hashable
    cost: float
    audio_seconds: float | None


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """The result of one step.

    Attributes:
        samples: the next samples of the utterance, in [-1, 1], shape (n,); n may be 0.
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
    """An engine's preferred batches and steps on its device.

    Attributes:
        max_batch: maximum steps in one batch, by kind.
        audio_seconds: preferred audio lengths of a step, ascending: the first is for an early first audio, and longer
            than the last has no benefit. Empty if the engine decides how much a step makes.
        max_jobs: jobs that may be open at once; None for no limit. Jobs of an engine with a limit run to their end
            even if their reader pauses, so that a slow reader does not block the engine.
        plans_ahead: whether an utterance's length is known once its steps without audio have run. A unary reply that
            is too long is refused then, before any audio is rendered.
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
        """The precision of its computation: "float32", "bfloat16" or "float16"; final once `warm_up` has returned."""

    @property
    def voices(self) -> Sequence[Voice]:
        """The loaded voices."""

    @property
    def step_kinds(self) -> Sequence[str]:
        """The kinds of its steps, in the order in which an utterance takes them; a metric label."""

    @property
    def tuning(self) -> Tuning:
        """The engine's preferences on its device, for the scheduler."""

    def warm_up(self) -> None:
        """Runs what the first request needs, and no more: the server is not ready before it returns."""

    def idle_work(self) -> int:
        """Does one short piece of work that makes later requests faster, and returns how many are left.

        Called after `warm_up`, while no request is held, until it returns 0. A request that arrives waits for the
        piece: at most some 50 ms.
        """

    def open(self, utterance: Utterance) -> Job:
        """Begins an utterance. Cheap: nothing is computed yet."""

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        """Runs steps of one kind and one batch key, at most `tuning.max_batch` of them, and advances their jobs.

        A job's result does not depend on its batch-mates. If it raises, no job has advanced: the scheduler then
        runs each step by itself.

        Raises:
            EngineLost: no later batch can succeed.
        """

    def close(self, job: Job) -> None:
        """Frees the resources of a finished, cancelled or failed job. Called once for each job."""
