"""The events of the core, as frozen records; sinks turn them into metrics, spans and log lines.

`speech/` and `scheduling/` emit them, from the event loop's thread and from the engine thread: a sink must be safe
to call from both, and must not block. `request` is a request's number, unique in this process: a sink joins
events by it. RequestStarted, FirstAudio, ChunkSent and RequestFinished are emitted in the task of the call. Times
are those of time.monotonic(), in seconds. Records never hold the text that is spoken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

# Stages of a request before and after the engine; the engine's stages are the kinds of its steps.
STAGES: Final = ("split", "phonemize", "queue", "encode")
Delivery = Literal["stream", "whole"]
# Phases of a start, in order: from the process's start to SERVING.
StartupPhase = Literal["import", "listen", "import_engines", "load_voices", "warm_up"]
Outcome = Literal["completed", "cancelled", "rejected", "failed"]
# Why a sentence whose emotion was to be found is neutral.
EmotionFallback = Literal["timeout", "unavailable", "overloaded", "refused", "invalid_answer", "circuit_open"]
# The outcome of the check of a recording, unless it is refused.
ACCEPTED: Final = "accepted"
# What a character is that is accepted and not spoken.
UnspokenKind = Literal["control", "digit", "emoji", "format", "letter", "mark", "private_use", "symbol", "unassigned"]


@dataclass(frozen=True, slots=True)
class VoiceLoaded:
    """A voice is in memory; `load_seconds` is the time from file to device."""

    voice: str
    device: str
    load_seconds: float


@dataclass(frozen=True, slots=True)
class StartupPhaseEnded:
    """A phase of the start took this long."""

    phase: StartupPhase
    seconds: float


@dataclass(frozen=True, slots=True)
class IdleWorkDone:
    """An engine did a piece of its idle work, in `seconds`; `left` are still to do."""

    engine: str
    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RecordingUsed:
    """An engine was asked to speak like a recording; whether it knew the recording already."""

    engine: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class ConditioningKept:
    """What an engine keeps of recordings: of how many, and its memory on the device."""

    engine: str
    recordings: int
    memory_bytes: int


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
    """How much the scheduler holds: requests, and the seconds of audio still owed to them."""

    requests: int
    audio_seconds_owed: float


@dataclass(frozen=True, slots=True)
class LexiconRead:
    """The lexicon files were read, at start or after one changed.

    Attributes:
        entries: number in use now.
        fault: "" on success; else what is wrong: the previous entries then stay in use.
    """

    entries: int
    fault: str


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """A request for speech has arrived, unchecked."""

    request: int
    request_id: str


@dataclass(frozen=True, slots=True)
class RecordingChecked:
    """The recording that a request brought was decoded and checked, in `seconds` of work until now.

    Attributes:
        outcome: ACCEPTED, or the reason of its refusal.
        audio_seconds: its duration as accepted; 0 where it was refused.
    """

    request: int
    outcome: str
    seconds: float
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class TextRead:
    """All of a request's text has become phonemes.

    Attributes:
        began: when the first sentence was requested; reading continues, with pauses, until now.
        split_seconds: time spent on finding the sentences.
        phonemize_seconds: time spent on their phonemes.
        unknown_phonemes: omitted because the voice has no sound for them.
        unspoken: number of characters without a reading, by kind.
    """

    request: int
    voice: str
    began: float
    split_seconds: float
    phonemize_seconds: float
    characters: int
    sentences: int
    unknown_phonemes: int
    unspoken: Mapping[UnspokenKind, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmotionAnalyzed:
    """The emotion service was asked about a sentence, in `seconds`.

    Attributes:
        fallback: None for an answer; else why the sentence is neutral.
    """

    request: int
    fallback: EmotionFallback | None
    seconds: float


@dataclass(frozen=True, slots=True)
class EmotionSkipped:
    """The emotion service was not asked about a sentence, because it keeps failing; the sentence is neutral."""

    request: int


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """A request's first batch begins, this long after it was admitted."""

    request: int
    voice: str
    seconds: float


@dataclass(frozen=True, slots=True)
class UtteranceQueued:
    """An utterance waits for the engine; `index` counts from 0, `symbols` are phonemes, or characters."""

    request: int
    index: int
    symbols: int


@dataclass(frozen=True, slots=True)
class UtteranceSpoken:
    """The last samples of an utterance are rendered."""

    request: int
    index: int


@dataclass(frozen=True, slots=True)
class Member:
    """One request's part in a batch.

    Attributes:
        request: None where no request asked for it, as for the measurement of a speaker's pitch.
        utterance: index within the request.
        seconds: its share of the batch's time, by length.
    """

    request: int | None
    utterance: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchRan:
    """The engine ran one batch, from `began` until now.

    Attributes:
        stage: the kind of its steps.
        padding_ratio: share of the batch's positions that were padding, 0 to 1.
    """

    voice: str
    stage: str
    members: tuple[Member, ...]
    began: float
    seconds: float
    padding_ratio: float


@dataclass(frozen=True, slots=True)
class EngineRaised:
    """The engine raised on a batch that began at `began`.

    Attributes:
        stage: the kind of its steps.
        error: has the traceback.
    """

    voice: str
    stage: str
    members: tuple[Member, ...]
    began: float
    error: Exception


@dataclass(frozen=True, slots=True)
class LaneLost:
    """A device's engines speak no more until the process restarts; the requests held have failed.

    Attributes:
        device: such as "cpu" or "cuda:0".
        cause: what happened, in a sentence.
        error: has the traceback.
    """

    device: str
    cause: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """A request's first audio was passed to gRPC, this long after the call arrived."""

    request: int
    voice: str
    delivery: Delivery
    seconds: float


@dataclass(frozen=True, slots=True)
class ChunkSent:
    """A chunk of a stream, other than its first, was passed to gRPC.

    Attributes:
        gap_seconds: since the previous chunk.
        slack_seconds: time left before a player, started at the first chunk, runs dry; negative when it has.
    """

    request: int
    voice: str
    gap_seconds: float
    slack_seconds: float


@dataclass(frozen=True, slots=True)
class AudioEncoded:
    """A request's audio has become bytes of an encoding, in `seconds` of work between `began` and `ended`."""

    request: int
    voice: str
    encoding: str
    began: float
    ended: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request has ended, with any outcome.

    Attributes:
        voice, language: "" where the request named none that is loaded.
        reason: "" unless it was refused or failed; else a ServiceError's reason.
        audio_seconds: audio sent.
        engine_seconds: the engine's time for it: its share of each of its batches.
        first_audio_seconds: from the call to its first audio; None when there was none.
        mixture: name of the mixture that spoke; `voice` is its first voice then. "" for a loaded voice.
    """

    request: int
    request_id: str
    voice: str
    language: str
    outcome: Outcome
    reason: str
    characters: int
    audio_seconds: float
    engine_seconds: float
    first_audio_seconds: float | None
    mixture: str = ""


Event = (
    VoiceLoaded
    | StartupPhaseEnded
    | IdleWorkDone
    | RecordingUsed
    | ConditioningKept
    | HealthChanged
    | LoopLagged
    | QueueMoved
    | LexiconRead
    | RequestStarted
    | RecordingChecked
    | TextRead
    | EmotionAnalyzed
    | EmotionSkipped
    | QueueLeft
    | UtteranceQueued
    | UtteranceSpoken
    | BatchRan
    | EngineRaised
    | LaneLost
    | FirstAudio
    | ChunkSent
    | AudioEncoded
    | RequestFinished
)
Emit = Callable[[Event], None]
