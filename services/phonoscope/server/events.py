"""What the core says has happened, as frozen records; sinks turn them into numbers and lines of the log.

Emitted by ③ synthesizer and ⑤ scheduler, from the event loop's thread and from the engine thread: a sink must be safe
to call from both, and must not block. Records never hold the text that is spoken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["phonemize", "queue", "prepare", "render", "encode"]
EngineStage = Literal["prepare", "render"]
Outcome = Literal["completed", "cancelled", "rejected", "failed"]


@dataclass(frozen=True, slots=True)
class VoiceLoaded:
    """A voice is in memory; `load_seconds` is the time from file to device."""

    voice: str
    device: str
    load_seconds: float


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A service's health, as grpc.health.v1 reports it."""

    service: str
    is_serving: bool


@dataclass(frozen=True, slots=True)
class QueueMoved:
    """How much the scheduler holds: requests, and seconds of audio that they are still owed."""

    requests: int
    audio_seconds_owed: float


@dataclass(frozen=True, slots=True)
class StageTimed:
    """A stage of one request took so long."""

    voice: str
    stage: Stage
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchRan:
    """The engine ran one batch.

    Attributes:
        padding_ratio: share of the batch's positions that were padding, 0 to 1.
    """

    voice: str
    stage: EngineStage
    size: int
    seconds: float
    padding_ratio: float


@dataclass(frozen=True, slots=True)
class EngineRaised:
    """The engine raised; `error` has the traceback, and `size` utterances or windows were in the batch."""

    voice: str
    stage: EngineStage
    size: int
    error: Exception


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """A request's first audio was handed to gRPC so long after the call came in."""

    voice: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request has ended, one way or another.

    Attributes:
        voice: "" where the request named none that is loaded.
        reason: "" unless it was refused or failed; else a ServiceError's reason.
        audio_seconds: what was sent.
        engine_seconds: the engine's time for it: its share of every batch that it was in.
    """

    voice: str
    outcome: Outcome
    reason: str
    characters: int
    audio_seconds: float
    engine_seconds: float
    request_id: str


Event = VoiceLoaded | HealthChanged | QueueMoved | StageTimed | BatchRan | EngineRaised | FirstAudio | RequestFinished
Emit = Callable[[Event], None]
