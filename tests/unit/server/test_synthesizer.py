"""Synthesizer: from a request to bytes, on the tone engine and a real scheduler."""

import asyncio
import contextlib
import gc
import struct
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, InvalidRequest, NotReady, Overloaded
from phonoscope.server.audio.encode import wav_header
from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import Event, FirstAudio, QueueMoved, RequestFinished, StageTimed
from phonoscope.server.scheduler import MOST_UNREAD_WINDOWS, Scheduler
from phonoscope.server.synthesizer import SpokenChunk, Synthesizer
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Clause, Letters
from phonoscope.server.types import SpeechRequest, Utterance

TEXT = "The first sentence. And a second one, longer than the first! A third?"
TUNING = Tuning(prepare_batch=4, render_batch=4, first_window_frames=8, largest_window_frames=32)
GENEROUS_SECONDS = 30.0
RATE_HZ = 22_050


class Choirmaster:
    """A ToneEngine that writes down what it is given, and that waits, or fails, where it is told to."""

    name, device, tuning = "choir", "cpu", TUNING

    def __init__(self) -> None:
        # Read through the phonemizer, as real voices are.
        voice = tone_voice()
        voice = replace(voice, phonemes=replace(voice.phonemes, kind="espeak", espeak_voice="en"))
        self._tone = ToneEngine([voice], tuning=TUNING)
        self.voices = self._tone.voices
        self.prepared: list[Utterance] = []
        self.rendered: list[Window] = []
        self.may_render = threading.Event()
        self.may_render.set()
        self.is_rendering = threading.Event()
        self.is_broken = False

    def warm_up(self) -> None:
        self._tone.warm_up()

    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        self.prepared += batch
        return self._tone.prepare(batch)

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        self.is_rendering.set()
        assert self.may_render.wait(GENEROUS_SECONDS)
        self.rendered += windows
        if self.is_broken:
            raise RuntimeError("hoarse")
        return self._tone.render(windows)


class StumblingLetters(Letters):
    """Counts what it reads; fails on the word "unreadable", and waits before the word "later" until it may read it."""

    def __init__(self) -> None:
        self.sentences_read = 0
        self.may_read_on = threading.Event()

    def clauses(self, text: str, voice: str) -> list[Clause]:
        self.sentences_read += 1
        if "later" in text:
            assert self.may_read_on.wait(GENEROUS_SECONDS)
        if "unreadable" in text:
            raise OSError("the dictionary is gone")
        return super().clauses(text, voice)


@dataclass
class Stage:
    """A synthesizer, what is below it, and what it told."""

    engine: Choirmaster = field(default_factory=Choirmaster)
    events: list[Event] = field(default_factory=list)
    loop_errors: list[object] = field(default_factory=list)
    most_reply_bytes: int = 4 * 2**20

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.engine, self.events.append, most_requests=4, most_audio_seconds=1000.0)
        self.build()

    def build(self) -> None:
        self.letters = StumblingLetters()
        self.synthesizer = Synthesizer(
            self.scheduler,
            TextFrontEnd(self.letters),
            self.engine.voices,
            self.events.append,
            most_characters=2000,
            most_reply_bytes=self.most_reply_bytes,
        )

    async def speak(self, text: str = TEXT, **how: object):
        return await self.synthesizer.speak(SpeechRequest(text, **{"seed": 1, **how}), None)

    def chunks(self, text: str = TEXT, **how: object):
        return self.synthesizer.speak_in_chunks(SpeechRequest(text, **{"seed": 1, **how}), None)

    async def streamed(self, text: str = TEXT, **how: object) -> list[SpokenChunk]:
        return [chunk async for _, chunk in self.chunks(text, **how)]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def finished(self) -> RequestFinished:
        """The one RequestFinished so far."""
        (event,) = self.of(RequestFinished)
        return event


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: stage.loop_errors.append(context))
    await stage.scheduler.start()
    yield stage
    stage.engine.may_render.set()
    await stage.scheduler.drain(0)
    stage.synthesizer.close()
    # Tasks and generators that were left behind complain when they are collected.
    gc.collect()
    await asyncio.sleep(0)
    assert stage.loop_errors == []
    assert stage.of(QueueMoved)[-1:] in ([], [QueueMoved(0, 0)])


