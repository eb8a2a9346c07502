"""Text in pieces over a real channel: what is heard, what it says it speaks, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from phonoscope.client import FLUSH, AsyncClient, AudioChunk, Client, Flush, InvalidArgument
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.events import ChunkSent, FirstAudio, UtteranceQueued, UtteranceSpoken

TEXT = "It was late, but the train to the north had not left. Nobody knew why; nobody asked. Was it broken? No."
GENEROUS_SECONDS = 60.0


@pytest.fixture
async def client(server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.target) as client:
        yield client


@pytest.fixture
def stub(channel) -> Any:
    return tts_pb2_grpc.TextToSpeechStub(channel)


async def each(pieces: Iterable[str | Flush]) -> AsyncIterator[str | Flush]:
    for piece in pieces:
        yield piece


def in_pieces_of(size: int, text: str = TEXT) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


async def heard(client: AsyncClient, pieces: Iterable[str | Flush], **options: Any) -> list[AudioChunk]:
    async with asyncio.timeout(GENEROUS_SECONDS):
        return [chunk async for chunk in client.stream_pieces(each(pieces), seed=1, **options)]


def audio_of(chunks: list[AudioChunk]) -> bytes:
    return b"".join(chunk.audio for chunk in chunks)


def reason_of(error: Any) -> str:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info.reason


@pytest.mark.parametrize("size", [1, 3, 20, 1000])
async def test_the_same_is_heard_however_the_text_is_cut(client, size):
    whole, cut = await heard(client, [TEXT]), await heard(client, in_pieces_of(size))
    assert audio_of(cut) == audio_of(whole)
    assert sum(chunk.audio_seconds for chunk in cut) == pytest.approx(len(audio_of(cut)) / 2 / 22_050)
    assert [chunk.sequence for chunk in cut] == list(range(len(cut)))
    assert (cut[0].seed, bool(cut[0].request_id)) == (1, True)


async def test_the_spans_cover_the_text_in_order(client):
    chunks = await heard(client, in_pieces_of(4))
    spans = [chunk.text_span for chunk in chunks]
    assert spans == sorted(spans)
    said = list(dict.fromkeys(TEXT[start:stop] for start, stop in spans))
    assert " ".join(said) == TEXT
    assert len(said) == 4


async def test_spans_count_characters_and_not_bytes(client):
    text = "Grüße 👩‍👩‍👧! Ünd Öl."
    chunks = await heard(client, in_pieces_of(2, text))
    assert (chunks[0].text_span[0], chunks[-1].text_span[1]) == (0, len(text))


async def test_audio_comes_while_the_rest_is_not_yet_written(client, server):
    has_heard = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        yield "The first sentence. And"
        await asyncio.wait_for(has_heard.wait(), GENEROUS_SECONDS)
        yield " the second."

    spans = set()
    async for chunk in client.stream_pieces(pieces()):
        spans.add(chunk.text_span)
        has_heard.set()
    assert spans == {(0, 19), (20, 35)}


async def test_a_clause_does_not_wait_for_ever_for_the_rest_of_its_sentence(client):
    has_heard = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        yield "It rains here, and"
        await asyncio.wait_for(has_heard.wait(), GENEROUS_SECONDS)

    async for chunk in client.stream_pieces(pieces()):
        assert chunk.text_span in {(0, 14), (15, 18)}
        has_heard.set()


async def test_a_flush_has_what_came_spoken_at_once(client):
    has_heard = asyncio.Event()

    async def pieces() -> AsyncIterator[str | Flush]:
        yield "Unfinished"
        yield FLUSH
        await asyncio.wait_for(has_heard.wait(), GENEROUS_SECONDS)

    async for chunk in client.stream_pieces(pieces()):
        assert chunk.text_span == (0, 10)
        has_heard.set()


async def test_first_audio_is_counted_from_the_first_text_that_could_be_spoken(client, server):
    async def pieces() -> AsyncIterator[str]:
        yield "Slow"
        await asyncio.to_thread(server.wait_for, lambda server: server.calls)
        await asyncio.sleep(0.3)  # the writer thinks
        yield "ly."

    await asyncio.wait_for(anext(client.stream_pieces(pieces())), GENEROUS_SECONDS)
    (first,) = [event for event in server.events if isinstance(event, FirstAudio)]
    assert first.seconds < 0.3


async def test_a_caller_that_writes_faster_than_is_spoken_is_held_up(client, server):
    server.engine.gate.clear()
    given = 0

    async def pieces() -> AsyncIterator[str]:
        nonlocal given
        for number in range(400):
            given = number + 1
            yield f"Sentence number {number}. " + "x" * 300 + ". "

    async def hear() -> int:
        return len([chunk async for chunk in client.stream_pieces(pieces(), timeout_seconds=GENEROUS_SECONDS)])

    hearing = asyncio.ensure_future(hear())
    assert await asyncio.to_thread(
        server.wait_for, lambda s: len([e for e in s.events if isinstance(e, UtteranceQueued)]) >= 4
    )
    for _ in range(100):  # whatever else is under way gets its turn
        await asyncio.sleep(0.001)
    queued = [event for event in server.events if isinstance(event, UtteranceQueued)]
    assert len(queued) <= 8
    assert given < 1000
    hearing.cancel()
    server.engine.gate.set()


async def test_a_caller_that_goes_away_is_spoken_to_no_further(client, server):
    async def pieces() -> AsyncIterator[str]:
        yield "The first sentence. And"
        await asyncio.Event().wait()

    chunks = client.stream_pieces(pieces())
    await asyncio.wait_for(anext(chunks), GENEROUS_SECONDS)
    await chunks.aclose()
    assert await asyncio.to_thread(server.wait_for, lambda server: server.finished())
    assert server.finished()[0].outcome == "cancelled"


async def test_what_the_pieces_raise_ends_the_call_and_is_raised(client, server):
    has_heard = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        yield "The first sentence. And"
        await asyncio.wait_for(has_heard.wait(), GENEROUS_SECONDS)
        raise ValueError("the model is gone")

    async def hear() -> None:
        async for _ in client.stream_pieces(pieces()):
            has_heard.set()

    with pytest.raises(ValueError, match="the model is gone"):
        await hear()
    assert await asyncio.to_thread(server.wait_for, lambda server: server.finished())
    assert server.finished()[0].outcome == "cancelled"


async def test_the_blocking_client_hears_the_same(client, server):
    def blocking() -> list[AudioChunk]:
        with Client(server.target) as blocked:
            return list(blocked.stream_pieces(in_pieces_of(5), seed=1))

    assert audio_of(await asyncio.to_thread(blocking)) == audio_of(await heard(client, [TEXT]))


async def test_settings_are_obeyed(client):
    slow, quick = await heard(client, [TEXT], speed=0.5), await heard(client, [TEXT], speed=2.0)
    assert len(audio_of(slow)) > 3 * len(audio_of(quick))


def step(**of: Any) -> tts_pb2.StreamingSynthesizeRequest:
    return tts_pb2.StreamingSynthesizeRequest(**of)


SETTINGS = tts_pb2.SynthesizeRequest(seed=1)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([], "SETTINGS_FIRST"),
        ([step(text="Hello.")], "SETTINGS_FIRST"),
        ([step(settings=SETTINGS), step(settings=SETTINGS)], "SETTINGS_TWICE"),
        ([step(settings=tts_pb2.SynthesizeRequest(text="Hello."))], "TEXT_IN_SETTINGS"),
        ([step(settings=SETTINGS), step()], "STEP_EMPTY"),
        ([step(settings=SETTINGS)], "TEXT_UNPRONOUNCEABLE"),
        ([step(settings=SETTINGS), step(text="  \n"), step(flush=True)], "TEXT_UNPRONOUNCEABLE"),
        ([step(settings=SETTINGS), *(step(text="x" * 999) for _ in range(6))], "TEXT_TOO_LONG"),
        ([step(settings=tts_pb2.SynthesizeRequest(speed=99))], "SPEED_OUT_OF_RANGE"),
    ],
)
async def test_abuse_is_refused_with_a_reason(stub, steps, reason):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.StreamingSynthesize(iter(steps)):
            pass
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == reason


async def test_the_clients_name_the_reason_too(client):
    with pytest.raises(InvalidArgument, match="contains nothing to speak"):
        await heard(client, ["  "])


async def test_others_are_served_while_a_caller_thinks(client):
    async def thinking() -> AsyncIterator[str]:
        yield "The first sentence. And"
        await asyncio.Event().wait()

    idle = [client.stream_pieces(thinking()) for _ in range(10)]
    for chunks in idle:
        await asyncio.wait_for(anext(chunks), GENEROUS_SECONDS)
    assert audio_of(await heard(client, [TEXT]))
    for chunks in idle:
        await chunks.aclose()


async def test_a_pause_of_the_writer_is_not_counted_as_a_gap(client, server):
    has_heard_first = asyncio.Event()

    async def pieces() -> AsyncIterator[str | Flush]:
        yield "One."
        yield FLUSH
        await asyncio.wait_for(has_heard_first.wait(), GENEROUS_SECONDS)
        yield " Two."

    chunks = []
    async for chunk in client.stream_pieces(pieces()):
        chunks.append(chunk)
        if await asyncio.to_thread(server.wait_for, lambda s: any(isinstance(e, UtteranceSpoken) for e in s.events)):
            has_heard_first.set()
    assert {chunk.text_span for chunk in chunks} == {(0, 4), (5, 9)}
    gaps = [event for event in server.events if isinstance(event, ChunkSent)]
    assert len(gaps) == len(chunks) - 2, "the first chunk of each start has none before it"
