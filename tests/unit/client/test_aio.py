"""The asyncio client against a real gRPC server."""

import asyncio
import contextlib

import grpc
import pytest

from phonoscope.client import (
    FLUSH,
    AsyncClient,
    DeadlineExceeded,
    Encoding,
    InvalidArgument,
    TimingType,
    Unavailable,
    WordTiming,
)


@pytest.fixture
async def client(server):
    async with AsyncClient(server.target) as client:
        yield client


async def happens(event) -> bool:
    return await asyncio.to_thread(event.wait, 10)


async def test_synthesize_returns_the_whole_speech(client, server, plain_audio):
    speech = await client.synthesize("Hello.", seed=7, speed=1.5, encoding=Encoding.WAV)
    assert (speech.audio, speech.seed, speech.encoding) == (plain_audio, 7, Encoding.WAV)
    (request,) = server.requests("Synthesize")
    assert (request.text, request.speed, request.seed) == ("Hello.", 1.5, 7)


async def test_stream_yields_every_chunk_in_order(client, plain_audio):
    chunks = [chunk async for chunk in client.stream("Hello.")]
    assert b"".join(chunk.audio for chunk in chunks) == plain_audio
    assert [chunk.sequence for chunk in chunks] == [0, 1, 2]


async def test_ssml_goes_in_place_of_a_text_and_timings_come_with_the_speech(client, server):
    speech = await client.synthesize(ssml="<speak>Hello there</speak>", timing_types=[TimingType.WORD])
    (request,) = server.requests("Synthesize")
    assert (request.text, request.ssml) == ("", "<speak>Hello there</speak>")
    assert [word.word for word in speech.timings.words] == ["Hello", "there"]


async def test_timings_come_with_the_chunk_in_which_they_begin(client):
    chunks = [chunk async for chunk in client.stream("Hello there", timing_types=[TimingType.WORD])]
    assert [[word.word for word in chunk.timings.words] for chunk in chunks] == [["Hello"], [], ["there"]]
    pieces = [chunk async for chunk in client.stream_pieces(each("Hello there"), timing_types=[TimingType.WORD])]
    assert pieces[0].timings.words == (WordTiming("Hello", 0.01, 0.08, (0, 5)),)


async def each(*pieces):
    for piece in pieces:
        yield piece


async def test_pieces_are_sent_as_they_are_and_each_chunk_says_what_it_speaks(client, server, plain_audio):
    pieces = each("Hel", "", FLUSH, "lo.")
    chunks = [chunk async for chunk in client.stream_pieces(pieces, voice="en_US-joe-medium", seed=7)]
    [(settings, steps)] = server.requests("StreamingSynthesize")
    assert (settings.text, settings.speaker_id, settings.seed) == ("", "en_US-joe-medium", 7)
    assert steps == ["Hel", "text", "flush", "lo."]
    assert b"".join(chunk.audio for chunk in chunks) == plain_audio
    assert [chunk.text_span for chunk in chunks] == [(0, 3), (3, 3), (3, 3)]


async def test_what_the_pieces_raise_ends_the_call_and_is_raised(client, server):
    server.then_speak(b"\0\0", then=server.hold)

    async def pieces():
        yield "Hel"
        raise ValueError("the model is gone")

    with pytest.raises(ValueError, match="the model is gone"):
        async for _ in client.stream_pieces(pieces()):
            pass


async def test_a_refusal_of_pieces_is_typed(client, server):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no text")
    with pytest.raises(InvalidArgument, match="no text"):
        async for _ in client.stream_pieces(each("a")):
            pass


async def test_closing_a_stream_of_pieces_early_cancels_it_on_the_server(client, server):
    server.then_speak(b"\0\0", then=server.hold)

    async def pieces():
        yield "Hel"
        await asyncio.Event().wait()

    async with contextlib.aclosing(client.stream_pieces(pieces())) as chunks:
        await anext(chunks)
    assert not server.is_holding.is_set() or await happens(server.cancelled)


async def test_closing_a_stream_early_cancels_it_on_the_server(client, server):
    server.then_speak(b"\0\0", then=server.hold)
    async with contextlib.aclosing(client.stream("Hello.")) as chunks:
        assert (await anext(chunks)).audio == b"\0\0"
        assert await happens(server.is_holding)
        assert not server.cancelled.is_set()
    assert await happens(server.cancelled)


@pytest.mark.parametrize("method", ["synthesize", "stream"])
async def test_cancelling_the_task_cancels_the_call_on_the_server(client, server, method):
    server.then_speak(then=server.hold)
    waiting = client.synthesize("x") if method == "synthesize" else anext(client.stream("x"))
    task = asyncio.ensure_future(waiting)
    assert await happens(server.is_holding)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await happens(server.cancelled)


async def test_every_call_has_a_deadline_that_a_call_can_override(client, server):
    await client.synthesize("Hello.")
    await client.voices()
    assert [chunk async for chunk in client.stream("Hello.", timeout_seconds=5)]
    # gRPC rounds a timeout up on its way.
    seconds_left = [call.seconds_left for call in server.calls]
    assert all(50 < left < 62 for left in seconds_left[:2])
    assert 0 < seconds_left[2] < 6


async def test_what_takes_too_long_raises_deadline_exceeded(client, server):
    server.then_speak(then=server.hold)
    with pytest.raises(DeadlineExceeded):
        await client.synthesize("Hello.", timeout_seconds=0.2)
    server.then_speak(b"\0\0", then=server.hold)
    with pytest.raises(DeadlineExceeded):
        assert [chunk async for chunk in client.stream("Hello.", timeout_seconds=0.2)]


async def test_unavailable_is_retried_on_the_same_connection(client, server, plain_audio):
    for _ in range(2):
        server.then_fail(grpc.StatusCode.UNAVAILABLE, "draining")
    assert (await client.synthesize("Hello.")).audio == plain_audio
    assert len(server.calls) == 3
    assert len({call.peer for call in server.calls}) == 1


@pytest.mark.parametrize("method", ["synthesize", "stream"])
async def test_a_refused_request_is_raised_at_once_and_hides_grpc(client, server, method):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no")
    with pytest.raises(InvalidArgument, match="no") as caught:
        await (client.synthesize("x") if method == "synthesize" else anext(client.stream("x")))
    assert len(server.calls) == 1
    assert caught.value.__suppress_context__


async def test_voices_are_listed_by_language(client):
    assert [voice.id for voice in await client.voices("de")] == ["de_DE-mls-medium"]


async def test_health_names_the_status_of_a_service(client, server):
    assert await client.health() == "SERVING"
    assert await client.health("no-such-service") == "SERVICE_UNKNOWN"


async def test_watch_health_yields_each_change(client, server):
    async with contextlib.aclosing(client.watch_health()) as statuses:
        assert await anext(statuses) == "SERVING"
        server.set_health("NOT_SERVING")
        assert await anext(statuses) == "NOT_SERVING"


async def test_a_server_that_is_not_there_is_unavailable():
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(Unavailable):
            await client.health()
