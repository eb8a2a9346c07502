"""Calls to a real gRPC server, as the load generator sees them."""

import asyncio
import dataclasses

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from phonoscope.loadgen.plan import Cancellation, PlannedCall
from phonoscope.loadgen.target import CALLS_PER_CHANNEL, SpeechServer, timed_words, words_of

STREAM = PlannedCall("Hello.", {"voice": "joe", "seed": 7}, is_stream=True)
UNARY = PlannedCall("Hello.", {"voice": "joe", "seed": 7}, is_stream=False)


@pytest.fixture
async def target(server):
    async with SpeechServer(server.target, calls_at_once=1, deadline_seconds=10.0) as target:
        yield target


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_stream_is_measured_chunk_by_chunk(target, server):
    made = await target.make(STREAM, now())
    assert (made.call, made.error, made.is_away, made.is_refused) == (STREAM, "", False, False)
    assert made.audio_seconds == pytest.approx(0.16)
    assert len(made.gaps_seconds) == 2
    assert 0 < made.first_audio_seconds <= made.seconds
    (request,) = server.requests("SynthesizeStream")
    assert (request.text, request.speaker_id, request.seed) == ("Hello.", "joe", 7)


async def test_a_unary_reply_sounds_when_it_is_there(target, server):
    made = await target.make(UNARY, now())
    assert made.audio_seconds == pytest.approx(0.16)
    assert 0 < made.first_audio_seconds <= made.seconds
    assert len(server.requests("Synthesize")) == 1


async def test_times_count_from_when_the_call_was_due(target):
    made = await target.make(STREAM, now() - 100.0)
    assert 100.0 < made.first_audio_seconds < made.seconds < 110.0


@pytest.mark.parametrize("call", [STREAM, UNARY])
async def test_a_refused_call_tells_code_reason_and_when_to_come_back(target, server, call):
    server.then_fail(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "full",
        error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="phonoscope"),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2)),
    )
    made = await target.make(call, now())
    assert (made.error, made.retry_after_seconds) == ("RESOURCE_EXHAUSTED QUEUE_FULL", 2.0)
    assert (made.is_refused, made.is_away, made.first_audio_seconds) == (False, False, None)


async def test_only_a_request_that_is_wrong_in_itself_counts_as_refused(target, server):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no")
    made = await target.make(STREAM, now())
    assert (made.error, made.is_refused) == ("INVALID_ARGUMENT", True)


async def test_a_stream_that_breaks_keeps_what_was_heard(target, server):
    server.then_speak(b"\0\0" * 16_000, then=server.failure(grpc.StatusCode.INTERNAL, "broken"))
    made = await target.make(STREAM, now())
    assert (made.error, made.audio_seconds) == ("INTERNAL", 1.0)
    assert made.first_audio_seconds is not None


async def test_a_stream_without_audio_is_a_failure(target, server):
    server.then_speak()
    assert (await target.make(STREAM, now())).error == "OK_WITHOUT_AUDIO"


async def test_a_deadline_that_passes_is_a_failure(server):
    async with SpeechServer(server.target, calls_at_once=1, deadline_seconds=0.2) as target:
        server.then_speak(then=server.hold)
        made = await target.make(STREAM, now())
    assert (made.error, made.is_away) == ("DEADLINE_EXCEEDED", False)


async def test_a_server_that_is_not_there_is_away():
    async with SpeechServer("127.0.0.1:1", calls_at_once=1, deadline_seconds=10.0) as target:
        assert await target.status() == "UNAVAILABLE"
        made = await target.make(STREAM, now())
    assert (made.error, made.is_away) == ("UNAVAILABLE", True)


async def test_the_status_is_what_the_servers_health_says(target, server):
    assert await target.status() == "SERVING"
    server.set_health("NOT_SERVING")
    assert await target.status() == "NOT_SERVING"


async def test_many_calls_at_once_have_several_connections(server):
    calls_at_once = 2 * CALLS_PER_CHANNEL + 1
    async with SpeechServer(server.target, calls_at_once=calls_at_once, deadline_seconds=10.0) as target:
        await asyncio.gather(*(target.make(UNARY, now()) for _ in range(calls_at_once)))
    assert len({call.peer for call in server.calls}) == 3


async def test_calls_have_spans_where_a_provider_is_given(server):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with SpeechServer(server.target, calls_at_once=1, deadline_seconds=10.0, tracer_provider=provider) as target:
        await target.status()
        await target.make(STREAM, now())
    (span,) = exporter.get_finished_spans()
    assert f"{span.context.span_id:016x}" in server.calls[0].metadata["traceparent"]


async def test_a_call_that_is_cancelled_is_cancelled_on_the_server(target, server):
    server.then_speak(b"\0\0", then=server.hold)
    task = asyncio.ensure_future(target.make(STREAM, now()))
    assert await asyncio.to_thread(server.is_holding.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.cancelled.wait, 10)


