"""The server under load: the interface that generator.py uses, and a Phonoscope server over gRPC.

http_target.py has servers with HTTP APIs.
"""

import asyncio
import itertools
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from phonoscope.client import AsyncClient, AudioChunk, InvalidArgument, PhonoscopeClientError, Unavailable
from phonoscope.loadgen.barge_in import listen
from phonoscope.loadgen.plan import CallResult, PlannedCall
from phonoscope.loadgen.player import Player

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

CALLS_PER_CHANNEL: Final = 16
MAX_CHANNELS: Final = 32
HEALTH_TIMEOUT_SECONDS: Final = 3.0
SERVING: Final = "SERVING"
NO_AUDIO: Final = "OK_WITHOUT_AUDIO"


class Target(Protocol):
    """A speech server; an asynchronous context manager, which closes the connections."""

    address: str

    async def status(self) -> str:
        """Returns SERVING, or another status."""

    async def make(self, call: PlannedCall, due: float) -> CallResult:
        """Makes one call and returns its result; times count from the loop's time `due`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class SpeechServer:
    """A Phonoscope server at `address`, with one channel for every sixteen calls in flight.

    Create it where the event loop runs.
    """

    def __init__(
        self,
        address: str,
        *,
        calls_at_once: int,
        deadline_seconds: float,
        tracer_provider: "TracerProvider | None" = None,
    ) -> None:
        self.address = address
        channels = min(MAX_CHANNELS, math.ceil(calls_at_once / CALLS_PER_CHANNEL))
        self._clients = [
            AsyncClient(
                address, timeout_seconds=deadline_seconds, tracer_provider=tracer_provider, waits_when_busy=False
            )
            for _ in range(channels)
        ]
        self._turns = itertools.cycle(self._clients)

    async def status(self) -> str:
        """Returns "SERVING" when the health checks of all channels do; otherwise the first other status.

        Checking every channel connects it before calls are measured, and again after the server was away.
        """
        answers = await asyncio.gather(*(health_of(client) for client in self._clients))
        return next((answer for answer in answers if answer != SERVING), SERVING)

    async def make(self, call: PlannedCall, due: float) -> CallResult:
        """Makes one call and returns its result; times count from the loop's time `due`."""
        now = asyncio.get_running_loop().time
        player = Player()
        failure: PhonoscopeClientError | None = None
        is_cancelled = False
        try:
            is_cancelled = await listen(self._audio(call), call, player)
        except PhonoscopeClientError as error:
            failure = error
        return CallResult(
            call=call,
            seconds=now() - due,
            error="" if is_cancelled else error_name(failure, player),
            is_refused=isinstance(failure, InvalidArgument),
            first_audio_seconds=None if player.first_audio_at is None else player.first_audio_at - due,
            audio_seconds=player.audio_seconds,
            gaps_seconds=tuple(player.gaps_seconds),
            underruns=player.underruns,
            retry_after_seconds=failure.retry_after_seconds if failure else None,
            is_away=isinstance(failure, Unavailable),
            is_cancelled=is_cancelled,
        )

    async def _audio(self, call: PlannedCall) -> AsyncGenerator[float, None]:
        """Yields the seconds of audio as they arrive; closing it cancels the call."""
        client = next(self._turns)
        if not call.is_stream:
            yield (await client.synthesize(call.text, **call.options)).audio_seconds
            return
        async with aclosing(chunks_of(client, call)) as chunks:
            async for chunk in chunks:
                yield chunk.audio_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as stack:
            for client in self._clients:
                stack.push_async_callback(client.close)


def chunks_of(client: AsyncClient, call: PlannedCall) -> AsyncGenerator[AudioChunk, None]:
    """Returns the chunks of a stream, whose text is sent as a whole or word by word."""
    if call.tokens_per_second is None:
        return client.stream(call.text, **call.options)
    return client.stream_pieces(timed_words(call.text, call.tokens_per_second), **call.options)


async def timed_words(text: str, per_second: float) -> AsyncIterator[str]:
    """Yields the text word by word at a constant rate, like a language model; 0 means without waiting."""
    now = asyncio.get_running_loop().time
    started = now()
    for number, word in enumerate(words_of(text)):
        if per_second:
            await asyncio.sleep(max(0.0, started + number / per_second - now()))
        yield word


def words_of(text: str) -> list[str]:
    """Returns the words, each with the white space before it; joined they are `text`."""
    return re.findall(r"\s*\S+|\s+$", text) or [text]


async def health_of(client: AsyncClient) -> str:
    """Returns the server's health over this client's channel, or the code of a failed check."""
    try:
        return await client.health(timeout_seconds=HEALTH_TIMEOUT_SECONDS)
    except PhonoscopeClientError as error:
        return error.code.name


def error_name(failure: PhonoscopeClientError | None, player: Player) -> str:
    """Returns the name under which a call is counted: "" for success, otherwise its code and the server's reason."""
    if failure is not None:
        return f"{failure.code.name} {failure.reason}".rstrip()
    return "" if player.audio_seconds else NO_AUDIO
