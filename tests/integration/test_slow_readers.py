"""Clients that stop reading, over a real channel: they are rendered no further, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.events import UtteranceSpoken

SENTENCES = 80
LONG = "The quick brown fox jumps over the lazy dog and runs away. " * SENTENCES
SHORT = "A short one. And another."
GENEROUS_SECONDS = 60.0


@pytest.fixture
def stub(channel) -> Any:
    return tts_pb2_grpc.TextToSpeechStub(channel)


@pytest.fixture
async def neighbour(server) -> AsyncIterator[Any]:
    """A stub with a connection of its own."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield tts_pb2_grpc.TextToSpeechStub(channel)


def asked(text: str) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(text=text, seed=1)


async def heard(call: Any) -> bytes:
    """Reads all of a call; gRPC takes no more off the wire than is read."""
    parts = []
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (reply := await call.read()) and reply.audio_data:
            parts.append(reply.audio_data)
    return b"".join(parts)


def sentences_spoken(server, *, request: int) -> int:
    return sum(isinstance(event, UtteranceSpoken) and event.request == request for event in server.events)


async def others(stub) -> None:
    """Gives the engine all the turns that a stalled stream could want."""
    for _ in range(30):
        assert await heard(stub.SynthesizeStream(asked(SHORT)))


@pytest.fixture
async def whole(stub) -> bytes:
    return await heard(stub.SynthesizeStream(asked(LONG)))


async def test_a_client_that_stops_reading_is_rendered_no_further_and_loses_nothing(stub, neighbour, server, whole):
    stalled = stub.SynthesizeStream(asked(LONG))
    first = await stalled.read()
    for _ in range(4):
        await others(neighbour)
    assert 0 < sentences_spoken(server, request=2) < SENTENCES / 3
    assert first.audio_data + await heard(stalled) == whole


async def test_many_that_do_not_read_do_not_block_others_and_may_go_away(stub, neighbour, server, caplog):
    stalled = [stub.SynthesizeStream(asked(LONG)) for _ in range(20)]
    for call in stalled:
        await asyncio.wait_for(call.read(), GENEROUS_SECONDS)
    await others(neighbour)
    for call in stalled:
        call.cancel()
    assert await asyncio.to_thread(
        server.wait_for, lambda s: [event.outcome for event in s.finished()].count("cancelled") == 20
    )
    assert not caplog.records
