"""The interface to the speech server: plain values in and out, one exception. Implemented by grpc.py and fake.py.

The records are those of phonoscope.client: frozen, without gRPC or protobuf, so that client, command line and gateway
share one list of request options. The rest of the gateway imports them from here. Field names of `Voice` and `Timings`
are JSON members of the HTTP API.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Literal, Protocol

from phonoscope.client import (
    FLUSH,
    AudioChunk,
    Encoding,
    Flush,
    Gender,
    Pronunciation,
    Recording,
    Speech,
    SpeechOptions,
    TextFormat,
    Timings,
    TimingType,
    UnpronounceableText,
    Voice,
)
from phonoscope.client.options import Option, option_specs
from phonoscope.common.errors import FieldViolation, PhonoscopeError

__all__ = [
    "FLUSH",
    "AudioChunk",
    "Backend",
    "BackendError",
    "Code",
    "Encoding",
    "Flush",
    "Gender",
    "Option",
    "Pronunciation",
    "Recording",
    "Speech",
    "SpeechOptions",
    "TextFormat",
    "TextInput",
    "TimingType",
    "Timings",
    "UnpronounceableText",
    "Voice",
    "option_specs",
]

TextInput = str | AsyncIterable[str | Flush]
"""A whole text, or text that arrives incrementally; FLUSH synthesizes what has arrived so far."""
Code = Literal[
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
"""Canonical error codes. Source: google/rpc/code.proto."""


class BackendError(PhonoscopeError):
    """A call to the speech server failed.

    Attributes:
        message: what happened and what to do. Without a `reason` it can contain internal addresses.
        code: the canonical error code.
        reason: the speech server's stable name of the cause; "" when the transport failed the call.
        violations: the rejected fields, by their names in SpeechOptions.
        retry_after_seconds: when the same call can succeed; None when unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code,
        reason: str = "",
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds


class Backend(Protocol):
    """Synthesizes speech. Every method except `is_serving` raises BackendError."""

    def stream(
        self, text: TextInput, options: SpeechOptions, timeout_seconds: float
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields audio while the rest is being synthesized; closing the generator cancels the call."""

    async def synthesize(self, text: str, options: SpeechOptions, timeout_seconds: float) -> Speech:
        """Returns the audio of a whole text, up to 4 MiB."""

    async def list_voices(
        self, timeout_seconds: float, *, language: str = "", gender: Gender | None = None, engine: str = ""
    ) -> Sequence[Voice]:
        """Returns the voices of a language (BCP 47), a gender and an engine, the default voice first."""

    async def is_serving(self) -> bool:
        """Returns whether the speech server accepts requests; False when it does not answer."""
