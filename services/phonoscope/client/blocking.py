"""The client for scripts and threads, which may share it. One channel, a deadline on every call, typed errors."""

import threading
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from phonoscope.client import wire
from phonoscope.client.channel import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_SECONDS,
    LoadBalancing,
    channel_credentials,
    channel_options,
)
from phonoscope.client.errors import NotFound, PhonoscopeClientError, from_rpc_error
from phonoscope.client.incremental_input import IncrementalInput
from phonoscope.client.options import SpeechOptions
from phonoscope.client.retries import Attempts, closed_while_waiting
from phonoscope.client.tracing import CallTrace, Untraced, call_tracer
from phonoscope.client.types import AudioChunk, Flush, Speech, Voice
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Client:
    """Speaks texts through one server; close it, or use it as a context manager.

    Every method raises PhonoscopeClientError when its call fails, and takes `timeout_seconds` in place of the
    client's own. The connection is made by the first call, not here.

    A busy server refuses a call with RESOURCE_EXHAUSTED and a delay (RetryInfo). The client waits and calls again, as
    long as nothing of the reply has come and the delay ends before the deadline of the call; otherwise it raises
    ResourceExhausted at once. The delay doubles on each further refusal, up to 30 s; a random part of up to 25 % is
    added. Health checks never wait.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        tls: bool = False,
        root_certificates: Path | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tracer_provider: "TracerProvider | None" = None,
        load_balancing: LoadBalancing = "pick_first",
        read_ahead_bytes: int | None = None,
        waits_when_busy: bool = True,
    ) -> None:
        """Prepares the channel to `target` (host:port, or any gRPC name).

        Plain text unless `tls`, `root_certificates` (a PEM file) or `credentials` is given. With a `tracer_provider`
        of OpenTelemetry every call but health checks has a CLIENT span, whose context the server receives.
        "round_robin" spreads the calls over all addresses of a name such as dns:///speech:50051.
        `read_ahead_bytes` bounds what gRPC takes of a stream before it is asked for. Without `waits_when_busy` a busy
        server's refusal is raised at once.
        """
        self.target = target
        self.timeout_seconds = timeout_seconds
        secured = channel_credentials(credentials, tls=tls, root_certificates=root_certificates)
        self._channel = (
            grpc.insecure_channel(target, channel_options(load_balancing, read_ahead_bytes))
            if secured is None
            else grpc.secure_channel(target, secured, channel_options(load_balancing, read_ahead_bytes))
        )
        self._speech = tts_pb2_grpc.TextToSpeechStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._tracer = call_tracer(tracer_provider, target)
        self._waits_when_busy = waits_when_busy
        self._is_closed = threading.Event()

    def synthesize(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Speech:
        """Returns the whole text, or `ssml` in its place, spoken.

        At most 4 MiB of audio (95 s at 22 050 Hz): `stream` has no such limit.
        """
        request = wire.speech_request(text, options)
        trace = self._tracer.call("Synthesize")
        return wire.speech(self._unary(self._speech.Synthesize, request, self._attempts(timeout_seconds), trace))

    def stream(
        self, text: str = "", *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Generator[AudioChunk, None, None]:
        """Yields audio while the rest is still being made; closing the generator cancels what is left.

        `timeout_seconds` bounds the whole stream. The call starts with the first `next`.
        """
        request = wire.speech_request(text, options)
        return self._audio_chunks(request, timeout_seconds)

    def stream_pieces(
        self, pieces: Iterable[str | Flush], *, timeout_seconds: float | None = None, **options: Unpack[SpeechOptions]
    ) -> Generator[AudioChunk, None, None]:
        """Yields audio while the text is still being written: each piece is sent as it comes, of any size.

        FLUSH among the pieces has what came so far spoken at once. Pieces are asked for on a thread of gRPC's, no
        faster than the server takes them. What `pieces` raises ends the call and is raised here. A refusal is raised
        at once when a piece was sent before it came. The rest is as in `stream`.
        """
        settings = wire.speech_request("", options)
        return self._piece_chunks(settings, pieces, timeout_seconds)

    def voices(self, language: str = "", *, timeout_seconds: float | None = None) -> tuple[Voice, ...]:
        """Returns the voices of the server, or only those of `language` (BCP 47), the default voice first."""
        request = tts_pb2.ListVoicesRequest(language=language)
        trace = self._tracer.call("ListVoices")
        response = self._unary(self._speech.ListVoices, request, self._attempts(timeout_seconds), trace)
        return tuple(wire.voice(message) for message in response.voices)

    def health(self, service: str = "", *, timeout_seconds: float | None = None) -> str:
        """Returns "SERVING", "NOT_SERVING", "UNKNOWN", or "SERVICE_UNKNOWN" for a service that the server has not."""
        request = health_pb2.HealthCheckRequest(service=service)
        attempts = Attempts(self._timeout(timeout_seconds), waits_when_busy=False)
        try:
            response = self._unary(self._health.Check, request, attempts, Untraced())
        except NotFound:
            return "SERVICE_UNKNOWN"
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))

    def watch_health(
        self, service: str = "", *, timeout_seconds: float | None = None, wait_for_ready: bool = False
    ) -> Generator[str, None, None]:
        """Yields the status of now and then each change, as `health` names them, until closed.

        The only call without a deadline of its own: give `timeout_seconds` to have one. With `wait_for_ready` it
        waits for a server that is not there yet.
        """
        request = health_pb2.HealthCheckRequest(service=service)
        call = self._health.Watch(request, timeout=timeout_seconds, wait_for_ready=wait_for_ready)
        try:
            for response in call:
                yield str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target) from None
        finally:
            call.cancel()

    def close(self) -> None:
        """Closes the channel; calls that are under way, or wait for a busy server, end with Cancelled."""
        self._is_closed.set()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _audio_chunks(
        self, request: tts_pb2.SynthesizeRequest, timeout_seconds: float | None
    ) -> Generator[AudioChunk, None, None]:
        with self._tracer.call("SynthesizeStream") as trace:
            begin = partial(self._speech.SynthesizeStream, request, metadata=trace.metadata)
            yield from self._chunks(begin, wire.audio_chunk, self._attempts(timeout_seconds), trace)

    def _piece_chunks(
        self, settings: tts_pb2.SynthesizeRequest, pieces: Iterable[str | Flush], timeout_seconds: float | None
    ) -> Generator[AudioChunk, None, None]:
        shared = IncrementalInput(settings, pieces)

        def begin(*, timeout: float) -> "grpc.CallIterator[tts_pb2.StreamingSynthesizeResponse]":
            messages = shared.begin_attempt()
            return self._speech.StreamingSynthesize(messages, timeout=timeout, metadata=trace.metadata)

        attempts = self._attempts(timeout_seconds, shared.end_attempt)
        with self._tracer.call("StreamingSynthesize") as trace:
            try:
                yield from self._chunks(begin, wire.piece_chunk, attempts, trace)
            except PhonoscopeClientError:
                if shared.failure is None:
                    raise
                raise shared.failure from None

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
                    trace.audio_came()
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
                # A future, not a plain call: when Ctrl-C interrupts the wait, the server must hear of it.
                call = method.future(request, timeout=attempts.seconds_left(), metadata=trace.metadata)
                try:
                    return call.result()
                except grpc.RpcError as error:
                    wait_seconds = self._wait_after(error, attempts)
                finally:
                    call.cancel()  # type: ignore[no-untyped-call]  # grpc-stubs leaves it untyped
                self._wait(wait_seconds)

    def _wait_after(self, error: grpc.RpcError, attempts: Attempts) -> float:
        """Returns the seconds until the next attempt; raises the typed error where there is none."""
        failure = from_rpc_error(error, self.target)
        wait_seconds = attempts.wait_after(failure)
        if wait_seconds is None:
            raise failure from None
        return wait_seconds

    def _wait(self, seconds: float) -> None:
        """Waits for a busy server; raises Cancelled when the client is closed meanwhile."""
        if self._is_closed.wait(seconds):
            raise closed_while_waiting(self.target)

    def _attempts(self, timeout_seconds: float | None, is_repeatable: Callable[[], bool] = lambda: True) -> Attempts:
        timeout = self._timeout(timeout_seconds)
        return Attempts(timeout, waits_when_busy=self._waits_when_busy, is_repeatable=is_repeatable)

    def _timeout(self, timeout_seconds: float | None) -> float:
        return self.timeout_seconds if timeout_seconds is None else timeout_seconds
