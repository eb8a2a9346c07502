"""One admitted request, as ③ synthesizer holds it: utterances go in, samples come out. `scheduler.py` makes them."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.scheduling.policy import Work
from phonoscope.server.types import Utterance


class AudioTooLong(Exception):
    """A whole reply would pass its limit; nothing of it was rendered."""

    def __init__(self, audio_seconds: float) -> None:
        super().__init__(audio_seconds)
        self.audio_seconds = audio_seconds


@dataclass(frozen=True, slots=True)
class Rendered:
    """Samples of one window.

    Attributes:
        samples: in [-1, 1].
        engine_seconds: their share of the batch.
        audio_seconds: their duration.
        utterance: index within the request, in the order of `say`.
        phoneme_frames: frames that each phoneme id of the utterance lasts.
        start: first frame of the window within the utterance.
    """

    samples: NDArray[np.float32]
    engine_seconds: float
    audio_seconds: float
    utterance: int = 0
    phoneme_frames: tuple[int, ...] = ()
    start: int = 0
    samples_per_frame: int = 1


class StreamOwner(Protocol):
    """What a stream asks of its scheduler; each call may come from the event loop only."""

    def add_utterance(self, stream: "SpeechStream", utterance: Utterance) -> None:
        """Puts an utterance in the stream's line."""

    def expect(self, stream: "SpeechStream", audio_seconds: float) -> None:
        """Raises the estimate of what the stream will want in all."""

    def finish_text(self, stream: "SpeechStream") -> None:
        """Marks the stream's text as complete."""

    def taken(self, stream: "SpeechStream", audio_seconds: float) -> None:
        """Counts a window of so much audio as read."""

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
        self._has_moved = asyncio.Event()
        self.work = work
        self.owed_seconds = owed_seconds
        self.most_seconds = most_seconds
        self.engine_seconds = 0.0

    @property
    def unsent_seconds(self) -> float:
        """Audio owed to the request: by the estimate while text is still to be prepared, exactly afterwards.

        Nothing is owed while the caller has not sent what comes next.
        """
        if self.work.awaits_text and self.work.queued:
            return 0.0
        is_exact = self.work.is_text_complete and not self.work.waiting
        wanted = self.work.prepared_seconds if is_exact else max(self.owed_seconds, self.work.prepared_seconds)
        return max(0.0, wanted - self.work.sent_seconds)

    @property
    def unspoken_utterances(self) -> int:
        """Utterances that came and are not rendered to their end."""
        return self.work.queued - self.work.spoken

    async def wait_until_fewer(self, utterances: int) -> None:
        """Returns once fewer than so many utterances are unspoken; never after a failure, which the reader gets."""
        while self.unspoken_utterances >= utterances:
            self._has_moved.clear()
            if self.unspoken_utterances >= utterances:
                await self._has_moved.wait()

    def expect(self, audio_seconds: float) -> None:
        """Raises the estimate of what the request will want in all, for one whose text comes over time.

        Raises:
            Overloaded: too much audio would be owed.
        """
        self._owner.expect(self, audio_seconds)

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
        self._owner.taken(self, item.audio_seconds)
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._owner.remove(self)

    def deliver(self, item: Rendered | BaseException | None) -> None:
        """Hands an item to the reader, from the engine thread; None ends the stream."""
        self._loop.call_soon_threadsafe(self._arrive, item)

    def _arrive(self, item: Rendered | BaseException | None) -> None:
        self._arrived.put_nowait(item)
        self._has_moved.set()