# --- word by word ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["One two,  three. ", " Größe", "Solo", "   ", "", "A\nline, and another.\n"])
def test_words_joined_are_the_text(text):
    assert "".join(words_of(text)) == text


def test_a_word_brings_the_space_before_it_as_tokens_of_language_models_do():
    assert words_of("Turn left now.") == ["Turn", " left", " now."]


def test_words_come_at_their_pace_from_the_first_on_whatever_the_reader_takes(simulate):
    async def work():
        came = []
        async for word in timed_words("a b c d e", 4.0):
            came.append((word, now()))
            if word == " b":
                await asyncio.sleep(0.6)  # held up: what was due meanwhile comes at once
        return came

    assert simulate(work()) == [("a", 0.0), (" b", 0.25), (" c", 0.85), (" d", 0.85), (" e", 1.0)]


def test_words_without_a_pace_come_as_fast_as_they_are_read(simulate):
    async def work():
        return [(word, now()) async for word in timed_words("a b c", 0.0)]

    assert simulate(work()) == [("a", 0.0), (" b", 0.0), (" c", 0.0)]


async def test_a_call_of_bidi_sends_its_words_and_is_measured_chunk_by_chunk(target, server):
    call = PlannedCall("Turn left now.", {"voice": "joe", "seed": 7}, is_stream=True, tokens_per_second=0.0)
    made = await target.make(call, now())
    [(settings, steps)] = server.requests("StreamingSynthesize")
    assert (settings.text, settings.speaker_id, settings.seed, steps) == ("", "joe", 7, ["Turn", " left", " now."])
    assert (made.error, made.audio_seconds, len(made.gaps_seconds)) == ("", pytest.approx(0.16), 2)
    assert 0 < made.first_audio_seconds <= made.seconds


# --- cancelled by its caller -------------------------------------------------------------------------------------

AFTER = Cancellation()
LATE = Cancellation(60.0)
BIDI = dataclasses.replace(STREAM, tokens_per_second=0.0)


def speak_until_cancelled(server):
    """The next call gets 0.1 s of audio, and no end; `server.cancelled` is set when its caller leaves."""

    def act(context):
        context.add_callback(server.cancelled.set)
        yield b"\0\0" * 1600
        server.cancelled.wait(20)

    server._script.append(act)


@pytest.mark.parametrize("call", [STREAM, BIDI], ids=["stream", "bidi"])
async def test_a_caller_cancels_after_the_first_chunk_on_the_server_too(target, server, call):
    speak_until_cancelled(server)
    made = await target.make(dataclasses.replace(call, cancellation=AFTER), now())
    assert (made.is_cancelled, made.error, made.is_away, made.is_refused) == (True, "", False, False)
    assert made.audio_seconds == pytest.approx(0.1)
    assert 0 < made.first_audio_seconds <= made.seconds
    assert await asyncio.to_thread(server.cancelled.wait, 5)  # sooner than the deadline


@pytest.mark.parametrize("call", [STREAM, BIDI], ids=["stream", "bidi"])
async def test_a_caller_cancels_before_the_first_chunk_after_a_delay(target, server, call):
    server.then_speak(then=server.hold)
    made = await target.make(dataclasses.replace(call, cancellation=Cancellation(0.01)), now())
    assert (made.is_cancelled, made.error, made.first_audio_seconds) == (True, "", None)


async def test_a_first_chunk_that_comes_before_the_delay_cancels_the_call_and_is_not_heard(target, server):
    speak_until_cancelled(server)
    made = await target.make(dataclasses.replace(STREAM, cancellation=LATE), now())
    assert (made.is_cancelled, made.first_audio_seconds, made.audio_seconds) == (True, None, 0.0)
    assert await asyncio.to_thread(server.cancelled.wait, 5)  # sooner than the deadline


@pytest.mark.parametrize("cancellation", [AFTER, LATE])
async def test_a_call_that_fails_before_it_is_cancelled_has_failed(target, server, cancellation):
    call = dataclasses.replace(STREAM, cancellation=cancellation)
    server.then_fail(grpc.StatusCode.INTERNAL, "broken")
    made = await target.make(call, now())
    assert (made.is_cancelled, made.error) == (False, "INTERNAL")
    server.then_speak()
    made = await target.make(call, now())
    assert (made.is_cancelled, made.error) == (False, "OK_WITHOUT_AUDIO")


@pytest.mark.parametrize("cancellation", [AFTER, LATE])
async def test_a_deadline_that_passes_before_the_cancellation_is_a_failure(server, cancellation):
    async with SpeechServer(server.target, calls_at_once=1, deadline_seconds=0.2) as target:
        server.then_speak(then=server.hold)
        made = await target.make(dataclasses.replace(STREAM, cancellation=cancellation), now())
    assert (made.is_cancelled, made.error) == (False, "DEADLINE_EXCEEDED")
