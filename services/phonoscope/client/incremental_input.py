"""Incremental input: the text of one call that arrives in pieces, shared by the attempts of that call.

Used by blocking.py and aio.py. A piece that gRPC has read cannot be sent again, so a call is repeatable only before
the first one. A refused attempt often still waits for the caller's first piece, such as the first token of a language
model: that piece goes to the next attempt.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator

from phonoscope.client import wire
from phonoscope.client.types import Flush
from phonoscope.protos.tts.v1.tts_pb2 import StreamingSynthesizeRequest, SynthesizeRequest


class IncrementalInput:
    """The request messages of a blocking call; gRPC reads each attempt's messages on a thread of its own.

    Attributes:
        failure: exception that the caller's pieces raised.
    """

    def __init__(self, settings: SynthesizeRequest, pieces: Iterable[str | Flush]) -> None:
        self.failure: Exception | None = None
        self._settings = settings
        self._source = _messages_of(pieces)
        self._unsent: list[StreamingSynthesizeRequest] = []  # up to one piece, which arrived too late for its attempt
        self._read_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._attempt = 0
        self._has_sent = False

    def begin_attempt(self) -> Iterator[StreamingSynthesizeRequest]:
        """Returns the messages of a new attempt, and ends the earlier ones."""
        with self._state_lock:
            self._attempt += 1
            return self._messages(self._attempt)

    def end_attempt(self) -> bool:
        """Ends the current attempt; returns whether another attempt would get all pieces."""
        with self._state_lock:
            self._attempt += 1
            return not self._has_sent and self.failure is None

    def _messages(self, attempt: int) -> Iterator[StreamingSynthesizeRequest]:
        yield wire.settings_message(self._settings)
        while True:
            with self._read_lock:  # the thread of an ended attempt may still wait for a piece
                self._read_ahead()
            with self._state_lock:
                if attempt != self._attempt or not self._unsent:
                    return
                self._has_sent = True
                message = self._unsent.pop()
            yield message

    def _read_ahead(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._unsent:
            return
        try:
            self._unsent.extend(itertools.islice(self._source, 1))
        except Exception as failure:
            self.failure = failure
            raise


class AsyncIncrementalInput:
    """The request messages of an asyncio call; grpc.aio reads each attempt's messages in a task of its own.

    Attributes:
        failure: exception that the caller's pieces raised.
    """

    def __init__(self, settings: SynthesizeRequest, pieces: AsyncIterable[str | Flush]) -> None:
        self.failure: Exception | None = None
        self._settings = settings
        self._source = _async_messages_of(pieces)
        self._unsent: list[StreamingSynthesizeRequest] = []  # up to one piece, which arrived too late for its attempt
        self._read_lock = asyncio.Lock()
        self._reader: asyncio.Task[object] | None = None
        self._attempt = 0
        self._has_sent = False

    def begin_attempt(self) -> AsyncIterator[StreamingSynthesizeRequest]:
        """Returns the messages of a new attempt, and ends the earlier ones."""
        self._attempt += 1
        return self._messages(self._attempt)

    def end_attempt(self) -> bool:
        """Ends the current attempt; returns whether another attempt would get all pieces."""
        self._attempt += 1
        return not self._has_sent and self.failure is None

    def close(self) -> None:
        """Cancels the task that still waits for a piece; gRPC does not when the server ends the call."""
        if self._reader is not None and not self._reader.cancelling():
            self._reader.cancel()

    async def _messages(self, attempt: int) -> AsyncIterator[StreamingSynthesizeRequest]:
        yield wire.settings_message(self._settings)
        while True:
            async with self._read_lock:  # the task of an ended attempt may still wait for a piece
                await self._read_ahead()
            if attempt != self._attempt or not self._unsent:
                return
            self._has_sent = True
            yield self._unsent.pop()

    async def _read_ahead(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._unsent:
            return
        self._reader = asyncio.current_task()
        try:
            self._unsent.append(await anext(self._source))
        except StopAsyncIteration:
            pass
        except asyncio.CancelledError:
            self._has_sent = True  # a cancelled generator cannot continue
            raise
        except Exception as failure:
            self.failure = failure
            raise
        finally:
            self._reader = None


def _messages_of(pieces: Iterable[str | Flush]) -> Generator[StreamingSynthesizeRequest, None, None]:
    """Yields the messages of the pieces; does not touch `pieces` before the first `next`."""
    for piece in pieces:
        yield wire.piece_message(piece)


async def _async_messages_of(pieces: AsyncIterable[str | Flush]) -> AsyncGenerator[StreamingSynthesizeRequest, None]:
    async for piece in pieces:
        yield wire.piece_message(piece)
