"""Text in pieces, shared by the attempts of a call: no piece is lost, and none is sent twice."""

import asyncio
import threading

import pytest

from phonoscope.client import FLUSH
from phonoscope.client.incremental_input import AsyncIncrementalInput, IncrementalInput
from phonoscope.protos.tts.v1 import tts_pb2

WAIT_SECONDS = 20.0
SETTINGS = tts_pb2.SynthesizeRequest(speaker_id="joe")


def text_of(message: tts_pb2.StreamingSynthesizeRequest) -> str:
    return message.text or str(message.WhichOneof("step"))


async def each(*pieces):
    for piece in pieces:
        yield piece


def test_an_attempt_is_the_settings_and_then_the_pieces():
    shared = IncrementalInput(SETTINGS, ["a", FLUSH, "b"])
    first, *rest = shared.begin_attempt()
    assert first.settings == SETTINGS
    assert [text_of(message) for message in rest] == ["a", "flush", "b"]


async def test_an_asynchronous_attempt_is_the_settings_and_then_the_pieces():
    shared = AsyncIncrementalInput(SETTINGS, each("a", FLUSH, "b"))
    first, *rest = [message async for message in shared.begin_attempt()]
    assert first.settings == SETTINGS
    assert [text_of(message) for message in rest] == ["a", "flush", "b"]


def test_the_settings_alone_leave_all_pieces_for_another_attempt():
    shared = IncrementalInput(SETTINGS, ["a", "b"])
    next(shared.begin_attempt())
    assert shared.end_attempt()
    assert [text_of(message) for message in shared.begin_attempt()] == ["settings", "a", "b"]


def test_a_piece_that_was_given_leaves_nothing_to_repeat():
    shared = IncrementalInput(SETTINGS, ["a", "b"])
    messages = shared.begin_attempt()
    assert [text_of(next(messages)) for _ in range(2)] == ["settings", "a"]
    assert not shared.end_attempt()
    assert list(messages) == []


async def test_a_piece_that_was_given_leaves_nothing_to_repeat_asynchronously():
    shared = AsyncIncrementalInput(SETTINGS, each("a", "b"))
    messages = shared.begin_attempt()
    assert [text_of(await anext(messages)) for _ in range(2)] == ["settings", "a"]
    assert not shared.end_attempt()
    assert [message async for message in messages] == []


def test_a_piece_that_comes_after_its_attempt_has_ended_goes_to_the_next():
    is_asked, may_come = threading.Event(), threading.Event()

    def pieces():
        is_asked.set()
        assert may_come.wait(WAIT_SECONDS)
        yield from ("a", "b")

    shared = IncrementalInput(SETTINGS, pieces())
    ended: list[str] = []
    messages = shared.begin_attempt()
    asker = threading.Thread(target=lambda: ended.extend(map(text_of, messages)))
    asker.start()
    assert is_asked.wait(WAIT_SECONDS)
    assert shared.end_attempt()
    current = shared.begin_attempt()
    may_come.set()
    assert [text_of(message) for message in current] == ["settings", "a", "b"]
    asker.join(WAIT_SECONDS)
    assert ended == ["settings"]


async def test_a_piece_that_comes_after_its_asynchronous_attempt_has_ended_goes_to_the_next():
    is_asked, may_come = asyncio.Event(), asyncio.Event()

    async def pieces():
        is_asked.set()
        await may_come.wait()
        yield "a"
        yield "b"

    async def texts(messages):
        return [text_of(message) async for message in messages]

    shared = AsyncIncrementalInput(SETTINGS, pieces())
    ended = asyncio.create_task(texts(shared.begin_attempt()))
    await is_asked.wait()
    assert shared.end_attempt()
    current = asyncio.create_task(texts(shared.begin_attempt()))
    may_come.set()
    assert await current == ["settings", "a", "b"]
    assert await ended == ["settings"]


def test_what_the_pieces_raise_is_kept_and_ends_every_attempt():
    def pieces():
        raise ValueError("the model is gone")
        yield

    shared = IncrementalInput(SETTINGS, pieces())
    for _ in range(2):
        with pytest.raises(ValueError, match="the model is gone"):
            list(shared.begin_attempt())
        assert isinstance(shared.failure, ValueError)
        assert not shared.end_attempt()


async def test_what_asynchronous_pieces_raise_is_kept_and_ends_every_attempt():
    async def pieces():
        raise ValueError("the model is gone")
        yield

    shared = AsyncIncrementalInput(SETTINGS, pieces())
    for _ in range(2):
        with pytest.raises(ValueError, match="the model is gone"):
            [message async for message in shared.begin_attempt()]
        assert isinstance(shared.failure, ValueError)
        assert not shared.end_attempt()


async def test_closing_ends_the_wait_for_a_piece_without_another_attempt():
    is_asked, is_left = asyncio.Event(), asyncio.Event()

    async def pieces():
        try:
            is_asked.set()
            await asyncio.Event().wait()
            yield "a"
        finally:
            is_left.set()

    shared = AsyncIncrementalInput(SETTINGS, pieces())
    messages = shared.begin_attempt()
    await anext(messages)
    asker = asyncio.ensure_future(anext(messages))
    await is_asked.wait()
    shared.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
    assert is_left.is_set()
    assert not shared.end_attempt()
