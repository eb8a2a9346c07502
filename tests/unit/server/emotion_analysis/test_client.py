"""The client of the emotion service: an answer in time, or neutral with the reason; and its spans."""

import asyncio
import math

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import aio_client_interceptors

from phonoscope.protos.emotion.v1 import emotion_pb2, emotion_pb2_grpc
from phonoscope.protos.emotion.v1.emotion_pb2 import AnalyzeRequest, AnalyzeResponse, Emotion
from phonoscope.server.emotion_analysis.base import SentenceEmotion
from phonoscope.server.emotion_analysis.circuit_breaker import FAILURES_TO_OPEN
from phonoscope.server.emotion_analysis.client import MAX_CHARACTERS, EmotionClient
from phonoscope.server.events import EmotionAnalyzed, EmotionSkipped

GENEROUS_SECONDS = 30.0
SHORT_SECONDS = 0.05


async def test_an_answer_gives_the_weights_without_neutral(client, service, events):
    emotion = await client.analyze(7, "Hooray!", "en-US", GENEROUS_SECONDS)
    assert emotion == SentenceEmotion({"happy": 0.75})
    assert service.texts == [("Hooray!", "en-US")]
    (event,) = events
    assert (event.request, event.fallback) == (7, None)


async def test_sentences_are_cleaned_and_cut_to_what_the_service_accepts(client, service):
    await client.analyze(7, "a\x07b\n" + "c" * 2 * MAX_CHARACTERS, "en", GENEROUS_SECONDS)
    ((text, _),) = service.texts
    assert text.startswith("a b c")
    assert len(text) == MAX_CHARACTERS


async def test_a_sentence_without_letters_is_neutral_and_nobody_is_asked(client, service, events):
    assert await client.analyze(7, "12:30 …", "en", GENEROUS_SECONDS) == SentenceEmotion()
    assert service.texts == events == []


async def test_a_late_answer_is_a_timeout(client, service, events):
    service.gate.clear()
    assert await client.analyze(7, "Hello.", "en", SHORT_SECONDS) == SentenceEmotion(fallback="timeout")
    await client.close()
    assert [event.fallback for event in events] == ["timeout"]


async def test_a_service_that_is_not_there_is_unavailable(events):
    dead = EmotionClient("127.0.0.1:1", events.append)
    emotion = await dead.analyze(7, "Hello.", "en", GENEROUS_SECONDS)
    await dead.close()
    assert emotion.fallback == "unavailable"


@pytest.mark.parametrize(
    ("code", "fallback"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded"),
        (grpc.StatusCode.INVALID_ARGUMENT, "refused"),
        (grpc.StatusCode.UNIMPLEMENTED, "refused"),
        (grpc.StatusCode.INTERNAL, "refused"),
    ],
)
async def test_an_error_is_a_reason_to_be_neutral(client, service, code, fallback):
    service.codes = [code]
    assert await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS) == SentenceEmotion(fallback=fallback)


async def test_a_service_that_is_unavailable_once_is_asked_again(client, service):
    service.codes = [grpc.StatusCode.UNAVAILABLE]
    assert await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS) == SentenceEmotion({"happy": 0.75})
    assert len(service.texts) == 2


@pytest.mark.parametrize(
    "reply",
    [
        AnalyzeResponse(),
        AnalyzeResponse(emotions=[Emotion(), Emotion()]),
        AnalyzeResponse(emotions=[Emotion(happy=math.nan)]),
        AnalyzeResponse(emotions=[Emotion(happy=-0.5)]),
        AnalyzeResponse(emotions=[Emotion(happy=0.9, sad=0.9)]),
        AnalyzeResponse(emotions=[Emotion(happy=math.inf)]),
    ],
)
async def test_nonsense_is_not_spoken(client, service, reply):
    service.reply = reply
    assert await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS) == SentenceEmotion(fallback="invalid_answer")


async def test_a_service_that_keeps_failing_is_left_alone(client, service, events):
    service.codes = [grpc.StatusCode.RESOURCE_EXHAUSTED] * FAILURES_TO_OPEN
    for _ in range(FAILURES_TO_OPEN):
        await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS)
    assert await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS) == SentenceEmotion(fallback="circuit_open")
    assert len(service.texts) == FAILURES_TO_OPEN
    assert events[-1] == EmotionSkipped(7)
    assert sum(isinstance(event, EmotionAnalyzed) for event in events) == FAILURES_TO_OPEN


async def test_a_service_that_refuses_a_language_is_not_left_alone(client, service):
    service.codes = [grpc.StatusCode.INVALID_ARGUMENT] * FAILURES_TO_OPEN
    for _ in range(FAILURES_TO_OPEN):
        await client.analyze(7, "Hallo.", "de", GENEROUS_SECONDS)
    assert (await client.analyze(7, "Hello.", "en", GENEROUS_SECONDS)).fallback is None


# --- spans -----------------------------------------------------------------------------------------------------


async def test_a_call_has_a_client_span_whose_context_reaches_the_service(traced, service, provider, exporter):
    with provider.get_tracer("test").start_as_current_span("request") as request:
        await traced.analyze(7, "Hello.", "en", GENEROUS_SECONDS)
    span, _ = exporter.get_finished_spans()
    assert span.kind is trace.SpanKind.CLIENT
    assert span.parent.span_id == request.get_span_context().span_id
    assert f"-{span.context.span_id:016x}-" in service.metadata[0]["traceparent"]
    assert span.attributes["rpc.grpc.status_code"] == 0


async def test_the_span_of_a_call_past_its_deadline_ends_with_that_code(traced, service, exporter):
    service.gate.clear()
    await traced.analyze(7, "Hello.", "en", SHORT_SECONDS)
    await traced.close()
    (span,) = exporter.get_finished_spans()
    assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert span.status.status_code is trace.StatusCode.ERROR


async def test_a_request_that_ends_stops_waiting_and_the_span_of_its_call_ends_too(traced, service, exporter):
    service.gate.clear()
    waiting = asyncio.create_task(traced.analyze(7, "Hello.", "en", GENEROUS_SECONDS))
    await asyncio.wait_for(service.has_call.wait(), GENEROUS_SECONDS)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    service.gate.set()
    await traced.close()
    (span,) = exporter.get_finished_spans()
    assert span.attributes["rpc.grpc.status_code"] == 0


async def test_the_interceptor_alone_loses_the_span_of_a_cancelled_call(target, service, provider, exporter):
    """Why calls run in tasks of their own. When this fails, a later version of the package has mended it."""
    service.gate.clear()
    interceptors = aio_client_interceptors(tracer_provider=provider)
    async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:

        async def call() -> emotion_pb2.AnalyzeResponse:
            return await emotion_pb2_grpc.EmotionAnalysisStub(channel).Analyze(
                AnalyzeRequest(), timeout=GENEROUS_SECONDS
            )

        waiting = asyncio.create_task(call())
        await asyncio.wait_for(service.has_call.wait(), GENEROUS_SECONDS)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not service.was_cancelled.is_set()
    assert exporter.get_finished_spans() == ()
