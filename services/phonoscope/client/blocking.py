"""The blocking client: one channel, a deadline on every call, typed errors. aio.py has the same for asyncio."""

import threading
from collections.abc import Callable, Generator, Iterable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from phonoscope.client import wire
from phonoscope.client.base import BaseClient
from phonoscope.client.channel import ChannelOptions
from phonoscope.client.errors import NotFound, PhonoscopeClientError, from_rpc_error
from phonoscope.client.incremental_input import IncrementalInput
from phonoscope.client.options import SpeechOptions
from phonoscope.client.retries import Attempts, closed_while_waiting
from phonoscope.client.tracing import CallTrace, Untraced
from phonoscope.client.types import AudioChunk, Flush, Gender, Speech, Voice
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Client(BaseClient):
    """Speaks texts through one server; call `close()`, or use it as a context manager. Threads may share it.

    BaseClient documents the arguments, and the rules that hold for every call.
    """

    def synthesize(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Speech:
        """Returns the speech of a text, or of the option `ssml`, as one reply.

        `options` are the fields of SpeechOptions. A reply holds up to 4 MiB of audio (95 s at 22 050 Hz); `stream` has
        no such limit.
        """
        request = wire.speech_request(text, options)
        trace = self._tracer.call("Synthesize")
        return wire.speech(self._unary(self._speech.Synthesize, request, self._attempts(timeout_seconds), trace))

    def stream(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Generator[AudioChunk, None, None]:
        """Yields audio while the server synthesizes the rest; closing the generator cancels the call.

        `options` are the fields of SpeechOptions. `timeout_seconds` is the deadline of the whole stream. The call
        starts with the first `next`.
        """
        request = wire.speech_request(text, options)
        return self._audio_chunks(request, timeout_seconds)

    def stream_pieces(
        self, pieces: Iterable[str | Flush], *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Generator[AudioChunk, None, None]:
        """Yields audio for a text that arrives incrementally, such as the tokens of a language model.

        Each piece, of any size, is sent as soon as it is available; FLUSH in place of a piece makes the server speak
        the text so far without waiting for more. A gRPC thread iterates over `pieces`, no faster than the server
        reads. An exception that `pieces` raises ends the call and is raised here. A busy server is not waited for once
        a piece has been sent. Otherwise as `stream`.
        """
        settings = wire.speech_request("", options)
        return self._incremental_chunks(settings, pieces, timeout_seconds)

    def voices(
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
        response = self._unary(self._speech.ListVoices, request, self._attempts(timeout_seconds), trace)
        return wire.voices(response)

    def health(self, service: str = "", *, timeout_seconds: float | None = None) -> str:
        """Returns "SERVING", "NOT_SERVING" or "UNKNOWN"; "SERVICE_UNKNOWN" if the server has no such service."""
        request = health_pb2.HealthCheckRequest(service=service)
        attempts = self._single_attempt(timeout_seconds)
        try:
            response = self._unary(self._health.Check, request, attempts, Untraced())
        except NotFound:
            return "SERVICE_UNKNOWN"
        return wire.serving_status(response)

    def watch_health(
        self, service: str = "", *, timeout_seconds: float | None = None, wait_for_ready: bool = False
    ) -> Generator[str, None, None]:
        """Yields the current status and then each change, with the values of `health`, until closed.

        There is no deadline unless `timeout_seconds` is given. With `wait_for_ready` the call waits for a server that
        is not reachable yet.
        """
        request = health_pb2.HealthCheckRequest(service=service)
        call = self._health.Watch(request, timeout=timeout_seconds, wait_for_ready=wait_for_ready)
        try:
            for response in call:
                yield wire.serving_status(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target) from None
        finally:
            call.cancel()

    def close(self) -> None:
        """Closes the channel; calls in progress, and calls that wait for a busy server, raise Cancelled."""
        self._is_closed.set()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> None:
        self._channel = (
            grpc.insecure_channel(self.target, options)
            if credentials is None
            else grpc.secure_channel(self.target, credentials, options)
        )
        self._speech = tts_pb2_grpc.TextToSpeechStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._is_closed = threading.Event()

    def _audio_chunks(
        self, request: tts_pb2.SynthesizeRequest, timeout_seconds: float | None
    ) -> Generator[AudioChunk, None, None]:
        with self._tracer.call("SynthesizeStream") as trace:
            begin = partial(self._speech.SynthesizeStream, request, metadata=trace.metadata)
            yield from self._chunks(begin, wire.audio_chunk, self._attempts(timeout_seconds), trace)

    def _incremental_chunks(
        self, settings: tts_pb2.SynthesizeRequest, pieces: Iterable[str | Flush], timeout_seconds: float | None
    ) -> Generator[AudioChunk, None, None]:
        incremental = IncrementalInput(settings, pieces)

        def begin(*, timeout: float) -> "grpc.CallIterator[tts_pb2.StreamingSynthesizeResponse]":
            messages = incremental.begin_attempt()
            return self._speech.StreamingSynthesize(messages, timeout=timeout, metadata=trace.metadata)

        attempts = self._attempts(timeout_seconds, incremental.end_attempt)
        with self._tracer.call("StreamingSynthesize") as trace:
            try:
                yield from self._chunks(begin, wire.incremental_chunk, attempts, trace)
            except PhonoscopeClientError:
                if incremental.failure is None:
                    raise
                raise incremental.failure from None

    def _chunks(
        self,
        begin: "Callable[..., grpc.CallIterator[ResponseT]]",  # generic for type checkers only
        chunk_of: Callable[[ResponseT], AudioChunk],
        attempts: Attempts,
        trace: CallTrace,
    ) -> Generator[AudioChunk, None, None]:
        while True:
            call = begin(timeout=attempts.seconds_left())
            try:
                for response in call:
                    attempts.commit()
                    trace.record_audio()
                    yield chunk_of(response)
            except grpc.RpcError as error:
                wait_seconds = self._wait_after(error, attempts)
            else:
                return
            finally:
                call.cancel()  # type: ignore[no-untyped-call]  # grpc-stubs leaves it untyped
            self._wait(wait_seconds)

    def _unary(
        self,
        method: "grpc.UnaryUnaryMultiCallable[RequestT, ResponseT]",  # generic for type checkers only
        request: RequestT,
        attempts: Attempts,
        trace: CallTrace,
    ) -> ResponseT:
        with trace:
            while True:
                # A future, not a plain call: Ctrl-C during the wait must cancel the call on the server.
                call = method.future(request, timeout=attempts.seconds_left(), metadata=trace.metadata)
                try:
                    return call.result()
                except grpc.RpcError as error:
                    wait_seconds = self._wait_after(error, attempts)
                finally:
                    call.cancel()  # type: ignore[no-untyped-call]  # grpc-stubs leaves it untyped
                self._wait(wait_seconds)

    def _wait(self, seconds: float) -> None:
        """Waits between two attempts; raises Cancelled when the client is closed meanwhile."""
        if self._is_closed.wait(seconds):
            raise closed_while_waiting(self.target)
