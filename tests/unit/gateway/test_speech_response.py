"""Audio as an HTTP response: its headers, its parts, and how an error ends it."""

import asyncio
from dataclasses import replace

import pytest

from phonoscope.gateway.backend.base import BackendError
from phonoscope.gateway.events import FirstAudio
from phonoscope.gateway.request_outcome import OUTCOME, STARTED_AT
from phonoscope.gateway.response_formats import PlainAudio
from phonoscope.gateway.speech_response import PART_BYTES, ResponseTruncated, SpeechResponse


class Route:
    path = "/v1/speech"


@pytest.fixture
def respond():
    """Sends a response for these chunks; returns what was sent, the request's state and the events."""

    async def respond(chunks, *, receive=None):
        sent, events = [], []
        scope = {"type": "http", "path": "/v1/speech", "route": Route, "state": {STARTED_AT: 0.0}}

        async def send(message):
            sent.append(message)

        async def connected():
            await asyncio.Event().wait()

        try:
            await SpeechResponse(chunks, events.append, PlainAudio())(scope, receive or connected, send)
        except ResponseTruncated:
            sent.append("truncated")
        return sent, scope["state"], events

    return respond


async def stream(*chunks, error=None):
    for chunk in chunks:
        yield chunk
    if error:
        raise error


async def test_headers_come_from_the_first_chunk(respond, chunks):
    sent, _, events = await respond(stream(*chunks))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert headers == {
        "content-type": "audio/pcm; rate=16000; channels=1; bits=16",
        "cache-control": "no-store",
        "x-request-id": "made-by-server",
        "x-voice": "en_US-joe-medium",
        "x-sample-rate": "16000",
        "x-seed": "42",
    }
    assert [type(event) for event in events] == [FirstAudio]


async def test_large_chunks_are_sent_in_parts(respond, chunks):
    audio = bytes(range(256)) * 300
    sent, _, _ = await respond(stream(replace(chunks[0], audio=audio)))
    bodies = [message["body"] for message in sent[1:]]
    assert b"".join(bodies) == audio
    assert max(map(len, bodies)) == PART_BYTES
    assert [message["more_body"] for message in sent[1:]] == [True, True, True, False]


async def test_an_error_before_the_first_chunk_has_its_status(respond):
    sent, state, events = await respond(stream(error=BackendError("no", code="INVALID_ARGUMENT")))
    assert (sent[0]["status"], state[OUTCOME], events) == (400, (400, "INVALID_ARGUMENT"), [])


async def test_an_error_after_the_first_chunk_truncates_plain_audio(respond, chunks):
    sent, state, _ = await respond(stream(chunks[0], error=BackendError("no", code="INTERNAL")))
    assert sent[-1] == "truncated"
    assert all(message["more_body"] for message in sent[1:-1])
    assert state[OUTCOME] == (500, "INTERNAL")


async def test_a_disconnect_closes_the_stream_and_is_recorded(respond, chunks):
    closed = asyncio.Event()
    first_sent = asyncio.Event()

    async def endless():
        try:
            yield chunks[0]
            first_sent.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def receive():
        await first_sent.wait()
        return {"type": "http.disconnect"}

    _, state, _ = await respond(endless(), receive=receive)
    assert closed.is_set()
    assert state[OUTCOME] == (499, "")


async def test_a_sentence_whose_emotion_was_not_found_is_a_header(respond, chunks):
    sent, _, _ = await respond(stream(replace(chunks[0], emotion_fallback="timeout")))
    assert (b"x-emotion-fallback", b"timeout") in sent[0]["headers"]
