"""The text of one call that comes in pieces, shared by the attempts of that call.

Used by blocking.py and aio.py. A piece that gRPC took is gone, so a call is repeatable until then. An attempt that the
server refuses often still waits for the caller's first piece, such as a language model's first token: that piece goes
to the next attempt.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator

from phonoscope.client import wire
from phonoscope.client.types import Flush
from phonoscope.protos.tts.v1.tts_pb2 import StreamingSynthesizeRequest, SynthesizeRequest


class IncrementalInput:
    """The messages of a call, for attempts whose requests gRPC reads on a thread each.

    Attributes:
        failure: what the caller's pieces raised.
    """

    def __init__(self, settings: SynthesizeRequest, pieces: Iterable[str | Flush]) -> None:
        self.failure: Exception | None = None
        self._settings = settings
        self._source = _steps(pieces)
        self._ahead: list[StreamingSynthesizeRequest] = []  # at most one: came after its attempt had ended
        self._is_asking = threading.Lock()
        self._is_giving = threading.Lock()
        self._attempt = 0
        self._has_given = False

    def begin_attempt(self) -> Iterator[StreamingSynthesizeRequest]:
        """Returns the messages of a new attempt; earlier attempts get no more."""
        with self._is_giving:
            self._attempt += 1
            return self._of_attempt(self._attempt)

    def end_attempt(self) -> bool:
        """Ends the current attempt; returns whether all pieces are left for another one."""
        with self._is_giving:
            self._attempt += 1
            return not self._has_given and self.failure is None

    def _of_attempt(self, attempt: int) -> Iterator[StreamingSynthesizeRequest]:
        yield wire.settings_step(self._settings)
        while True:
            with self._is_asking:  # one thread at a time: the one of an ended attempt may still wait for a piece
                self._ask()
            with self._is_giving:
                if attempt != self._attempt or not self._ahead:
                    return
                self._has_given = True
                step = self._ahead.pop()
            yield step

    def _ask(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._ahead:
            return
        try:
            self._ahead.extend(itertools.islice(self._source, 1))
        except Exception as failure:
            self.failure = failure
            raise


class AsyncIncrementalInput:
    """The messages of a call, for attempts whose requests grpc.aio reads in a task each.

    Attributes:
        failure: what the caller's pieces raised.
    """

    def __init__(self, settings: SynthesizeRequest, pieces: AsyncIterable[str | Flush]) -> None:
        self.failure: Exception | None = None
        self._settings = settings
        self._source = _async_steps(pieces)
        self._ahead: list[StreamingSynthesizeRequest] = []  # at most one: came after its attempt had ended
        self._is_asking = asyncio.Lock()
        self._asker: asyncio.Task[object] | None = None
        self._attempt = 0
        self._has_given = False

    def begin_attempt(self) -> AsyncIterator[StreamingSynthesizeRequest]:
        """Returns the messages of a new attempt; earlier attempts get no more."""
        self._attempt += 1
        return self._of_attempt(self._attempt)

    def end_attempt(self) -> bool:
        """Ends the current attempt; returns whether all pieces are left for another one."""
        self._attempt += 1
        return not self._has_given and self.failure is None

    def close(self) -> None:
        """Cancels the task that still waits for a piece; gRPC does not when the server ended the call."""
        if self._asker is not None and not self._asker.cancelling():
            self._asker.cancel()

    async def _of_attempt(self, attempt: int) -> AsyncIterator[StreamingSynthesizeRequest]:
        yield wire.settings_step(self._settings)
        while True:
            async with self._is_asking:  # one task at a time: the one of an ended attempt may still wait for a piece
                await self._ask()
            if attempt != self._attempt or not self._ahead:
                return
            self._has_given = True
            yield self._ahead.pop()

    async def _ask(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._ahead:
            return
        self._asker = asyncio.current_task()
        try:
            self._ahead.append(await anext(self._source))
        except StopAsyncIteration:
            pass
        except asyncio.CancelledError:
            self._has_given = True  # a generator does not go on after that
            raise
        except Exception as failure:
            self.failure = failure
            raise
        finally:
            self._asker = None


def _steps(pieces: Iterable[str | Flush]) -> Generator[StreamingSynthesizeRequest, None, None]:
    """Yields the messages of the pieces; `pieces` is not touched before the first one is asked for."""
    for piece in pieces:
        yield wire.step(piece)


async def _async_steps(pieces: AsyncIterable[str | Flush]) -> AsyncGenerator[StreamingSynthesizeRequest, None]:
    async for piece in pieces:
        yield wire.step(piece)
