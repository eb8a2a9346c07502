"""The engines of one device, as the scheduler sees them: each with its tuning, its cost model and its open jobs.

A lane is one thread that runs the steps of all engines on its device. `scheduler.py` owns the thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from phonoscope.server.engines.base import Engine, Tuning
from phonoscope.server.scheduling.cost_model import CostModel, Estimates
from phonoscope.server.scheduling.failure_streak import FailureStreak
from phonoscope.server.types import Utterance


@dataclass(slots=True, eq=False)
class Slot:
    """One engine of a lane.

    Attributes:
        engine: called from the lane's thread only.
        tuning: the engine's tuning when the lane was built.
        cost: the cost model of its steps.
        open_jobs: jobs that currently hold state of the engine.
        idle_work_left: pieces of the engine's idle work, as it last reported; 1 until it is asked.
        failures: since it last spoke an utterance to its end.
    """

    engine: Engine
    tuning: Tuning
    cost: CostModel = field(default_factory=CostModel)
    open_jobs: int = 0
    idle_work_left: int = 1
    failures: FailureStreak = field(default_factory=FailureStreak)

    @property
    def first_step_seconds(self) -> float:
        """Audio of a stream's first step; 0 if the engine decides."""
        return self.tuning.audio_seconds[0] if self.tuning.audio_seconds else 0.0

    @property
    def has_room(self) -> bool:
        """Whether another job may be opened."""
        return self.tuning.max_jobs is None or self.open_jobs < self.tuning.max_jobs

    def max_batch(self, kind: str) -> int:
        """Returns the maximum number of steps of a kind in one batch."""
        return self.tuning.max_batch.get(kind, 1)

    def first_audio_seconds(self, now: float) -> float:
        """Returns the time from text to first audio on an idle engine; 0 while unknown."""
        return self.cost.first_audio_seconds(self.first_step_seconds, now)

    def estimates(self, now: float) -> Estimates | None:
        """Returns the estimates of the engine's speed; None while unknown."""
        sizes = self.tuning.audio_seconds
        return self.cost.estimates(self.first_step_seconds, now, sizes[-1] if sizes else 0.0)

    def speak(self, utterance: Utterance) -> None:
        """Speaks an utterance to its end for nobody; raises whatever the engine raises."""
        job = self.engine.open(utterance)
        try:
            while (step := job.next_step(self.first_step_seconds)) is not None:
                self.engine.run([step])
        finally:
            self.engine.close(job)


class Lane:
    """The engines of one device.

    Args:
        engines: at least one; no two have a voice of the same id.

    Raises:
        ValueError: two engines have the same name, or a voice of the same id, or there is no engine.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        if not engines:
            raise ValueError("a lane needs at least one engine")
        if len({engine.name for engine in engines}) < len(engines):
            raise ValueError(f"two engines of one name: {[engine.name for engine in engines]}")
        self._slots = [Slot(engine, engine.tuning) for engine in engines]
        self._slot_by_voice: dict[str, Slot] = {}
        self._rates_hz: dict[str, int] = {}
        for slot in self._slots:
            for voice in slot.engine.voices:
                if voice.id in self._slot_by_voice:
                    raise ValueError(f"voice {voice.id!r} is loaded twice; give one of them another name")
                self._slot_by_voice[voice.id] = slot
                self._rates_hz[voice.id] = voice.sample_rate_hz

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def of_voice(self, voice_id: str) -> Slot:
        """Returns the engine that speaks with a voice.

        Raises:
            KeyError: no engine has it.
        """
        return self._slot_by_voice[voice_id]

    def sample_rate_hz(self, voice_id: str) -> int:
        """Returns the rate of a voice's samples."""
        return self._rates_hz[voice_id]

    def estimates(self, now: float) -> Mapping[str, Estimates]:
        """Returns the estimates of each engine's speed, by name; engines without estimates are omitted."""
        known = ((slot.engine.name, slot.estimates(now)) for slot in self._slots)
        return {name: estimates for name, estimates in known if estimates is not None}
