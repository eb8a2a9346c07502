"""Turns the recordings of a request into those that its voices speak with. Called by `synthesizer.py`.

Decoding and analysis run on a thread of their own, one recording at a time, and few may wait for it: a recording takes
up to some tenths of a second, and up to 10 MiB while it waits.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from phonoscope.common.errors import InvalidRequest, Overloaded
from phonoscope.server.audio.decode import RecordingFault
from phonoscope.server.audio.recordings import at_rate, recording_of
from phonoscope.server.events import ACCEPTED, Emit, RecordingChecked
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.types import GivenRecording, Recording, SpeechRequest, Voice

MAX_WAITING: Final = 8
RETRY_SECONDS: Final = 1.0

T = TypeVar("T")


class RecordingChecks:
    """Decodes and checks the recordings of requests.

    Args:
        voices: the loaded voices; a recording that a request names is that of one of them.
        emit: receives RecordingChecked for each recording that a request brings.
    """

    def __init__(self, voices: Sequence[Voice], emit: Emit) -> None:
        self._named = {voice.id: voice.reference for voice in voices if voice.reference}
        self._emit = emit
        self._waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")

    async def attached(self, request: SpeechRequest, resolved: ResolvedRequest, number: int) -> ResolvedRequest:
        """Returns the resolved request with its recordings.

        Args:
            request: as received; its recordings are complete, and known where they are named.
            resolved: the same, resolved.
            number: of the request, for events.

        Raises:
            InvalidRequest: a recording cannot be used; the violation says what to record instead.
            Overloaded: too many recordings wait.
        """
        rate = resolved.voice.recording_rate_hz
        given = {"reference": request.reference, "emotion_reference": request.emotion_reference}
        heard: dict[str, Recording] = {}
        faults: list[InvalidRequest] = []
        for field, one in given.items():
            try:
                if one is not None:
                    heard[field] = await self._recording(field, one, rate, number)
            except InvalidRequest as fault:
                faults.append(fault)
        if faults:
            raise InvalidRequest.joined(faults)
        if reference := heard.get("reference"):
            resolved = _speaking_like(reference, resolved)
        return replace(resolved, emotion_reference=heard.get("emotion_reference"))

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _recording(self, field: str, given: GivenRecording, rate_hz: int, number: int) -> Recording:
        if given.name:
            return await self._run(partial(at_rate, self._named[given.name], rate_hz))
        result, seconds = await self._run(partial(_checked, given, rate_hz))
        if isinstance(result, Recording):
            self._emit(RecordingChecked(number, ACCEPTED, seconds, result.seconds))
            return result
        self._emit(RecordingChecked(number, result.reason, seconds, 0.0))
        raise InvalidRequest.of(f"{field}.audio", str(result), reason=result.reason)

    async def _run(self, work: Callable[[], T]) -> T:
        """Runs work on the thread, once it is free."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded(
                f"{self._waiting} recordings wait to be checked; retry after {RETRY_SECONDS:g} s",
                reason="QUEUE_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def _checked(given: GivenRecording, rate_hz: int) -> tuple[Recording | RecordingFault, float]:
    """Returns a recording, or what is wrong with it, and the seconds that it took."""
    began = time.monotonic()
    result: Recording | RecordingFault
    try:
        result = recording_of(given.audio, rate_hz, given.transcript)
    except RecordingFault as fault:
        result = fault.with_traceback(None)
    return result, time.monotonic() - began


def _speaking_like(recording: Recording, resolved: ResolvedRequest) -> ResolvedRequest:
    """Returns the request with its own voice, wherever it speaks, speaking like a recording."""
    voice = replace(resolved.voice, reference=recording)
    passages = tuple(
        replace(passage, voice=voice) if passage.voice and passage.voice.id == voice.id else passage
        for passage in resolved.script.passages
    )
    return replace(resolved, voice=voice, script=replace(resolved.script, passages=passages))
