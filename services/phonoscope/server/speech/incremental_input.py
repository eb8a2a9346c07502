"""Incremental input, from the caller to the scheduler: what is spoken when, and how far ahead to read.

Called by `text_producer.py`. A caller that writes faster than the speech is not read from, so that gRPC's flow control
blocks it. A slower one is waited for, but not while a clause is pending and nothing else is left to speak.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phonoscope.server.scheduling.stream import SpeechStream
from phonoscope.server.speech.playback import PlaybackClock
from phonoscope.server.text.incremental import Stretch, TextInPieces

# Maximum number of utterances waiting or in progress before the caller's next piece is read.
MAX_UNSPOKEN_UTTERANCES: Final = 4


class Flush:
    """In place of a piece: speak the text so far, without waiting for more."""


async def speak_incrementally(
    pieces: AsyncIterator[str | Flush],
    text: TextInPieces,
    stream: SpeechStream,
    say: Callable[[Sequence[Stretch]], Awaitable[None]],
    clause_wait_seconds: float,
) -> None:
    """Speaks each stretch of a text once it is complete, until the pieces end.

    Args:
        pieces: as they arrive.
        text: what they become.
        stream: of the request; it reports what is still unspoken.
        say: passes stretches to the scheduler.
        clause_wait_seconds: once all is rendered, how long a clause waits for the rest of its sentence.
    """
    coming = _soon(anext(pieces, None))
    try:
        while True:
            if text.has_clause and not await _comes_in_time(coming, stream, clause_wait_seconds):
                await say(text.take_clause())
                continue
            piece = await coming
            if piece is None:
                break
            await say(text.flush() if isinstance(piece, Flush) else text.add(piece))
            await stream.wait_until_fewer(MAX_UNSPOKEN_UTTERANCES)
            coming = _soon(anext(pieces, None))
        await say(text.flush())
    finally:
        coming.cancel()


async def _comes_in_time(coming: "asyncio.Task[str | Flush | None]", stream: SpeechStream, seconds: float) -> bool:
    """Whether the next piece arrives while there is something to speak, or soon after."""
    spoken = _soon(stream.wait_until_fewer(1))
    try:
        await asyncio.wait({coming, spoken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        spoken.cancel()
    if not coming.done():
        await asyncio.wait({coming}, timeout=seconds)
    return coming.done()


def _soon(awaitable: Awaitable[Any]) -> "asyncio.Task[Any]":
    async def awaited() -> Any:  # noqa: ANN401  whatever it gives
        return await awaitable

    coroutine: Coroutine[Any, Any, Any] = awaited()
    return asyncio.create_task(coroutine)


@dataclass(frozen=True, slots=True)
class IncrementalInput:
    """The parts of incremental input besides the request."""

    player: PlaybackClock
    text: TextInPieces
