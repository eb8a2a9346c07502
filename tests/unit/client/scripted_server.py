"""A real gRPC server on a free port that answers as a test scripts it; the conftests here and in ../cli load it.

Each call takes the next act of the script, or speaks plainly when there is none left.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

LONGEST_WAIT_SECONDS = 20.0
SAMPLE_RATE_HZ = 16_000
PLAIN_PIECES = (b"\x01\x00" * 1600, b"\x02\x00" * 800, b"\x03\x00" * 160)
PLAIN_TIMINGS = (
    tts_pb2.Timings(
        words=[
            tts_pb2.WordTiming(
                word="Hello", start_seconds=0.01, end_seconds=0.08, text_span=tts_pb2.TextSpan(start=0, stop=5)
            )
        ],
        phonemes=[tts_pb2.PhonemeTiming(phoneme="ˈɑː", start_seconds=0.01, end_seconds=0.05)],
        visemes=[
            tts_pb2.VisemeTiming(start_seconds=0.0, end_seconds=0.01),
            tts_pb2.VisemeTiming(viseme=tts_pb2.VISEME_PP, start_seconds=0.01, end_seconds=0.05),
        ],
    ),
    tts_pb2.Timings(marks=[tts_pb2.MarkTiming(name="here", seconds=0.12)]),
    tts_pb2.Timings(
        words=[
            tts_pb2.WordTiming(
                word="there", start_seconds=0.15, end_seconds=0.16, text_span=tts_pb2.TextSpan(start=6, stop=11)
            )
        ],
    ),
)
"""The timings that a request gets with each of PLAIN_PIECES."""
VOICES = (
    tts_pb2.Voice(
        id="en_US-joe-medium",
        language="en-US",
        sample_rate_hertz=22050,
        is_default=True,
        engine="vits",
        quality="medium",
        precision="bfloat16",
        emotion_rendering=tts_pb2.EMOTION_RENDERING_PROSODY,
    ),
    tts_pb2.Voice(
        id="de_DE-mls-medium",
        language="de-DE",
        sample_rate_hertz=22050,
        speakers=["anna", "bert"],
        gender=tts_pb2.GENDER_FEMALE,
        grade="C+",
    ),
)


@dataclass(frozen=True)
class Call:
    """One attempt as the server saw it."""

    method: str
    request: Any
    peer: str
    seconds_left: float
    metadata: dict[str, str]


Act = Callable[[grpc.ServicerContext], Iterator[bytes]]


class ScriptedServer(tts_pb2_grpc.TextToSpeechServicer):
    """Answers by script, and remembers what it was asked."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.timings: Sequence[tts_pb2.Timings] = PLAIN_TIMINGS
        self.is_holding = threading.Event()
        self.cancelled = threading.Event()
        self._call_came = threading.Condition()
        self._script: deque[Act] = deque()
        self._health = health.HealthServicer()
        self._server = grpc.server(ThreadPoolExecutor(8))
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        port = (
            self._server.add_secure_port(f"localhost:{port}", credentials)
            if credentials
            else self._server.add_insecure_port(f"127.0.0.1:{port}")
        )
        self.target = f"localhost:{port}" if credentials else f"127.0.0.1:{port}"
        self.port = port
        self._server.start()

    def close(self) -> None:
        self._server.stop(grace=None).wait()

    # What a test scripts.

    def then_fail(self, code: grpc.StatusCode, text: str, *details: message.Message) -> None:
        """The next call fails with google.rpc details."""
        self.then_speak(then=self.failure(code, text, *details))

    def then_fail_at_once(self, code: grpc.StatusCode, text: str, *details: message.Message) -> None:
        """As `then_fail`, but before a piece of the text is read."""
        self._then_at_once(self.failure(code, text, *details))

    def then_refuse(self, seconds: float | None) -> None:
        """The next call finds the server busy, before a piece of its text is read."""
        self._then_at_once(self.refusal(seconds))

    def _then_at_once(self, fail: Callable[[grpc.ServicerContext], None]) -> None:
        def act(context: grpc.ServicerContext) -> Iterator[bytes]:
            fail(context)
            return iter(())

        self._script.append(act)

    def then_speak(self, *pieces: bytes, then: Callable[[grpc.ServicerContext], None] = lambda context: None) -> None:
        """The next call gets these pieces of audio, and then what `then` does."""

        def act(context: grpc.ServicerContext) -> Iterator[bytes]:
            yield from pieces
            then(context)

        self._script.append(act)

    def failure(
        self, code: grpc.StatusCode, text: str, *details: message.Message
    ) -> Callable[[grpc.ServicerContext], None]:
        packed = [any_pb2.Any() for _ in details]
        for into, detail in zip(packed, details, strict=True):
            into.Pack(detail)
        status = rpc_status.to_status(status_pb2.Status(code=code.value[0], message=text, details=packed))
        return lambda context: context.abort_with_status(status)

    def refusal(self, seconds: float | None) -> Callable[[grpc.ServicerContext], None]:
        """What a busy server does: RESOURCE_EXHAUSTED, with RetryInfo unless `seconds` is None."""
        details: list[message.Message] = [error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="phonoscope")]
        if seconds is not None:
            delay = duration_pb2.Duration()
            delay.FromTimedelta(timedelta(seconds=seconds))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        return self.failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", *details)

    def hold(self, context: grpc.ServicerContext) -> None:
        """Waits until the caller goes away."""
        gone = threading.Event()
        if context.add_callback(gone.set):
            self.is_holding.set()
            assert gone.wait(LONGEST_WAIT_SECONDS), "the call was never cancelled"
        self.cancelled.set()

    def set_health(self, status: str, service: str = "") -> None:
        self._health.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(status))

    def wait_for_calls(self, count: int) -> None:
        """Waits until that many calls have come."""
        with self._call_came:
            assert self._call_came.wait_for(lambda: len(self.calls) >= count, LONGEST_WAIT_SECONDS)

    def requests(self, method: str) -> Sequence[Any]:
        return [call.request for call in self.calls if call.method == method]

    # What gRPC calls.

    def Synthesize(self, request: Any, context: grpc.ServicerContext) -> tts_pb2.SynthesizeResponse:  # noqa: N802 - the name of the wire
        self._remember("Synthesize", request, context)
        audio = b"".join(self._next_act()(context))
        return tts_pb2.SynthesizeResponse(
            audio_data=audio,
            sample_rate=SAMPLE_RATE_HZ,
            status="success",
            encoding=request.audio_config.encoding,
            audio_seconds=len(audio) / 2 / SAMPLE_RATE_HZ,
            seed=request.seed if request.HasField("seed") else 42,
            request_id=request.request_id or "made-by-server",
            speaker_id=request.speaker_id or VOICES[0].id,
            timings=self._whole_timings() if request.timing_types else None,
        )

    def SynthesizeStream(  # noqa: N802 - the name of the wire
        self, request: Any, context: grpc.ServicerContext
    ) -> Iterator[tts_pb2.SynthesizeStreamResponse]:
        self._remember("SynthesizeStream", request, context)
        for sequence, audio in enumerate(self._next_act()(context)):
            yield self._stream_response(request, audio, sequence)

    def StreamingSynthesize(  # noqa: N802 - the name of the wire
        self, request_iterator: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[tts_pb2.StreamingSynthesizeResponse]:
        """Answers each message but the settings with one of the script's pieces, as long as there are any."""
        settings = next(request_iterator).settings
        steps: list[Any] = []
        self._remember("StreamingSynthesize", (settings, steps), context)
        audio = self._next_act()(context)
        position = 0
        for sequence, step in enumerate(request_iterator):
            steps.append(step.text or step.WhichOneof("step"))
            if (piece := next(audio, None)) is not None:
                yield tts_pb2.StreamingSynthesizeResponse(
                    audio=self._stream_response(settings, piece, sequence),
                    text_span=tts_pb2.TextSpan(start=position, stop=position + len(step.text)),
                )
            position += len(step.text)
        for _ in audio:
            pass

    def _stream_response(self, request: Any, audio: bytes, sequence: int) -> tts_pb2.SynthesizeStreamResponse:
        first = sequence == 0
        return tts_pb2.SynthesizeStreamResponse(
            audio_data=audio,
            sample_rate=SAMPLE_RATE_HZ,
            status="success",
            encoding=request.audio_config.encoding,
            audio_seconds=len(audio) / 2 / SAMPLE_RATE_HZ,
            seed=42 if first else 0,
            request_id="made-by-server" if first else "",
            speaker_id=VOICES[0].id if first else "",
            sequence=sequence,
            timings=self.timings[sequence] if request.timing_types and sequence < len(self.timings) else None,
        )

    def _whole_timings(self) -> tts_pb2.Timings:
        whole = tts_pb2.Timings()
        for part in self.timings:
            whole.MergeFrom(part)
        return whole

    def ListVoices(self, request: Any, context: grpc.ServicerContext) -> tts_pb2.ListVoicesResponse:  # noqa: N802 - the name of the wire
        self._remember("ListVoices", request, context)
        list(self._next_act()(context))
        return tts_pb2.ListVoicesResponse(
            voices=[
                voice
                for voice in VOICES
                if voice.language.startswith(request.language)
                and request.gender in (tts_pb2.GENDER_UNSPECIFIED, voice.gender)
                and request.engine in ("", voice.engine)
            ]
        )

    def _next_act(self) -> Act:
        return self._script.popleft() if self._script else lambda context: iter(PLAIN_PIECES)

    def _remember(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        with self._call_came:
            self.calls.append(Call(method, request, context.peer(), context.time_remaining(), metadata))
            self._call_came.notify_all()
