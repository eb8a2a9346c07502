"""How things are measured: in turns, A B A B, so that whatever else the machine does hits both alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

SampleT = TypeVar("SampleT")

# Threads of onnxruntime and of OpenMP spin for some milliseconds after their work, waiting for more. On a machine of
# few cores they would take the next contender's time, so each turn starts after a pause.
PAUSE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Spoken:
    """One reading of a text: time spent and audio made, in seconds."""

    seconds: float
    audio_seconds: float

    @property
    def real_time_factor(self) -> float:
        """Time spent per time of audio; below 1 is faster than real time."""
        return self.seconds / self.audio_seconds


def in_turns(rounds: int, contenders: Mapping[str, Callable[[], SampleT]]) -> dict[str, list[SampleT]]:
    """Runs each contender once to warm it up, then all of them in turn for `rounds` rounds; returns what they gave."""
    for contend in contenders.values():
        contend()
    samples: dict[str, list[SampleT]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            time.sleep(PAUSE_SECONDS)
            samples[name].append(contend())
    return samples


def timed(speak: Callable[[], float]) -> Spoken:
    """Times `speak`, which returns the seconds of audio that it made."""
    began = time.perf_counter()
    audio_seconds = speak()
    return Spoken(time.perf_counter() - began, audio_seconds)


def median(values: Sequence[float]) -> float:
    """Returns the median; values must not be empty."""
    return float(statistics.median(values))
