"""The events of the emotion service, as frozen records; `telemetry/` turns them into metrics and span attributes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

StartupPhase = Literal["import", "load_model"]


@dataclass(frozen=True, slots=True)
class StartupPhaseEnded:
    """A phase of the start took this long."""

    phase: StartupPhase
    seconds: float


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A service's health, as grpc.health.v1 reports it."""

    service: str
    is_serving: bool


@dataclass(frozen=True, slots=True)
class LoopLagged:
    """The event loop ran a callback this many seconds late; 0 or more."""

    seconds: float


@dataclass(frozen=True, slots=True)
class QueueMoved:
    """How many calls wait for the model or are in it."""

    calls: int


@dataclass(frozen=True, slots=True)
class BatchAnalyzed:
    """The model estimated a batch of texts, in `seconds`."""

    texts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TextsAnalyzed:
    """A call's texts were analyzed. Emitted in the task of the call.

    Attributes:
        results: language, strongest class and confidence of each text.
        wait_seconds: for the model, until the first batch.
        model_seconds: in the model.
    """

    results: Sequence[tuple[str, str, float]]
    wait_seconds: float
    model_seconds: float


Event = StartupPhaseEnded | HealthChanged | LoopLagged | QueueMoved | BatchAnalyzed | TextsAnalyzed
Emit = Callable[[Event], None]