def pcm(audio: bytes) -> NDArray[np.int16]:
    return np.frombuffer(audio, "<i2")


# --- audio -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"sample_rate_hz": 16_000}, {"volume_gain_db": -6.0}, {"speed": 2.0}])
async def test_the_chunks_of_a_stream_are_the_whole_reply_to_the_last_bit(stage: Stage, how: dict[str, object]):
    spoken = await stage.speak(**how)
    chunks = await stage.streamed(**how)
    assert len(chunks) > 3
    assert b"".join(chunk.audio for chunk in chunks) == spoken.audio
    assert sum(chunk.audio_seconds for chunk in chunks) == pytest.approx(spoken.audio_seconds)
    assert spoken.audio_seconds == len(spoken.audio) / 2 / spoken.request.sample_rate_hz


async def test_every_sentence_is_spoken_in_order(stage: Stage):
    spoken = await stage.speak(seed=7)
    assert len(stage.engine.prepared) == 3
    tone = ToneEngine(stage.engine.voices)
    plans = [tone.prepare([one])[0] for one in stage.engine.prepared]
    wanted = np.concatenate([tone.render([Window(plan, 0, plan.frames)])[0] for plan in plans])
    np.testing.assert_array_equal(pcm(spoken.audio), np.rint(wanted * np.float32(32767)).astype("<i2"))


async def test_a_whole_wav_reply_has_a_header_with_exact_lengths(stage: Stage):
    spoken = await stage.speak(encoding="wav", sample_rate_hz=8000)
    body = spoken.audio[44:]
    assert spoken.audio[:44] == wav_header(sample_rate_hz=8000, pcm_bytes=len(body))
    assert struct.unpack("<I", spoken.audio[40:44]) == (len(body),)
    assert body == (await stage.speak(sample_rate_hz=8000)).audio


async def test_a_wav_stream_has_one_header_with_open_lengths(stage: Stage):
    audio = b"".join(chunk.audio for chunk in await stage.streamed(encoding="wav"))
    assert audio[:44] == wav_header(sample_rate_hz=RATE_HZ, pcm_bytes=None)
    assert audio[44:] == (await stage.speak()).audio


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000, 48_000])
async def test_another_sample_rate_changes_the_number_of_samples_and_not_the_duration(stage: Stage, rate_hz: int):
    own = len((await stage.speak()).audio) // 2
    assert len((await stage.speak(sample_rate_hz=rate_hz)).audio) // 2 == own * rate_hz // RATE_HZ


async def test_gain_is_in_decibels(stage: Stage):
    plain, quiet = [pcm((await stage.speak(volume_gain_db=gain)).audio).astype(float) for gain in (0.0, -20.0)]
    assert np.abs(quiet - plain / 10).max() <= 0.6


async def test_speed_shortens_the_audio(stage: Stage):
    plain, fast = [(await stage.speak(speed=speed)).audio_seconds for speed in (1.0, 2.0)]
    assert fast == pytest.approx(plain / 2, rel=0.2)


# --- seeds -----------------------------------------------------------------------------------------------------


async def test_the_same_seed_gives_the_same_audio_and_another_seed_another(stage: Stage):
    first, again, other = [(await stage.speak(seed=seed)).audio for seed in (5, 5, 6)]
    assert first == again
    assert first != other


async def test_without_a_seed_each_reply_has_a_fresh_one_which_makes_it_again(stage: Stage):
    first, second = [await stage.speak(seed=None) for _ in range(2)]
    assert first.request.seed != second.request.seed
    assert first.audio != second.audio
    assert (await stage.speak(seed=first.request.seed)).audio == first.audio


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
async def test_each_sentence_has_a_seed_of_its_own_that_torch_takes(stage: Stage, seed: int):
    await stage.speak("The same. The same. The same.", seed=seed)
    seeds = [one.seed for one in stage.engine.prepared]
    assert len(set(seeds)) == 3
    assert all(0 <= one < 2**63 for one in seeds)


