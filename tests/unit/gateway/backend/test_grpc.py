"""The speech server over gRPC: what a call sends, what it returns, and how its failures are reported."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, get_args

import grpc
import pytest
from google.rpc import error_details_pb2

from phonoscope.client.errors import ERROR_OF_CODE, ServerError
from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import (
    FLUSH,
    AudioChunk,
    BackendError,
    Code,
    Encoding,
    Flush,
    Pronunciation,
    SpeechOptions,
    TimingType,
)
from phonoscope.gateway.backend.grpc import GrpcBackend, _backend_errors

TIMEOUT_SECONDS = 20.0


async def collect(backend: GrpcBackend, text: Any, **options: Any) -> list[AudioChunk]:
    return [chunk async for chunk in backend.stream(text, SpeechOptions(**options), TIMEOUT_SECONDS)]


async def parts(*texts: str | Flush) -> AsyncIterator[str | Flush]:
    for text in texts:
        yield text


async def test_a_text_and_its_options_are_sent_and_its_audio_is_yielded(backend, server, plain_audio):
    pronunciations = [Pronunciation("tomato", "təˈmɑːtoʊ"), Pronunciation("SQL", respelling="sequel")]
    chunks = await collect(backend, "Hello there", pronunciations=pronunciations, timing_types=[TimingType.WORD])
    assert b"".join(chunk.audio for chunk in chunks) == plain_audio
    assert (chunks[0].voice, chunks[0].seed, chunks[0].request_id) == ("en_US-joe-medium", 42, "made-by-server")
    assert chunks[0].timings.words[0].word == "Hello"
    [request] = server.requests("SynthesizeStream")
    assert (request.text, list(request.timing_types)) == ("Hello there", [1])
    sent = [(each.phrase, each.WhichOneof("spoken"), each.ipa or each.respelling) for each in request.pronunciations]
    assert sent == [("tomato", "ipa", "təˈmɑːtoʊ"), ("SQL", "respelling", "sequel")]


async def test_an_ssml_document_is_sent_in_place_of_a_text(backend, server):
    await collect(backend, "", ssml="<speak>Hello</speak>")
    [request] = server.requests("SynthesizeStream")
    assert (request.ssml, request.text) == ("<speak>Hello</speak>", "")


async def test_incremental_text_is_sent_as_it_arrives_and_its_chunks_have_text_spans(backend, server):
    chunks = await collect(backend, parts("Hello ", FLUSH, "there"), voice="joe")
    [(settings, steps)] = server.requests("StreamingSynthesize")
    assert (settings.speaker_id, steps) == ("joe", ["Hello ", "flush", "there"])
    assert [chunk.text_span for chunk in chunks] == [(0, 6), (6, 6), (6, 11)]


async def test_closing_the_stream_cancels_the_call(backend, server):
    server.then_speak(b"\1\0", then=server.hold)
    async with contextlib.aclosing(backend.stream("Hello", SpeechOptions(), TIMEOUT_SECONDS)) as chunks:
        await anext(chunks)
        assert await asyncio.to_thread(server.is_holding.wait, TIMEOUT_SECONDS)
    assert await asyncio.to_thread(server.cancelled.wait, TIMEOUT_SECONDS)


async def test_the_timeout_is_the_deadline_of_the_call(backend, server):
    await backend.synthesize("Hello", SpeechOptions(), 5.0)
    assert 0 < server.calls[0].seconds_left < 6.0  # the client's own default is a minute


async def test_a_whole_text_is_returned_as_one_speech(backend, plain_audio):
    speech = await backend.synthesize("Hello", SpeechOptions(encoding=Encoding.FLAC), TIMEOUT_SECONDS)
    assert (speech.audio, speech.encoding, speech.sample_rate_hz) == (plain_audio, Encoding.FLAC, 16_000)


async def test_voices_are_listed_by_language(backend):
    assert [voice.id for voice in await backend.list_voices(TIMEOUT_SECONDS)] == [
        "en_US-joe-medium",
        "de_DE-mls-medium",
    ]
    [german] = await backend.list_voices(TIMEOUT_SECONDS, language="de")
    assert german.speakers == ("anna", "bert")


async def test_it_is_serving_while_the_health_service_reports_serving(backend, server):
    server.set_health("SERVING")
    assert await backend.is_serving()
    server.set_health("NOT_SERVING")
    assert not await backend.is_serving()


async def test_a_server_that_does_not_answer_is_not_serving():
    async with GrpcBackend.connect("127.0.0.1:1") as backend:
        assert not await backend.is_serving()


async def test_every_method_reports_failures_as_backend_errors(backend, server):
    for call in (
        lambda: collect(backend, "Hello"),
        lambda: collect(backend, parts("Hello")),
        lambda: backend.synthesize("Hello", SpeechOptions(), TIMEOUT_SECONDS),
        lambda: backend.list_voices(TIMEOUT_SECONDS),
    ):
        server.then_fail(grpc.StatusCode.INTERNAL, "the engine failed")
        with pytest.raises(BackendError, match=r"^the engine failed$") as failed:
            await call()
        assert (failed.value.code, failed.value.reason) == ("INTERNAL", "")


async def test_a_busy_server_is_called_once_and_its_delay_is_passed_on(backend, server):
    server.then_refuse(1.5)
    with pytest.raises(BackendError) as failed:
        await collect(backend, "Hello")
    assert (failed.value.code, failed.value.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert failed.value.retry_after_seconds == 1.5
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("speaker_id", "voice"),
        ("audio_config.encoding", "encoding"),
        ("audio_config.sample_rate_hertz", "sample_rate_hz"),
        ("audio_config.volume_gain_db", "volume_gain_db"),
        ("timing_types", "timing_types"),
        ("pronunciations[12].ipa", "pronunciations[12].ipa"),
    ],
)
async def test_rejected_fields_have_the_names_of_the_options(backend, server, field, option):
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description="is wrong")
    details = error_details_pb2.BadRequest(field_violations=[violation])
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no", details)
    with pytest.raises(BackendError) as failed:
        await collect(backend, "Hello")
    assert failed.value.violations == [FieldViolation(option, "is wrong")]


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_code_is_a_code_of_the_boundary(code):
    with pytest.raises(BackendError) as failed, _backend_errors():
        raise ERROR_OF_CODE.get(code, ServerError)("it failed", code=code, target="server")
    assert failed.value.code == code.name
    assert code.name in get_args(Code)
