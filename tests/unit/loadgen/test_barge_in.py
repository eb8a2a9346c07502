"""Callers that cancel their streams, in simulated time."""

import asyncio
import dataclasses

import pytest

from phonoscope.loadgen.barge_in import listen
from phonoscope.loadgen.plan import Cancellation, PlannedCall
from phonoscope.loadgen.player import Player

HEARD = PlannedCall("Hello.", {}, is_stream=True)
CHUNK_SECONDS = 2.0


class Audio:
    """Chunks at given times, and then `failure` at its time; remembers when it was closed."""

    def __init__(self, *times, failure=None):
        self.times = times
        self.failure = failure
        self.closed_at = None

    async def chunks(self):
        now = asyncio.get_running_loop().time
        try:
            for at in self.times:
                await asyncio.sleep(at - now())
                yield CHUNK_SECONDS
            if self.failure:
                at, error = self.failure
                await asyncio.sleep(at - now())
                raise error
        finally:
            self.closed_at = now()


@pytest.fixture
def hear(simulate):
    """Listens to a call; returns whether it was cancelled, and its player."""

    def run(audio, cancellation=None):
        player = Player()
        call = dataclasses.replace(HEARD, cancellation=cancellation)

        async def work():
            is_cancelled = await listen(audio.chunks(), call, player)
            assert audio.closed_at is not None, "the audio is left open"
            return is_cancelled

        return simulate(work()), player

    return run


def test_a_call_without_a_cancellation_is_heard_to_its_end(hear):
    audio = Audio(0.5, 0.6, 0.7)
    is_cancelled, player = hear(audio)
    assert not is_cancelled
    assert (player.first_audio_at, player.audio_seconds) == (0.5, 3 * CHUNK_SECONDS)
    assert audio.closed_at == pytest.approx(0.7)


def test_a_call_is_cancelled_as_soon_as_its_first_chunk_is_there(hear):
    audio = Audio(0.5, 0.6, 0.7)
    is_cancelled, player = hear(audio, Cancellation())
    assert is_cancelled
    assert (player.first_audio_at, player.audio_seconds) == (0.5, CHUNK_SECONDS)
    assert audio.closed_at == 0.5


def test_a_call_is_cancelled_after_its_delay_while_it_waits_for_audio(hear):
    audio = Audio(0.5, 0.6)
    is_cancelled, player = hear(audio, Cancellation(0.01))
    assert is_cancelled
    assert player.first_audio_at is None
    assert audio.closed_at == pytest.approx(0.01)


def test_audio_that_comes_before_the_delay_cancels_the_call_and_is_not_played(hear):
    audio = Audio(0.005, 0.6)
    is_cancelled, player = hear(audio, Cancellation(0.01))
    assert is_cancelled
    assert (player.first_audio_at, player.audio_seconds) == (None, 0.0)
    assert audio.closed_at == 0.005


@pytest.mark.parametrize("cancellation", [Cancellation(), Cancellation(0.01)])
@pytest.mark.parametrize("error", [ZeroDivisionError, TimeoutError])
def test_a_failure_before_the_cancellation_is_the_failure(hear, cancellation, error):
    with pytest.raises(error):
        hear(Audio(failure=(0.005, error())), cancellation)


@pytest.mark.parametrize("cancellation", [None, Cancellation(), Cancellation(0.01)])
def test_audio_that_ends_without_a_chunk_is_not_cancelled(hear, cancellation):
    assert not hear(Audio(), cancellation)[0]


@pytest.mark.parametrize("cancellation", [None, Cancellation(), Cancellation(60.0)])
def test_a_task_that_is_cancelled_from_outside_is_not_a_barge_in(simulate, cancellation):
    async def work():
        audio = Audio(50.0)
        call = dataclasses.replace(HEARD, cancellation=cancellation)
        task = asyncio.ensure_future(listen(audio.chunks(), call, Player()))
        asyncio.get_running_loop().call_at(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        return audio.closed_at

    assert simulate(work()) == 1.0
