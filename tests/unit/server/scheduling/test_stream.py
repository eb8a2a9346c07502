"""SpeechStream: what its reader sees, with an owner that only writes down what it is asked."""

import asyncio
import threading

import numpy as np
import pytest

from phonoscope.server.scheduling.policy import Work
from phonoscope.server.scheduling.stream import Rendered, SpeechStream
from phonoscope.server.types import Utterance

SAID = Utterance("tone", (1, 2, 3), 0, 1.0, 0.0, 0.0, seed=0)


class Owner:
    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []

    def add_utterance(self, stream: SpeechStream, utterance: Utterance) -> None:
        self.asked.append(("add_utterance", utterance))

    def expect(self, stream: SpeechStream, audio_seconds: float) -> None:
        self.asked.append(("expect", audio_seconds))

    def finish_text(self, stream: SpeechStream) -> None:
        self.asked.append(("finish_text", stream))

    def taken(self, stream: SpeechStream, audio_seconds: float) -> None:
        self.asked.append(("taken", audio_seconds))

    def remove(self, stream: SpeechStream) -> None:
        self.asked.append(("remove", stream))


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def stream(owner: Owner) -> SpeechStream:
    return SpeechStream(owner, Work(0.0, None, is_whole=False, window_frames=1), 1.0, None)


def window(value: float) -> Rendered:
    return Rendered(np.full(4, value, np.float32), engine_seconds=0.1, audio_seconds=value)


async def test_what_is_delivered_from_another_thread_comes_in_order_and_ends(stream: SpeechStream):
    windows = [window(value) for value in (0.1, 0.2, 0.3)]

    def deliver() -> None:
        for item in (*windows, None):
            stream.deliver(item)

    thread = threading.Thread(target=deliver)
    thread.start()
    assert [rendered async for rendered in stream] == windows
    thread.join()


async def test_each_window_is_counted_when_it_is_read_and_not_before(stream: SpeechStream, owner: Owner):
    stream.deliver(window(0.1))
    stream.deliver(window(0.2))
    await anext(stream)
    assert owner.asked == [("taken", 0.1)]
    await anext(stream)
    assert owner.asked == [("taken", 0.1), ("taken", 0.2)]


async def test_an_error_comes_after_what_was_delivered_before_it(stream: SpeechStream):
    stream.deliver(window(0.1))
    stream.deliver(ValueError("broken"))
    await anext(stream)
    with pytest.raises(ValueError, match="broken"):
        await anext(stream)


async def test_failing_a_stream_removes_it_and_tells_its_reader(stream: SpeechStream, owner: Owner):
    reading = asyncio.ensure_future(anext(stream))
    stream.fail(ValueError("unreadable"))
    assert owner.asked == [("remove", stream)]
    with pytest.raises(ValueError, match="unreadable"):
        await reading


async def test_text_goes_to_the_owner(stream: SpeechStream, owner: Owner):
    stream.say(SAID)
    stream.expect(2.5)
    stream.finish_text()
    assert owner.asked == [("add_utterance", SAID), ("expect", 2.5), ("finish_text", stream)]


async def test_a_writer_waits_until_enough_is_spoken(stream: SpeechStream):
    stream.work.queued, stream.work.spoken = 3, 1
    assert stream.unspoken_utterances == 2
    waiting = asyncio.ensure_future(stream.wait_until_fewer(2))
    stream.deliver(window(0.1))  # of the same utterance
    await anext(stream)
    assert not waiting.done()
    stream.work.spoken = 2
    stream.deliver(window(0.2))
    await asyncio.wait_for(waiting, 30)


async def test_a_writer_with_little_unspoken_does_not_wait(stream: SpeechStream):
    stream.work.queued = 1
    await asyncio.wait_for(stream.wait_until_fewer(2), 30)


async def test_nothing_is_owed_while_the_writer_thinks(stream: SpeechStream):
    assert stream.unsent_seconds == 1.0  # by the estimate, before anything came
    stream.work.queued = stream.work.spoken = 1
    assert stream.unsent_seconds == 0.0
    stream.work.waiting.append(SAID)
    assert stream.unsent_seconds == 1.0


async def test_leaving_the_context_removes_the_stream_even_when_its_reader_fails(stream: SpeechStream, owner: Owner):
    with pytest.raises(KeyError), stream:
        raise KeyError
    assert owner.asked == [("remove", stream)]