# --- the account of each request -------------------------------------------------------------------------------


async def test_a_completed_request_is_told_of_once_with_what_it_sent(stage: Stage):
    spoken = await stage.speak(request_id="mine")
    event = stage.finished()
    assert (event.outcome, event.reason, event.voice, event.request_id) == ("completed", "", "tone", "mine")
    assert (event.characters, event.audio_seconds) == (len(TEXT), spoken.audio_seconds)
    assert event.engine_seconds > 0
    assert len(stage.of(FirstAudio)) == 1
    assert {one.stage for one in stage.of(StageTimed)} == {"phonemize", "queue", "prepare", "render", "encode"}


async def test_a_completed_stream_is_told_of_once_and_its_first_audio_once(stage: Stage):
    chunks = await stage.streamed()
    assert stage.finished().outcome == "completed"
    assert stage.finished().audio_seconds == pytest.approx(sum(chunk.audio_seconds for chunk in chunks))
    assert len(stage.of(FirstAudio)) == 1
    assert [one.stage for one in stage.of(StageTimed)].count("phonemize") == 1


async def test_first_audio_is_told_before_the_first_chunk_is_taken_further(stage: Stage):
    async with contextlib.aclosing(stage.chunks()) as chunks:
        await anext(chunks)
        assert len(stage.of(FirstAudio)) == 1
        assert stage.of(RequestFinished) == []


async def test_a_request_that_is_refused_is_told_of_once_without_a_voice(stage: Stage):
    with pytest.raises(InvalidRequest):
        await stage.speak(speaker_id="nobody")
    event = stage.finished()
    assert (event.outcome, event.reason, event.voice, event.audio_seconds) == ("rejected", "VOICE_UNKNOWN", "", 0.0)


async def test_a_request_that_is_not_admitted_is_told_of_as_rejected(stage: Stage):
    held = [stage.scheduler.open(audio_seconds=1.0) for _ in range(4)]
    with pytest.raises(Overloaded):
        await stage.speak()
    with pytest.raises(Overloaded):
        await stage.streamed()
    assert [(e.outcome, e.reason) for e in stage.of(RequestFinished)] == [("rejected", "QUEUE_FULL")] * 2
    for stream in held:
        stage.scheduler.remove(stream)


async def test_a_stream_that_is_closed_early_is_told_of_as_cancelled_and_made_no_further(stage: Stage):
    long_text = "abcdefghijklmnopqrstuvwxyz. " * 40
    async with contextlib.aclosing(stage.chunks(long_text)) as chunks:
        await anext(chunks)
    event = stage.finished()
    assert (event.outcome, event.reason) == ("cancelled", "")
    assert 0 < event.audio_seconds < 1
    assert stage.of(QueueMoved)[-1] == QueueMoved(0, 0)
    await stage.speak("after.")
    assert len(stage.engine.prepared) < 10


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_task_that_is_cancelled_is_told_of_as_cancelled(stage: Stage, is_whole: bool):
    stage.engine.may_render.clear()
    task = asyncio.ensure_future(stage.speak() if is_whole else stage.streamed())
    assert await asyncio.to_thread(stage.engine.is_rendering.wait, GENEROUS_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stage.finished().outcome, stage.finished().reason) == ("cancelled", "")
    assert stage.of(QueueMoved)[-1:] == [QueueMoved(0, 0)]


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_request_that_the_engine_fails_on_is_told_of_as_failed(stage: Stage, is_whole: bool):
    stage.engine.is_broken = True
    with pytest.raises(EngineFailed):
        await (stage.speak() if is_whole else stage.streamed())
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "ENGINE_FAILED")


async def test_a_deadline_that_has_passed_is_told_of_as_failed(stage: Stage):
    with pytest.raises(DeadlineUnreachable):
        await stage.synthesizer.speak(SpeechRequest(TEXT), deadline_seconds=0.0)
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "DEADLINE_UNREACHABLE")


