"""The asyncio client: the calls of blocking.py as coroutines and asynchronous generators."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, Unpack, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from phonoscope.client import wire
from phonoscope.client.base import BaseClient
from phonoscope.client.channel import ChannelOptions
from phonoscope.client.errors import NotFound, PhonoscopeClientError, from_rpc_error
from phonoscope.client.incremental_input import AsyncIncrementalInput
from phonoscope.client.options import SpeechOptions
from phonoscope.client.retries import Attempts, closed_while_waiting
from phonoscope.client.tracing import CallTrace, Untraced
from phonoscope.client.types import AudioChunk, Flush, Gender, Speech, Voice
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

if TYPE_CHECKING:
    from phonoscope.protos.tts.v1.tts_pb2_grpc import TextToSpeechAsyncStub

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
ResponseT_co = TypeVar("ResponseT_co", covariant=True)


class StreamCall(Protocol[ResponseT_co]):
    """A call of grpc.aio whose reply is a stream; grpc-stubs has no name for both kinds."""

    def __aiter__(self) -> AsyncIterator[ResponseT_co]: ...

    def cancel(self) -> bool:
        """Ends the call; returns False when it has ended already."""


class AsyncClient(BaseClient):
    """Speaks texts through one server; `await close()`, or use it as an asynchronous context manager.

    Create it where the event loop runs. Cancelling the task of a call cancels the call on the server. BaseClient
    documents the arguments, and the rules that hold for every call.
    """

    async def synthesize(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Speech:
        """Returns the speech of a text, or of the option `ssml`, as one reply.

        `options` are the fields of SpeechOptions. A reply holds up to 4 MiB of audio (95 s at 22 050 Hz); `stream` has
        no such limit.
        """
        request = wire.speech_request(text, options)
        trace = self._tracer.call("Synthesize")
        return wire.speech(await self._unary(self._speech.Synthesize, request, self._attempts(timeout_seconds), trace))

    def stream(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields audio while the server synthesizes the rest; closing the generator cancels the call.

        `options` are the fields of SpeechOptions. `timeout_seconds` is the deadline of the whole stream. The call
        starts with the first `anext`. After a `break` the generator is closed late:
        `async with contextlib.aclosing(client.stream(…)) as chunks` closes it at once.
        """
        request = wire.speech_request(text, options)
        return self._audio_chunks(request, timeout_seconds)

    def stream_pieces(
        self,
        pieces: AsyncIterable[str | Flush],
        *,
        timeout_seconds: float | None = None,
        **options: Unpack[SpeechOptions],
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields audio for a text that arrives incrementally, such as the tokens of a language model.

        Each piece, of any size, is sent as soon as it is available; FLUSH in place of a piece makes the server speak
        the text so far without waiting for more. `pieces` is iterated no faster than the server reads. An exception
        that it raises ends the call and is raised here. A busy server is not waited for once a piece has been sent.
        Otherwise as `stream`.
        """
        settings = wire.speech_request("", options)
        return self._incremental_chunks(settings, pieces, timeout_seconds)

    async def voices(
        self,
        language: str = "",
        *,
        gender: Gender | None = None,
        engine: str = "",
        timeout_seconds: float | None = None,
    ) -> tuple[Voice, ...]:
        """Returns the voices of the server, the default voice first.

        Args:
            language: only voices of this BCP 47 tag; "en" covers "en-US".
            gender: only voices of this gender.
            engine: only voices of this engine, such as "kokoro".
            timeout_seconds: deadline of the call.
        """
        request = wire.voices_request(language, gender, engine)
        trace = self._tracer.call("ListVoices")
        response = await self._unary(self._speech.ListVoices, request, self._attempts(timeout_seconds), trace)
        return wire.voices(response)

    async def health(self, service: str = "", *, timeout_seconds: float | None = None) -> str:
        """Returns "SERVING", "NOT_SERVING" or "UNKNOWN"; "SERVICE_UNKNOWN" if the server has no such service."""
        request = health_pb2.HealthCheckRequest(service=service)
        attempts = self._single_attempt(timeout_seconds)
        try:
            response = await self._unary(self._health.Check, request, attempts, Untraced())
        except NotFound:
            return "SERVICE_UNKNOWN"
        return wire.serving_status(response)

    async def watch_health(
        self, service: str = "", *, timeout_seconds: float | None = None, wait_for_ready: bool = False
    ) -> AsyncGenerator[str, None]:
        """Yields the current status and then each change, with the values of `health`, until closed.

        There is no deadline unless `timeout_seconds` is given. With `wait_for_ready` the call waits for a server that
        is not reachable yet.
        """
        request = health_pb2.HealthCheckRequest(service=service)
        call = self._health.Watch(request, timeout=timeout_seconds, wait_for_ready=wait_for_ready)
        try:
            async for response in call:
                yield wire.serving_status(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Closes the channel; cancels the calls in progress; calls that wait for a busy server raise Cancelled."""
        self._is_closed.set()
        await self._channel.close(grace=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _connect(self, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> None:
        self._channel = (
            grpc.aio.insecure_channel(self.target, options)
            if credentials is None
            else grpc.aio.secure_channel(self.target, credentials, options)
        )
        # The asynchronous stub exists for type checkers only; one class serves both kinds of channel.
        self._speech = cast("TextToSpeechAsyncStub", tts_pb2_grpc.TextToSpeechStub(self._channel))
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._is_closed = asyncio.Event()

    async def _audio_chunks(
        self, request: tts_pb2.SynthesizeRequest, timeout_seconds: float | None
    ) -> AsyncGenerator[AudioChunk, None]:
        with self._tracer.call("SynthesizeStream") as trace:
            begin = partial(self._speech.SynthesizeStream, request, metadata=trace.metadata)
            stream = self._chunks(begin, wire.audio_chunk, self._attempts(timeout_seconds), trace)
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _incremental_chunks(
        self, settings: tts_pb2.SynthesizeRequest, pieces: AsyncIterable[str | Flush], timeout_seconds: float | None
    ) -> AsyncGenerator[AudioChunk, None]:
        incremental = AsyncIncrementalInput(settings, pieces)

        def begin(*, timeout: float) -> StreamCall[tts_pb2.StreamingSynthesizeResponse]:
            messages = incremental.begin_attempt()
            return self._speech.StreamingSynthesize(messages, timeout=timeout, metadata=trace.metadata)

        attempts = self._attempts(timeout_seconds, incremental.end_attempt)
        with self._tracer.call("StreamingSynthesize") as trace:
            try:
                async with aclosing(self._chunks(begin, wire.incremental_chunk, attempts, trace)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except (PhonoscopeClientError, asyncio.CancelledError):  # gRPC cancels the call when `pieces` raises
                if incremental.failure is None:
                    raise
                raise incremental.failure from None
            finally:
                incremental.close()

    async def _chunks(
        self,
        begin: Callable[..., StreamCall[ResponseT]],
        chunk_of: Callable[[ResponseT], AudioChunk],
        attempts: Attempts,
        trace: CallTrace,
    ) -> AsyncGenerator[AudioChunk, None]:
        while True:
            call = begin(timeout=attempts.seconds_left())
            try:
                async for response in call:
                    attempts.commit()
                    trace.record_audio()
                    chunk = chunk_of(response)
                    del response  # one copy of the audio in memory, however slow the reader
                    yield chunk
            except grpc.RpcError as error:
                wait_seconds = self._wait_after(error, attempts)
            else:
                return
            finally:
                call.cancel()
            await self._wait(wait_seconds)

    async def _unary(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]",  # generic for type checkers only
        request: RequestT,
        attempts: Attempts,
        trace: CallTrace,
    ) -> ResponseT:
        with trace:
            while True:
                try:
                    return await method(request, timeout=attempts.seconds_left(), metadata=trace.metadata)
                except grpc.RpcError as error:
                    wait_seconds = self._wait_after(error, attempts)
                await self._wait(wait_seconds)

    async def _wait(self, seconds: float) -> None:
        """Waits between two attempts; raises Cancelled when the client is closed meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_closed.wait()
        except TimeoutError:
            return
        raise closed_while_waiting(self.target)
