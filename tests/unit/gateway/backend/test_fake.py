"""The fake backend behaves as the real one does where the gateway's tests rely on it."""

from dataclasses import replace

import pytest

from phonoscope.gateway.backend.base import FLUSH, AudioChunk, BackendError, Encoding, SpeechOptions
from phonoscope.gateway.backend.fake import Call, FakeBackend

FIRST = AudioChunk(b"\1\0", 16_000, Encoding.LINEAR16, 0.5, 0, seed=42, request_id="mine", voice="joe")
CHUNKS = (FIRST, replace(FIRST, audio=b"\2\0", sequence=1, seed=None, request_id="", voice=""))


async def test_it_yields_its_chunks_and_records_the_call():
    backend = FakeBackend(CHUNKS)
    assert [chunk async for chunk in backend.stream("Hello", SpeechOptions(speed=2.0), 5.0)] == list(CHUNKS)
    assert backend.calls == [Call("Hello", {"speed": 2.0}, 5.0)]


async def test_it_records_the_parts_of_incremental_text():
    async def parts():
        yield "Hello "
        yield FLUSH

    backend = FakeBackend(CHUNKS)
    assert len([chunk async for chunk in backend.stream(parts(), SpeechOptions(), 5.0)]) == 2
    assert backend.calls[0].parts == ("Hello ", FLUSH)


async def test_its_error_comes_after_its_chunks():
    backend = FakeBackend(CHUNKS)
    backend.error = BackendError("it failed", code="INTERNAL")
    chunks = backend.stream("Hello", SpeechOptions(), 5.0)
    assert [await anext(chunks), await anext(chunks)] == list(CHUNKS)
    with pytest.raises(BackendError, match="it failed"):
        await anext(chunks)


async def test_a_whole_text_is_its_chunks_joined():
    speech = await FakeBackend(CHUNKS).synthesize("Hello", SpeechOptions(), 5.0)
    assert (speech.audio, speech.audio_seconds, speech.seed, speech.voice) == (b"\1\0\2\0", 1.0, 42, "joe")