async def test_a_draining_server_refuses(stage: Stage):
    await stage.scheduler.drain(0)
    with pytest.raises(NotReady):
        await stage.speak()
    assert (stage.finished().outcome, stage.finished().reason) == ("rejected", "DRAINING")


# --- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_whole", [False, True])
async def test_text_with_nothing_to_pronounce_is_refused_with_the_way_out(stage: Stage, is_whole: bool):
    with pytest.raises(InvalidRequest, match="nothing that can be spoken") as caught:
        await (stage.speak("🙂 🙂") if is_whole else stage.streamed("🙂 🙂"))
    assert caught.value.reason == "TEXT_UNPRONOUNCEABLE"
    assert [violation.field for violation in caught.value.violations] == ["text"]
    assert (stage.finished().outcome, stage.finished().reason) == ("rejected", "TEXT_UNPRONOUNCEABLE")


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("text", ["unreadable", "Good. Good. And unreadable. Good."])
async def test_a_failure_of_the_text_thread_fails_the_request_alone(stage: Stage, is_whole: bool, text: str):
    with pytest.raises(OSError, match="dictionary"):
        await (stage.speak(text) if is_whole else stage.streamed(text))
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "INTERNAL")
    assert (await stage.speak("Good.")).audio


async def test_text_is_read_no_further_once_its_request_has_ended(stage: Stage):
    text = "Another. " * 200
    async with contextlib.aclosing(stage.chunks("unreadable. " + text)) as chunks:
        with pytest.raises(OSError, match="dictionary"):
            await anext(chunks)
    assert stage.letters.sentences_read == 1
    async with contextlib.aclosing(stage.chunks(text)) as chunks:
        await anext(chunks)
    read = stage.letters.sentences_read
    await stage.speak("After.")
    assert stage.letters.sentences_read <= read + 2  # the one under way, and "After."


async def test_the_first_sentence_is_spoken_before_the_next_is_read(stage: Stage):
    async with contextlib.aclosing(stage.chunks("Good. And more, later.")) as chunks:
        _, first = await anext(chunks)
        assert first.audio
        stage.letters.may_read_on.set()
        assert [chunk async for _, chunk in chunks]
    assert len(stage.engine.prepared) == 2


# --- limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [8000, 44_100])
async def test_a_reply_that_would_be_too_large_names_the_way_out_and_is_not_rendered(stage: Stage, rate_hz: int):
    size = len((await stage.speak(sample_rate_hz=rate_hz)).audio)
    stage.events.clear()
    stage.engine.rendered.clear()
    stage.most_reply_bytes = size - 2
    stage.build()
    with pytest.raises(InvalidRequest, match=f"MiB at {rate_hz} Hz.*Call SynthesizeStream") as caught:
        await stage.speak(sample_rate_hz=rate_hz)
    assert caught.value.reason == "REPLY_TOO_LARGE"
    assert stage.engine.rendered == []
    assert (stage.finished().outcome, stage.finished().reason) == ("rejected", "REPLY_TOO_LARGE")
    assert b"".join(chunk.audio for chunk in await stage.streamed(sample_rate_hz=rate_hz))


async def test_a_reply_of_exactly_the_limit_is_made(stage: Stage):
    stage.most_reply_bytes = len((await stage.speak()).audio)
    stage.build()
    assert len((await stage.speak()).audio) == stage.most_reply_bytes


async def test_what_a_slow_reader_leaves_is_bounded(stage: Stage):
    text = "abcdefghijklmnopqrstuvwxyz" * 5
    async with contextlib.aclosing(stage.chunks(text)) as chunks:
        await anext(chunks)
        await stage.speak("Others are served meanwhile.")
        await stage.speak("And once more.")
        longest = max((window.plan for window in stage.engine.rendered), key=lambda plan: plan.frames)
        made = sum(window.plan is longest for window in stage.engine.rendered)
        assert 1 < made <= 1 + MOST_UNREAD_WINDOWS
        assert [len(one.phoneme_ids) for one in stage.engine.prepared]
