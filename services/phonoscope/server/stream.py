"""One admitted request, as ③ synthesizer holds it: utterances go in, samples come out. `scheduler.py` makes them."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.policy import Work
from phonoscope.server.types import Utterance


class AudioTooLong(Exception):
    """A whole reply would pass its limit; nothing of it was rendered."""

    def __init__(self, audio_seconds: float) -> None:
        super().__init__(audio_seconds)
        self.audio_seconds = audio_seconds


@dataclass(frozen=True, slots=True)
class Rendered:
    """Samples of one window, in [-1, 1], and the engine's time for them: their share of the batch."""

    samples: NDArray[np.float32]
    engine_seconds: float


class StreamOwner(Protocol):
    """What a stream asks of its scheduler; each call may come from the event loop only."""

    def add_utterance(self, stream: "SpeechStream", utterance: Utterance) -> None:
        """Puts an utterance in the stream's line."""

    def finish_text(self, stream: "SpeechStream") -> None:
        """Marks the stream's text as complete."""

    def taken(self, stream: "SpeechStream") -> None:
        """Counts a window as read."""

    def remove(self, stream: "SpeechStream") -> None:
        """Forgets the stream and whatever it still had waiting."""


class SpeechStream:
    """One admitted request: utterances go in, samples come out. Use it on the event loop, as a context manager.

    Iterating, once, yields Rendered windows in order until the last utterance is spoken. It raises EngineFailed,
    DeadlineUnreachable, NotReady or AudioTooLong. Leaving the context cancels whatever is left; its windows are never
    rendered.
    """

    def __init__(self, owner: "StreamOwner", work: Work, owed_seconds: float, most_seconds: float | None) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[Rendered | BaseException | None] = asyncio.Queue()
        self.work = work
        self.owed_seconds = owed_seconds
        self.most_seconds = most_seconds
        self.engine_seconds = 0.0

    @property
    def unsent_seconds(self) -> float:
        """Audio owed to the request: by the estimate while text is still to be prepared, exactly afterwards."""
        is_exact = self.work.is_text_complete and not self.work.waiting
        wanted = self.work.prepared_seconds if is_exact else max(self.owed_seconds, self.work.prepared_seconds)
        return max(0.0, wanted - self.work.sent_seconds)

    def say(self, utterance: Utterance) -> None:
        """Adds an utterance after those already there."""
        self._owner.add_utterance(self, utterance)

    def finish_text(self) -> None:
        """Says that no more utterances will come."""
        self._owner.finish_text(self)

    def fail(self, error: BaseException) -> None:
        """Gives the stream up: its reader gets the error after what was already delivered."""
        self._owner.remove(self)
        self._arrived.put_nowait(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Rendered:
        item = await self._arrived.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, BaseException):
            raise item
        self._owner.taken(self)
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._owner.remove(self)

    def deliver(self, item: Rendered | BaseException | None) -> None:
        """Hands an item to the reader, from the engine thread; None ends the stream."""
        self._loop.call_soon_threadsafe(self._arrived.put_nowait, item)
