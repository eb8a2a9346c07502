"""The client of the emotion service: one channel for all requests, a deadline for each sentence, no exceptions.

Built by `build.py` where the settings have an address. gRPC retries a call once that found the service UNAVAILABLE;
a circuit breaker leaves a service alone that keeps failing.

A call has a CLIENT span by OpenTelemetry's interceptor. That interceptor loses the span, and does not cancel the call
on the service, where the task of the call is cancelled (0.66b2). So calls run in tasks of their own that are never
cancelled: a request that ends meanwhile stops waiting, and its call ends by its deadline, a moment later.
"""

import asyncio
import json
import math
import time
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import grpc
from opentelemetry.trace import TracerProvider

from phonoscope.protos.emotion.v1 import emotion_pb2, emotion_pb2_grpc
from phonoscope.server.emotion_analysis.base import SentenceEmotion
from phonoscope.server.emotion_analysis.circuit_breaker import CircuitBreaker
from phonoscope.server.emotions import EMOTIONS
from phonoscope.server.events import Emit, EmotionAnalyzed, EmotionFallback, EmotionSkipped

# What the service accepts by default; the rest of a longer sentence changes little.
MAX_CHARACTERS: Final = 1000
MAX_TOTAL_WEIGHT: Final = 1.001
SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "phonoscope.emotion.v1.EmotionAnalysis"}],
                "retryPolicy": {
                    "maxAttempts": 2,
                    "initialBackoff": "0.005s",
                    "maxBackoff": "0.005s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
CHANNEL_OPTIONS: Final = (
    ("grpc.enable_retries", 1),
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.lb_policy_name", "round_robin"),
    # A restarted service is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
)
_FALLBACKS: Final[Mapping[grpc.StatusCode, EmotionFallback]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
}


class EmotionClient:
    """Asks the emotion service at one address. Make it on the event loop that uses it.

    Args:
        address: HOST:PORT, or any gRPC target.
        emit: receives an event for each sentence.
        tracer_provider: of the spans; None for no spans.
        breaker: when to leave the service alone.
    """

    def __init__(
        self,
        address: str,
        emit: Emit,
        tracer_provider: TracerProvider | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._emit = emit
        self._breaker = breaker or CircuitBreaker()
        self._channel = grpc.aio.insecure_channel(
            address, CHANNEL_OPTIONS, interceptors=_interceptors(tracer_provider)
        )
        # The asynchronous stub exists for type checkers only.
        self._stub = cast(
            "emotion_pb2_grpc.EmotionAnalysisAsyncStub", emotion_pb2_grpc.EmotionAnalysisStub(self._channel)
        )
        self._calls: set[asyncio.Task[SentenceEmotion]] = set()

    async def analyze(self, request: int, text: str, language: str, timeout_seconds: float) -> SentenceEmotion:
        """Returns the emotion of a sentence; neutral, with the reason, if there is no answer in time."""
        sentence = _cleaned(text)
        if not any(map(str.isalpha, sentence)):
            return SentenceEmotion()
        if not self._breaker.allows_call():
            self._emit(EmotionSkipped(request))
            return SentenceEmotion(fallback="circuit_open")
        call = asyncio.create_task(self._call(request, sentence, language, timeout_seconds))
        self._calls.add(call)  # the loop has only a weak reference
        call.add_done_callback(self._calls.discard)
        await asyncio.wait({call}, timeout=timeout_seconds)
        return call.result() if call.done() else SentenceEmotion(fallback="timeout")

    async def close(self) -> None:
        """Lets calls in progress end, and closes the channel."""
        await asyncio.gather(*self._calls)
        await self._channel.close(None)

    async def _call(self, request: int, text: str, language: str, timeout_seconds: float) -> SentenceEmotion:
        message = emotion_pb2.AnalyzeRequest(texts=[emotion_pb2.Text(text=text, language=language)])
        began = time.monotonic()
        try:
            answer = await self._stub.Analyze(message, timeout=timeout_seconds)
            emotion = _emotion_of(answer)
        except grpc.aio.AioRpcError as error:
            emotion = SentenceEmotion(fallback=_FALLBACKS.get(error.code(), "refused"))
        self._record(emotion.fallback)
        seconds = time.monotonic() - began
        if seconds >= timeout_seconds and emotion.fallback is None:
            emotion = SentenceEmotion(fallback="timeout")  # nobody waits for it any more
        self._emit(EmotionAnalyzed(request, emotion.fallback, seconds))
        return emotion

    def _record(self, fallback: EmotionFallback | None) -> None:
        """Tells the breaker; a service that refuses a sentence, such as one of another language, works."""
        (self._breaker.succeed if fallback in {None, "refused"} else self._breaker.fail)()


def _interceptors(tracer_provider: TracerProvider | None) -> Sequence[Any]:
    if tracer_provider is None:
        return ()
    from opentelemetry.instrumentation.grpc import aio_client_interceptors  # noqa: PLC0415  slow; only with tracing

    interceptors = aio_client_interceptors(tracer_provider=tracer_provider)  # type: ignore[no-untyped-call]  # untyped
    return cast("Sequence[Any]", interceptors)


def _cleaned(text: str) -> str:
    """Returns what the service accepts of a text: no control characters, and not too many characters."""
    return "".join(" " if unicodedata.category(one) == "Cc" else one for one in text[:MAX_CHARACTERS]).strip()


def _emotion_of(answer: emotion_pb2.AnalyzeResponse) -> SentenceEmotion:
    """Returns the weights of an answer to one sentence, or that it is not valid."""
    if len(answer.emotions) != 1:
        return SentenceEmotion(fallback="invalid_answer")
    weights = {name: float(getattr(answer.emotions[0], name)) for name in EMOTIONS}
    total = sum(weights.values())
    if not all(0.0 <= weight <= 1.0 for weight in weights.values()) or not total <= MAX_TOTAL_WEIGHT:
        return SentenceEmotion(fallback="invalid_answer")
    scale = 1.0 / max(1.0, total)  # rounding may exceed 1
    return SentenceEmotion({name: weight * scale for name, weight in weights.items() if not math.isclose(weight, 0.0)})
