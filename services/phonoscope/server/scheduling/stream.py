"""One admitted request, as `speech/` holds it: utterances go in, samples come out. `scheduler.py` makes them."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.types import Utterance


class AudioTooLong(Exception):
    """A unary reply would exceed its limit."""

    def __init__(self, audio_seconds: float) -> None:
        super().__init__(audio_seconds)
        self.audio_seconds = audio_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The next samples of a request.

    Attributes:
        context: the context passed to `say` with the utterance.
        samples: in [-1, 1], shape (n,).
        start: offset of the first sample within the utterance.
        audio_seconds: their duration.
        symbol_samples: how many samples each symbol of the utterance lasts; None if the engine does not report it.
    """

    context: object
    samples: NDArray[np.float32]
    start: int
    audio_seconds: float
    symbol_samples: tuple[int, ...] | None = None


class StreamOwner(Protocol):
    """What a stream needs from its scheduler; called from the event loop only."""

    def add_utterance(self, state: RequestState, utterance: Utterance, context: object) -> None:
        """Appends an utterance."""

    def expect(self, state: RequestState, audio_seconds: float) -> None:
        """Increases the estimate of the request's total audio."""

    def finish_text(self, state: RequestState) -> None:
        """Marks the request's text as complete."""

    def acknowledge(self, state: RequestState, audio_seconds: float) -> None:
        """Counts audio as read."""

    def remove(self, state: RequestState) -> None:
        """Drops the request and its waiting utterances."""


class SpeechStream:
    """One admitted request: utterances go in, samples come out. Use it on the event loop, as a context manager.

    Iterating, once, yields Rendered in order until the last utterance is spoken. It raises EngineFailed,
    DeadlineUnreachable, NotReady or AudioTooLong. Leaving the context cancels the rest.

    Attributes:
        ending: the argument of `finish_text`.
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
        """Number of utterances added and not fully spoken."""
        return self._state.queued - self._state.finished

    async def wait_until_fewer(self, utterances: int) -> None:
        """Returns once fewer utterances than this are unspoken; never after a failure, which the reader receives."""
        while self.unspoken_utterances >= utterances:
            self._has_moved.clear()
            if self.unspoken_utterances >= utterances:
                await self._has_moved.wait()

    def expect(self, audio_seconds: float) -> None:
        """Increases the estimate of the request's total audio, for incremental input.

        Raises:
            Overloaded: too much audio would be owed.
        """
        self._owner.expect(self._state, audio_seconds)

    def say(self, utterance: Utterance, context: object = None) -> None:
        """Appends an utterance; `context` is returned with its samples."""
        self._owner.add_utterance(self._state, utterance, context)

    def finish_text(self, ending: object = None) -> None:
        """Declares that no more utterances will come; `ending` is for the reader, after the last one."""
        self.ending = ending
        self._owner.finish_text(self._state)

    def fail(self, error: BaseException) -> None:
        """Fails the request: its reader receives the error after what was already delivered."""
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
        """Delivers an item to the reader, from the lane's thread; None ends the stream."""
        self._loop.call_soon_threadsafe(self._arrive, item)

    def note_progress(self) -> None:
        """Wakes `wait_until_fewer`, from the lane's thread, when no samples do so."""
        self._loop.call_soon_threadsafe(self._has_moved.set)

    def _arrive(self, item: Rendered | BaseException | None) -> None:
        self._arrived.put_nowait(item)
        self._has_moved.set()
