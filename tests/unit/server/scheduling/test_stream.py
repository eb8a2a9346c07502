"""SpeechStream: what its reader sees, with an owner that only writes down what it is asked."""

import asyncio
import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest

from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.scheduling.stream import Rendered, SpeechStream
from phonoscope.server.types import Utterance

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)

SAID = fakes.utterance(1, 2, 3)
Asked = tuple[str, RequestState, object]


class Owner:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def add_utterance(self, state: RequestState, utterance: Utterance, context: object) -> None:
        self.asked.append(("add_utterance", state, (utterance, context)))

    def expect(self, state: RequestState, audio_seconds: float) -> None:
        self.asked.append(("expect", state, audio_seconds))

    def finish_text(self, state: RequestState) -> None:
        self.asked.append(("finish_text", state, None))

    def acknowledge(self, state: RequestState, audio_seconds: float) -> None:
        self.asked.append(("acknowledge", state, audio_seconds))

    def remove(self, state: RequestState) -> None:
        self.asked.append(("remove", state, None))


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def state() -> RequestState:
    return fakes.a_state(fakes.slot_of(fakes.FrameEngine()), is_text_complete=False, owed_seconds=1.0)


@pytest.fixture
async def stream(owner: Owner, state: RequestState) -> SpeechStream:
    return SpeechStream(owner, state)


def rendered(value: float) -> Rendered:
    return Rendered("context", np.full(4, value, np.float32), start=0, audio_seconds=value)


async def test_what_is_delivered_from_another_thread_comes_in_order_and_ends(stream: SpeechStream):
    items = [rendered(value) for value in (0.1, 0.2, 0.3)]

    def deliver() -> None:
        for item in (*items, None):
            stream.deliver(item)

    thread = threading.Thread(target=deliver)
    thread.start()
    assert [item async for item in stream] == items
    thread.join()


async def test_each_item_is_counted_when_it_is_read_and_not_before(
    stream: SpeechStream, owner: Owner, state: RequestState
):
    stream.deliver(rendered(0.1))
    stream.deliver(rendered(0.2))
    await anext(stream)
    assert owner.asked == [("acknowledge", state, 0.1)]
    await anext(stream)
    assert owner.asked == [("acknowledge", state, 0.1), ("acknowledge", state, 0.2)]


async def test_an_error_comes_after_what_was_delivered_before_it(stream: SpeechStream):
    stream.deliver(rendered(0.1))
    stream.deliver(ValueError("broken"))
    await anext(stream)
    with pytest.raises(ValueError, match="broken"):
        await anext(stream)


async def test_failing_a_stream_removes_it_and_tells_its_reader(
    stream: SpeechStream, owner: Owner, state: RequestState
):
    reading = asyncio.ensure_future(anext(stream))
    stream.fail(ValueError("unreadable"))
    assert owner.asked == [("remove", state, None)]
    with pytest.raises(ValueError, match="unreadable"):
        await reading


async def test_text_goes_to_the_owner(stream: SpeechStream, owner: Owner, state: RequestState):
    stream.say(SAID, "context")
    stream.expect(2.5)
    assert stream.ending is None
    stream.finish_text("the end")
    assert owner.asked == [
        ("add_utterance", state, (SAID, "context")),
        ("expect", state, 2.5),
        ("finish_text", state, None),
    ]
    assert stream.ending == "the end"


async def test_a_writer_waits_until_enough_is_spoken(stream: SpeechStream, state: RequestState):
    state.queued, state.finished = 3, 1
    assert stream.unspoken_utterances == 2
    waiting = asyncio.ensure_future(stream.wait_until_fewer(2))
    stream.deliver(rendered(0.1))  # of the same utterance
    await anext(stream)
    assert not waiting.done()
    state.finished = 2
    stream.deliver(rendered(0.2))
    await asyncio.wait_for(waiting, 30)


async def test_a_writer_with_little_unspoken_does_not_wait(stream: SpeechStream, state: RequestState):
    state.queued = 1
    await asyncio.wait_for(stream.wait_until_fewer(2), 30)


async def test_the_engines_time_is_what_its_request_has_had(stream: SpeechStream, state: RequestState):
    state.engine_seconds = 1.5
    assert stream.engine_seconds == 1.5


async def test_leaving_the_context_removes_the_stream_even_when_its_reader_fails(
    stream: SpeechStream, owner: Owner, state: RequestState
):
    with pytest.raises(KeyError), stream:
        raise KeyError
    assert owner.asked == [("remove", state, None)]
