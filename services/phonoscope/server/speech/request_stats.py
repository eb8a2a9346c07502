"""The statistics that a request's final events report; `synthesizer.py` keeps them while the request runs."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from phonoscope.common.deadlines import has_passed
from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, ServiceError, StreamNotRead
from phonoscope.server.events import AudioEncoded, Emit, Outcome, RequestFinished, RequestStarted

# Reasons caused by the server, not the caller.
FAILURES: Final = (*EngineFailed.REASONS, *DeadlineUnreachable.REASONS)


@dataclass(slots=True)
class RequestStats:
    """The statistics of one request."""

    request: int
    request_id: str
    characters: int
    deadline_seconds: float | None
    entered: float = field(default_factory=time.monotonic)
    had_text: float = field(default_factory=time.monotonic)
    voice: str = ""
    language: str = ""
    mixture: str = ""
    encoding: str = ""
    audio_seconds: float = 0.0
    engine_seconds: float = 0.0
    encode_began: float | None = None
    encode_ended: float = 0.0
    encode_seconds: float = 0.0
    first_audio_seconds: float | None = None
    max_unread_seconds: float = math.inf
    unread_since: float | None = None

    def is_unread(self) -> bool:
        """Whether its latest chunk has been unread for so long that the stream is ended."""
        return self.unread_since is not None and time.monotonic() - self.unread_since >= self.max_unread_seconds

    def encoded(self, began: float) -> None:
        """Counts a piece of encoding, from `began` until now."""
        if self.encode_began is None:
            self.encode_began = began
        self.encode_ended = time.monotonic()
        self.encode_seconds += self.encode_ended - began

    def has_expired(self) -> bool:
        """Whether the caller's deadline has passed."""
        if self.deadline_seconds is None:
            return False
        return has_passed(self.deadline_seconds, self.entered + self.deadline_seconds - time.monotonic())

    def report_end(self, emit: Emit, outcome: Outcome, reason: str) -> None:
        """Emits AudioEncoded, if there was any, and RequestFinished."""
        if self.encode_began is not None:
            began, ended = self.encode_began, self.encode_ended
            emit(AudioEncoded(self.request, self.voice, self.encoding, began, ended, self.encode_seconds))
        emit(
            RequestFinished(
                self.request,
                self.request_id,
                voice=self.voice,
                language=self.language,
                outcome=outcome,
                reason=reason,
                characters=self.characters,
                audio_seconds=self.audio_seconds,
                engine_seconds=self.engine_seconds,
                first_audio_seconds=self.first_audio_seconds,
                mixture=self.mixture,
            )
        )


@asynccontextmanager
async def recorded(stats: RequestStats, emit: Emit) -> AsyncIterator[RequestStats]:
    """Emits RequestStarted and, for any outcome, the request's end."""
    emit(RequestStarted(stats.request, stats.request_id))
    outcome: Outcome = "failed"
    reason = "INTERNAL"
    try:
        yield stats
        outcome, reason = "completed", ""
    except ServiceError as error:
        reason = error.reason
        outcome = "failed" if reason in FAILURES else "rejected"
        raise
    except (asyncio.CancelledError, GeneratorExit):
        if stats.has_expired():  # gRPC cancels the call then
            outcome, [reason] = "failed", DeadlineUnreachable.REASONS
        elif stats.is_unread():  # the edge ends the call then
            outcome, [reason] = "cancelled", StreamNotRead.REASONS
        else:
            outcome, reason = "cancelled", ""
        raise
    finally:
        stats.report_end(emit, outcome, reason)
