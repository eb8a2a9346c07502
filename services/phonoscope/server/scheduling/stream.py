"""One admitted request, as `speech/` holds it: utterances go in, samples come out. `scheduler.py` makes them."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.types import Utterance


class AudioTooLong(Exception):
    """A unary reply would pass its limit."""

    def __init__(self, audio_seconds: float) -> None:
        super().__init__(audio_seconds)
        self.audio_seconds = audio_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The next samples of a request.

    Attributes:
        context: what `say` was given with the utterance.
        samples: in [-1, 1], shape (n,).
        start: sample of the utterance with which they begin.
        audio_seconds: their duration.
        engine_seconds: the engine's time for them.
        symbol_samples: how many samples each symbol of the utterance lasts; None where the engine cannot tell.
    """

    context: object
    samples: NDArray[np.float32]
    start: int
    audio_seconds: float
    engine_seconds: float = 0.0
    symbol_samples: tuple[int, ...] | None = None


class StreamOwner(Protocol):
    """What a stream asks of its scheduler; each call may come from the event loop only."""

    def add_utterance(self, state: RequestState, utterance: Utterance, context: object) -> None:
        """Puts an utterance behind those already there."""

    def expect(self, state: RequestState, audio_seconds: float) -> None:
        """Raises the estimate of what the request will want in all."""

    def finish_text(self, state: RequestState) -> None:
        """Marks the request's text as complete."""

    def acknowledge(self, state: RequestState, audio_seconds: float) -> None:
        """Counts so much audio as read."""

    def remove(self, state: RequestState) -> None:
        """Drops the request and whatever it still had waiting."""


class SpeechStream:
    """One admitted request: utterances go in, samples come out. Use it on the event loop, as a context manager.

    Iterating, once, yields Rendered in order until the last utterance is spoken. It raises EngineFailed,
    DeadlineUnreachable, NotReady or AudioTooLong. Leaving the context cancels whatever is left.

    Attributes:
        ending: what `finish_text` was given.
    """

    def __init__(self, owner: StreamOwner, state: RequestState) -> None:
        self._owner = owner
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Queue[Rendered | BaseException | None]()
        self._has_moved = asyncio.Event()
        self.ending: object = None

    @property
    def engine_seconds(self) -> float:
        """The engine's time for the request so far."""
        return self._state.engine_seconds

    @property
    def unspoken_utterances(self) -> int:
        """Utterances that came and are not spoken to their end."""
        return self._state.queued - self._state.finished

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
        self._owner.expect(self._state, audio_seconds)

    def say(self, utterance: Utterance, context: object = None) -> None:
        """Adds an utterance after those already there; `context` comes back with its samples."""
        self._owner.add_utterance(self._state, utterance, context)

    def finish_text(self, ending: object = None) -> None:
        """Declares that no more utterances will come; `ending` is what the reader finds behind the last one."""
        self.ending = ending
        self._owner.finish_text(self._state)

    def fail(self, error: BaseException) -> None:
        """Gives the request up: its reader gets the error after what was already delivered."""
        self._owner.remove(self._state)
        self._arrived.put_nowait(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Rendered:
        item = await self._arrived.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, BaseException):
            raise item
        self._owner.acknowledge(self._state, item.audio_seconds)
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._owner.remove(self._state)

    def deliver(self, item: Rendered | BaseException | None) -> None:
        """Hands an item to the reader, from the lane's thread; None ends the stream."""
        self._loop.call_soon_threadsafe(self._arrive, item)

    def note_progress(self) -> None:
        """Wakes whoever waits for utterances to be spoken, from the lane's thread, where no samples do that."""
        self._loop.call_soon_threadsafe(self._has_moved.set)

    def _arrive(self, item: Rendered | BaseException | None) -> None:
        self._arrived.put_nowait(item)
        self._has_moved.set()
