"""Text in pieces: what is said when, and how far ahead of the sound is read. The stream is a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from phonoscope.server.speech.incremental_input import MAX_UNSPOKEN_UTTERANCES, Flush, speak_incrementally
from phonoscope.server.text.incremental import IncrementalText, Stretch

GENEROUS_SECONDS = 30.0


class Caller:
    """Pieces that come when the test gives them; notes how many were asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self._given: asyncio.Queue[str | Flush | Exception | None] = asyncio.Queue()

    def give(self, *pieces: str | Flush | Exception | None) -> None:
        for piece in pieces:
            self._given.put_nowait(piece)

    async def pieces(self) -> AsyncIterator[str | Flush]:
        while True:
            self.asked += 1
            piece = await self._given.get()
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece


class Player:
    """In place of a SpeechStream: every stretch is an utterance, spoken when the test says so."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.unspoken_utterances = 0
        self._moved = asyncio.Condition()
        self.heard = asyncio.Event()

    async def say(self, stretches: Sequence[Stretch]) -> None:
        self.said += [stretch.text for stretch in stretches]
        self.unspoken_utterances += len(stretches)
        self.heard.set()

    async def wait_until_fewer(self, utterances: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self.unspoken_utterances < utterances)

    async def speak(self, utterances: int = 1) -> None:
        async with self._moved:
            self.unspoken_utterances -= utterances
            self._moved.notify_all()

    async def has_said(self, *texts: str) -> bool:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while len(self.said) < len(texts):
                self.heard.clear()
                await self.heard.wait()
        return self.said == list(texts)


class Talk:
    """A caller, a player, and what runs between them."""

    def __init__(self, clause_wait_seconds: float = 1000.0) -> None:
        self.caller, self.player = Caller(), Player()
        self.running = asyncio.create_task(
            speak_incrementally(
                self.caller.pieces(),
                IncrementalText("en"),
                self.player,  # type: ignore[arg-type]
                self.player.say,
                clause_wait_seconds,
            )
        )

    async def ends(self) -> None:
        async with asyncio.timeout(GENEROUS_SECONDS):
            await self.running


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    talk = Talk()
    yield talk
    talk.running.cancel()


async def settled() -> None:
    """Lets every task go as far as it can by itself."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_sentence_is_said_once_it_is_over_and_the_rest_at_the_end(talk: Talk) -> None:
    talk.caller.give("It ra", "ins. An", "d then")
    assert await talk.player.has_said("It rains.")
    await talk.player.speak()
    talk.caller.give(None)
    await talk.ends()
    assert talk.player.said == ["It rains.", "And then"]


async def test_a_flush_says_what_has_come(talk: Talk) -> None:
    talk.caller.give("Half a sentence", Flush())
    assert await talk.player.has_said("Half a sentence")


async def test_a_flush_of_nothing_says_nothing(talk: Talk) -> None:
    talk.caller.give(Flush(), "", Flush(), None)
    await talk.ends()
    assert talk.player.said == []


async def test_a_caller_that_is_ahead_is_not_read_from_until_something_is_spoken(talk: Talk) -> None:
    talk.caller.give(*(f"Sentence {number}. N" for number in range(100)))
    await settled()
    read = talk.caller.asked
    assert len(talk.player.said) == MAX_UNSPOKEN_UTTERANCES
    await settled()
    assert talk.caller.asked == read <= MAX_UNSPOKEN_UTTERANCES + 1
    await talk.player.speak()
    await settled()
    assert talk.caller.asked == read + 1


async def test_with_nothing_left_to_say_a_clause_is_said_after_the_wait() -> None:
    talk = Talk(clause_wait_seconds=0.0)
    talk.caller.give("It rains here, and th")
    assert await talk.player.has_said("It rains here,")
    await talk.player.speak()
    talk.caller.give("ere. ", None)
    await talk.ends()
    assert "".join(talk.player.said) == "It rains here,and there."


async def test_while_something_is_spoken_a_clause_waits_for_the_rest_of_its_sentence() -> None:
    talk = Talk(clause_wait_seconds=0.0)
    talk.caller.give("First. It rains here, and th")
    assert await talk.player.has_said("First.")
    await settled()
    assert talk.player.said == ["First."]
    talk.caller.give("ere. Last")
    assert await talk.player.has_said("First.", "It rains here, and there.")
    talk.caller.give(None)
    await talk.ends()


async def test_a_clause_waits_when_nothing_is_left_to_say(talk: Talk) -> None:
    talk.caller.give("It rains here, and th")
    await settled()
    assert talk.player.said == []


async def test_what_the_pieces_raise_is_raised(talk: Talk) -> None:
    talk.caller.give("It rains", ValueError("the model is gone"))
    with pytest.raises(ValueError, match="the model is gone"):
        await talk.ends()


async def test_a_talk_that_is_given_up_leaves_no_task_behind(talk: Talk) -> None:
    before = asyncio.all_tasks()
    talk.caller.give("It rains here, and th")
    await settled()
    talk.running.cancel()
    await settled()
    assert asyncio.all_tasks() <= before - {talk.running}
