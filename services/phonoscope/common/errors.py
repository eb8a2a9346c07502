"""The error tree of Phonoscope's services.

    PhonoscopeError
    ├── ServiceError                 a request failed; one table maps it to a status
    │   ├── InvalidRequest           the request is not valid; `violations` lists the fields
    │   ├── NotServed                the voice does not support a feature of the contract
    │   ├── Overloaded               the server is overloaded; retry after `retry_after_seconds`
    │   ├── NotReady                 warming up, draining or broken; retry after `retry_after_seconds`
    │   ├── StreamNotRead            the client did not read its audio for too long
    │   ├── DeadlineUnreachable      the deadline was exceeded, or cannot be met
    │   └── EngineFailed             the engine raised an exception
    └── StartupError                 the process cannot start; one line for the user, exit status 1
        ├── SettingsError            a setting is unknown or out of range
        ├── VoiceFileError           a voice file is missing, corrupt, truncated or of another format
        ├── VoiceDownloadError       a voice could not be downloaded
        ├── ModelFileError           a model's file is missing, damaged or of another model
        ├── LexiconFileError         a lexicon is missing or not PLS; at startup only: later the old one stays in use
        └── PortTaken                an address is in use or cannot be bound

Each ServiceError has a `reason`: UPPER_SNAKE_CASE, stable, bounded in number. It is ErrorInfo.reason on the wire
and the `reason` label of metrics. Messages are for people: what happened, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

ERROR_DOMAIN: Final = "phonoscope"


class PhonoscopeError(Exception):
    """The base class of Phonoscope's exceptions."""


class ServiceError(PhonoscopeError):
    """A request failed. `reason` is the cause for programs, the message is for people."""

    reason: str

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field: its path in the request; value, limit and fix in a sentence."""

    field: str
    description: str


class InvalidRequest(ServiceError):
    """The request is not valid, now or later; each violation names a field and how to fix it."""

    REASONS: ClassVar[tuple[str, ...]] = (
        "TEXT_EMPTY",
        "TEXT_TWICE",
        "TEXT_UNPRONOUNCEABLE",
        "TEXT_TOO_LONG",
        "TEXT_FORMAT_UNKNOWN",
        "TEXT_FORMAT_OF_SSML",
        "VOICE_UNKNOWN",
        "MIXTURE_INVALID",
        "SPEAKER_UNKNOWN",
        "SPEED_OUT_OF_RANGE",
        "PITCH_OUT_OF_RANGE",
        "EMOTION_UNKNOWN",
        "EMOTION_TWICE",
        "EMOTION_WEIGHTS_INVALID",
        "EMOTION_INTENSITY_OUT_OF_RANGE",
        "LANGUAGE_UNKNOWN",
        "LANGUAGE_MISMATCH",
        "SCRIPT_NOT_SPOKEN",
        "GENDER_UNKNOWN",
        "SSML_INVALID",
        "SSML_UNSUPPORTED",
        "PRONUNCIATION_INVALID",
        "TIMING_TYPE_UNKNOWN",
        "TIMINGS_NOT_CARRIED",
        "UNPRONOUNCEABLE_TEXT_UNKNOWN",
        "REFERENCE_EMPTY",
        "REFERENCE_TWICE",
        "REFERENCE_REQUIRED",
        "REFERENCE_UNKNOWN",
        "REFERENCE_TOO_LARGE",
        "REFERENCE_TRANSCRIPT_INVALID",
        "REFERENCE_UNREADABLE",
        "REFERENCE_CHANNELS",
        "REFERENCE_SAMPLE_RATE",
        "REFERENCE_TOO_SHORT",
        "REFERENCE_TOO_LONG",
        "REFERENCE_SILENT",
        "REFERENCE_TOO_QUIET",
        "REFERENCE_CLIPPED",
        "REFERENCE_NOT_SPEECH",
        "ENCODING_UNKNOWN",
        "SAMPLE_RATE_OUT_OF_RANGE",
        "VOLUME_GAIN_OUT_OF_RANGE",
        "REQUEST_ID_INVALID",
        "MESSAGE_UNREADABLE",
        "REPLY_TOO_LARGE",
        "SETTINGS_FIRST",
        "SETTINGS_TWICE",
        "TEXT_IN_SETTINGS",
        "STEP_EMPTY",
        "SEVERAL_FIELDS",
    )

    def __init__(self, violations: Sequence[FieldViolation], *, reason: str) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations), reason=reason)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str, *, reason: str) -> "InvalidRequest":
        """Returns the error for one field."""
        return cls([FieldViolation(field, description)], reason=reason)

    @classmethod
    def joined(cls, faults: Sequence["InvalidRequest"]) -> "InvalidRequest":
        """Returns one error for all of these, at least one; a single one keeps its own reason."""
        if len(faults) == 1:
            return faults[0]
        return cls([violation for fault in faults for violation in fault.violations], reason="SEVERAL_FIELDS")


class NotServed(ServiceError):
    """The voice, or this server, does not support a feature of the contract; the message says what does."""

    REASONS: ClassVar[tuple[str, ...]] = (
        "EMOTION_NOT_SERVED",
        "EMOTION_AUTO_NOT_SERVED",
        "TIMINGS_NOT_SERVED",
        "REFERENCE_NOT_SERVED",
        "EMOTION_REFERENCE_NOT_SERVED",
    )


class Overloaded(ServiceError):
    """The server is overloaded; the same request can succeed after `retry_after_seconds`."""

    REASONS: ClassVar[tuple[str, ...]] = ("QUEUE_FULL", "AUDIO_OWED_FULL", "CAPACITY_FULL")

    def __init__(self, message: str, *, reason: str, retry_after_seconds: float) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class NotReady(ServiceError):
    """The server is warming up, draining or broken; another replica, or this one later, can serve the request."""

    REASONS: ClassVar[tuple[str, ...]] = ("WARMING_UP", "DRAINING", "ENGINE_LOST")

    def __init__(self, message: str, *, reason: str, retry_after_seconds: float) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class StreamNotRead(ServiceError):
    """The client did not read the stream for so long that the server ended it."""

    REASONS: ClassVar[tuple[str, ...]] = ("STREAM_NOT_READ",)

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="STREAM_NOT_READ")


class DeadlineUnreachable(ServiceError):
    """The client's deadline was exceeded, or would be exceeded before the speech is synthesized."""

    REASONS: ClassVar[tuple[str, ...]] = ("DEADLINE_UNREACHABLE",)

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="DEADLINE_UNREACHABLE")


class EngineFailed(ServiceError):
    """The engine raised an exception for this request; the server's log has the traceback."""

    REASONS: ClassVar[tuple[str, ...]] = ("ENGINE_FAILED",)

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="ENGINE_FAILED")


class StartupError(PhonoscopeError):
    """The process cannot start; the message is one line with the cause and what to do."""


class SettingsError(StartupError):
    """A setting is unknown or out of range; the message names it and the valid ones."""


class VoiceFileError(StartupError):
    """A voice file is missing, corrupt, truncated or of another format; the message names the file."""


class VoiceDownloadError(StartupError):
    """A voice could not be downloaded from the hub; the message names the voice and the address."""


class ModelFileError(StartupError):
    """A model cannot be loaded; the message names the file or the package."""


class LexiconFileError(StartupError):
    """A lexicon cannot be read; the message names the file, the line and the column."""


class PortTaken(StartupError):
    """An address cannot be bound; the message names it."""
