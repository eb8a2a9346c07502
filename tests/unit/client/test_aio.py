"""The asyncio client against a real gRPC server."""

import asyncio
import contextlib
import itertools
from types import SimpleNamespace

import grpc
import pytest

from phonoscope.client import (
    FLUSH,
    AsyncClient,
    Cancelled,
    DeadlineExceeded,
    Encoding,
    Gender,
    InvalidArgument,
    ResourceExhausted,
    TimingType,
    Unavailable,
    WordTiming,
    retries,
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


async def audio_of(stream) -> bytes:
    return b"".join([chunk.audio async for chunk in stream])


async def synthesized(client, **options) -> bytes:
    return (await client.synthesize("x", **options)).audio


ALL_CALLS = pytest.mark.parametrize(
    "call",
    [
        synthesized,
        lambda c, **options: audio_of(c.stream("x", **options)),
        lambda c, **options: audio_of(c.stream_pieces(each(), **options)),
        lambda c, **options: c.voices(**options),
    ],
    ids=["synthesize", "stream", "stream_pieces", "voices"],
)
BUSY_SECONDS = 0.002


@ALL_CALLS
async def test_a_busy_server_is_called_again_after_the_delay(client, server, call):
    served = await call(client)
    for _ in range(2):
        server.then_refuse(BUSY_SECONDS)
    assert await call(client) == served
    assert len(server.calls) == 4


@ALL_CALLS
async def test_a_client_that_does_not_wait_raises_the_refusal_at_once(server, call):
    server.then_refuse(BUSY_SECONDS)
    async with AsyncClient(server.target, waits_when_busy=False) as client:
        with pytest.raises(ResourceExhausted) as caught:
            await call(client)
    assert caught.value.retry_after_seconds == BUSY_SECONDS
    assert caught.value.__suppress_context__
    assert len(server.calls) == 1


@ALL_CALLS
async def test_a_delay_beyond_the_deadline_is_raised_at_once(client, server, call):
    server.then_refuse(BUSY_SECONDS)
    server.then_refuse(30.0)
    with pytest.raises(ResourceExhausted) as caught:
        await call(client, timeout_seconds=20)
    assert caught.value.retry_after_seconds == 30.0
    assert len(server.calls) == 2


@ALL_CALLS
async def test_a_refusal_without_a_delay_is_raised_at_once(client, server, call):
    server.then_refuse(None)
    with pytest.raises(ResourceExhausted):
        await call(client)
    assert len(server.calls) == 1


@ALL_CALLS
async def test_each_attempt_has_what_is_left_of_the_timeout(client, server, monkeypatch, call):
    clock = itertools.count(0.0, 10.0)  # ten seconds pass whenever it is read
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    server.then_refuse(BUSY_SECONDS)
    await call(client, timeout_seconds=60)
    first, second = [seen.seconds_left for seen in server.calls]
    assert 40 < first < 52
    assert 20 < second < 32


async def test_a_stream_that_has_begun_is_not_repeated_when_the_server_gets_busy(client, server):
    server.then_speak(b"\0\0", then=server.refusal(BUSY_SECONDS))
    chunks = client.stream("Hello.")
    assert (await anext(chunks)).audio == b"\0\0"
    with pytest.raises(ResourceExhausted):
        await anext(chunks)
    assert len(server.calls) == 1


async def test_health_does_not_wait_for_a_busy_server(busy_health_server):
    async with AsyncClient(busy_health_server.target) as client:
        with pytest.raises(ResourceExhausted):
            await client.health()
    assert len(busy_health_server.checks) == 1


async def test_pieces_that_come_after_the_refusal_are_sent_by_the_next_attempt(client, server, plain_audio):
    server.then_refuse(BUSY_SECONDS)

    async def pieces():
        await asyncio.to_thread(server.wait_for_calls, 2)
        for piece in ("Hel", "lo", "."):
            yield piece

    assert await audio_of(client.stream_pieces(pieces(), voice="joe")) == plain_audio
    (refused, nothing), (settings, steps) = server.requests("StreamingSynthesize")
    assert refused == settings
    assert (nothing, steps) == ([], ["Hel", "lo", "."])


async def test_pieces_of_which_one_was_sent_are_not_sent_again(client, server):
    server.then_speak(then=server.refusal(BUSY_SECONDS))  # once it has read a piece

    async def pieces():
        yield "Hel"
        await asyncio.Event().wait()

    with pytest.raises(ResourceExhausted):
        await audio_of(client.stream_pieces(pieces()))
    assert len(server.calls) == 1


async def test_what_the_pieces_raise_after_the_refusal_is_raised(client, server):
    server.then_refuse(BUSY_SECONDS)

    async def pieces():
        await asyncio.to_thread(server.wait_for_calls, 2)
        raise ValueError("the model is gone")
        yield

    with pytest.raises(ValueError, match="the model is gone"):
        await audio_of(client.stream_pieces(pieces()))


@pytest.mark.parametrize("calls", [1, 2])
async def test_pieces_that_are_still_waited_for_are_cancelled_with_the_call(client, server, calls):
    if calls == 1:
        server.then_fail_at_once(grpc.StatusCode.INVALID_ARGUMENT, "no")
    else:
        server.then_refuse(BUSY_SECONDS)
    is_left = asyncio.Event()

    async def pieces():
        try:
            await asyncio.Event().wait()
            yield
        finally:
            is_left.set()

    listening = asyncio.create_task(audio_of(client.stream_pieces(pieces())))
    await asyncio.to_thread(server.wait_for_calls, calls)
    if calls == 1:
        with pytest.raises(InvalidArgument):
            await listening
    else:
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
    async with asyncio.timeout(10):
        await is_left.wait()


@pytest.fixture
def waits(client, monkeypatch) -> asyncio.Event:
    """Set once the client waits for a busy server."""
    waits, wait = asyncio.Event(), client._wait

    async def noted(seconds: float) -> None:
        waits.set()
        await wait(seconds)

    monkeypatch.setattr(client, "_wait", noted)
    return waits


@pytest.mark.parametrize("method", ["synthesize", "stream"])
async def test_cancelling_the_task_ends_the_wait_for_a_busy_server(client, server, waits, method):
    server.then_refuse(50.0)
    waiting = client.synthesize("x") if method == "synthesize" else anext(client.stream("x"))
    task = asyncio.ensure_future(waiting)
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(server.calls) == 1


async def test_closing_the_client_ends_the_wait_for_a_busy_server(client, server, waits):
    server.then_refuse(50.0)
    task = asyncio.create_task(client.synthesize("x"))
    await waits.wait()
    await client.close()
    with pytest.raises(Cancelled, match="closed while it waited"):
        await task
    assert len(server.calls) == 1


async def test_voices_are_listed_by_language(client):
    assert [voice.id for voice in await client.voices("de")] == ["de_DE-mls-medium"]


async def test_voices_are_listed_by_gender_and_engine(client):
    assert [voice.id for voice in await client.voices(gender=Gender.FEMALE)] == ["de_DE-mls-medium"]
    assert [voice.id for voice in await client.voices(engine="vits")] == ["en_US-joe-medium"]


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
