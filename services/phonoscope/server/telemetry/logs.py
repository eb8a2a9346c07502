"""The log sink: writes events as log lines. Built by `__main__`. Lines have a request's id, never its text."""

import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from phonoscope.common.call_log import CallLog
from phonoscope.common.errors import DeadlineUnreachable, NotReady, Overloaded
from phonoscope.server.events import (
    EngineRaised,
    Event,
    HealthChanged,
    IdleWorkDone,
    LaneLost,
    LexiconRead,
    RequestFinished,
    RequestStarted,
    VoiceLoaded,
)

# Requests refused for lack of capacity or time: at most one line per second for each reason.
REFUSALS: Final = frozenset((*Overloaded.REASONS, *NotReady.REASONS, *DeadlineUnreachable.REASONS))
Logger = structlog.typing.FilteringBoundLogger


class LogSink(CallLog):
    """Logs the events that an on-call engineer needs.

    Args:
        logger: receives the lines.
        clock: seconds, monotonic; tests supply their own.
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logger, clock)
        # All other events are too many to log: metrics count them.
        self._takers: dict[type, Callable[[Any], None]] = {
            RequestStarted: self._started,
            VoiceLoaded: self._voice_loaded,
            IdleWorkDone: self._idle_work_done,
            HealthChanged: self._health_changed,
            LexiconRead: self._lexicon_read,
            EngineRaised: self._engine_raised,
            LaneLost: self._lane_lost,
            RequestFinished: self._finished,
        }

    def __call__(self, event: Event) -> None:
        """Takes an event of the core."""
        if take := self._takers.get(type(event)):
            take(event)

    def _started(self, event: RequestStarted) -> None:
        # For every later line of this call's task, including the one at its end.
        structlog.contextvars.bind_contextvars(request_id=event.request_id)

    def _voice_loaded(self, event: VoiceLoaded) -> None:
        load_seconds = round(event.load_seconds, 3)
        self._logger.info("voice_loaded", voice=event.voice, device=event.device, load_seconds=load_seconds)

    def _idle_work_done(self, event: IdleWorkDone) -> None:
        if not event.left:
            self._logger.info("idle_work_done", engine=event.engine)

    def _health_changed(self, event: HealthChanged) -> None:
        self._logger.info("health_changed", service=event.service, serving=event.is_serving)

    def _lexicon_read(self, event: LexiconRead) -> None:
        if event.fault:
            self._logger.error("lexicon_refused", entries=event.entries, error=event.fault)
        else:
            self._logger.info("lexicon_read", entries=event.entries)

    def _engine_raised(self, event: EngineRaised) -> None:
        self._logger.error(
            "engine_raised",
            voice=event.voice,
            stage=event.stage,
            batch_size=len(event.members),
            exc_info=event.error,
        )

    def _lane_lost(self, event: LaneLost) -> None:
        self._logger.critical("engine_lost", device=event.device, cause=event.cause, exc_info=event.error)

    def _finished(self, event: RequestFinished) -> None:
        left_out: dict[str, int] = {}
        if event.reason in REFUSALS and not event.engine_seconds:  # refused before any work: this may be a flood
            count = self._refused.take(event.reason)
            if count is None:
                return
            left_out = {"left_out": count} if count else {}
        mixture = {"mixture": event.mixture} if event.mixture else {}
        first = event.first_audio_seconds
        self._logger.info(
            "request_finished",
            request_id=event.request_id,
            voice=event.voice,
            outcome=event.outcome,
            reason=event.reason,
            characters=event.characters,
            audio_seconds=round(event.audio_seconds, 3),
            engine_seconds=round(event.engine_seconds, 4),
            first_audio_seconds=None if first is None else round(first, 4),
            **mixture,
            **left_out,
        )
