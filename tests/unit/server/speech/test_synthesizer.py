"""Synthesizer: from a request to bytes, on the tone engine and a real scheduler."""

import asyncio
import contextlib
import gc
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray
from structlog.testing import CapturingLogger

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, InvalidRequest, NotReady, Overloaded
from phonoscope.server.audio.encode import wav_header
from phonoscope.server.engines.base import Job, Step, StepResult
from phonoscope.server.engines.tone import PREPARE, RenderStep, ToneEngine, ToneJob, tone_voice
from phonoscope.server.events import (
    AudioEncoded,
    BatchRan,
    ChunkSent,
    Event,
    FirstAudio,
    QueueLeft,
    QueueMoved,
    RequestFinished,
    RequestStarted,
    TextRead,
    UtteranceQueued,
    UtteranceSpoken,
)
from phonoscope.server.request.fields import LONGEST_REQUEST_ID
from phonoscope.server.scheduling.admission import Admission
from phonoscope.server.scheduling.policy import EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.speech import delivery as delivery_module
from phonoscope.server.speech import request_stats as request_stats_module
from phonoscope.server.speech import synthesizer as synthesizer_module
from phonoscope.server.speech.delivery import SpokenChunk
from phonoscope.server.speech.speaker_pitch import PITCH_TEXT
from phonoscope.server.speech.synthesizer import Limits, Synthesizer
from phonoscope.server.speech.timings import Timings
from phonoscope.server.telemetry.logs import LogSink
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Clause, Letters
from phonoscope.server.types import SpeechRequest, Utterance, Voice

TEXT = "The first sentence. And a second one, longer than the first! A third?"
SIZES = (8, 16, 32)  # frames of a window
GENEROUS_SECONDS = 30.0
RATE_HZ = 22_050


class Choirmaster:
    """A ToneEngine that records its input, and that waits or fails on demand."""

    name, device, precision, step_kinds = "choir", "cpu", "float32", ToneEngine.step_kinds

    def __init__(self) -> None:
        # Read through the phonemizer, as real voices are.
        voice = tone_voice()
        voice = replace(voice, phonemes=replace(voice.phonemes, kind="espeak", espeak_voice="en"))
        self._tone = ToneEngine([voice], sizes=SIZES, max_batch=4)
        self.voices = self._tone.voices
        self.tuning = self._tone.tuning
        self.prepared: list[Utterance] = []
        self.rendered: list[RenderStep] = []
        self.may_render = threading.Event()
        self.may_render.set()
        self.is_rendering = threading.Event()
        self.is_broken = False

    def warm_up(self) -> None:
        self._tone.warm_up()

    def idle_work(self) -> int:
        return 0

    def open(self, utterance: Utterance) -> Job:
        return self._tone.open(utterance)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        if steps[0].kind == PREPARE:
            self.prepared += [step.job.utterance for step in steps if isinstance(step.job, ToneJob)]
            return self._tone.run(steps)
        self.is_rendering.set()
        assert self.may_render.wait(GENEROUS_SECONDS)
        self.rendered += [step for step in steps if isinstance(step, RenderStep)]
        if self.is_broken:
            raise RuntimeError("hoarse")
        return self._tone.run(steps)

    def close(self, job: Job) -> None:
        self._tone.close(job)


def sung(utterance: Utterance, voices: Sequence[Voice]) -> NDArray[np.float32]:
    """Returns all samples of an utterance, made without a scheduler."""
    tone = ToneEngine(voices)
    job = tone.open(utterance)
    parts = []
    while step := job.next_step(0.0):
        parts += [result.samples for result in tone.run([step])]
    return np.concatenate(parts)


class Steps:
    """A gate for Choirmaster that lets a given number of batches pass."""

    def __init__(self) -> None:
        self._permits = threading.Semaphore(0)

    def wait(self, seconds: float) -> bool:
        return self._permits.acquire(timeout=seconds)

    def step(self) -> None:
        self._permits.release()

    def set(self) -> None:
        self._permits.release(10_000)


class Clock:
    """Stands still at the time at which the test began, until the test puts it forward."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


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
    """A synthesizer, the layers below it, and its events."""

    engine: Choirmaster = field(default_factory=Choirmaster)
    events: list[Event] = field(default_factory=list)
    loop_errors: list[object] = field(default_factory=list)
    max_reply_bytes: int = 4 * 2**20
    sinks: list[Callable[[Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        admission = Admission(max_requests=4, max_audio_seconds=1000.0, max_first_audio_seconds=1000.0)
        self.scheduler = Scheduler([self.engine], self.emit, admission=admission, policy=EarliestDeadlineFirst())
        self.build()

    def emit(self, event: Event) -> None:
        self.events.append(event)
        for sink in self.sinks:
            sink(event)

    def build(self) -> None:
        self.letters = StumblingLetters()
        self.synthesizer = Synthesizer(
            self.scheduler,
            TextFrontEnd(self.letters),
            self.engine.voices,
            self.emit,
            limits=Limits(max_characters=2000, max_reply_bytes=self.max_reply_bytes),
        )

    async def speak(self, text: str = TEXT, **how: object):
        return await self.synthesizer.speak(SpeechRequest(text, **{"seed": 1, **how}), None)

    def chunks(self, text: str = TEXT, **how: object):
        return self.synthesizer.speak_in_chunks(SpeechRequest(text, **{"seed": 1, **how}), None)

    async def made(self, is_whole: bool, text: str = TEXT, **how: object) -> object:
        """Speaks, in one way or the other."""
        return await (self.speak(text, **how) if is_whole else self.streamed(text, **how))

    async def streamed(self, text: str = TEXT, **how: object) -> list[SpokenChunk]:
        return [chunk async for _, chunk in self.chunks(text, **how)]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def finished(self) -> RequestFinished:
        """The one RequestFinished so far."""
        (event,) = self.of(RequestFinished)
        return event


@pytest.fixture(scope="module", autouse=True)
def older_objects() -> None:
    """Has `gc.collect()` after each of these tests skip what earlier test modules left."""
    gc.collect()
    gc.freeze()


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


async def test_each_language_is_prepared_once(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    prepared: list[str] = []
    monkeypatch.setattr(TextFrontEnd, "prepare", lambda _self, scheme: prepared.append(scheme.espeak_voice))
    english, german = (replace(tone_voice("a").phonemes, espeak_voice=name) for name in ("en-us", "de"))
    stage.synthesizer.voices = tuple(
        replace(tone_voice(name), phonemes=scheme)
        for name, scheme in {"a": english, "b": german, "c": replace(english)}.items()
    )
    stage.synthesizer.prepare_languages()
    for thread in threading.enumerate():
        if thread.name == "languages":
            thread.join(GENEROUS_SECONDS)
    assert prepared == ["en-us", "de"]


async def test_every_sentence_is_spoken_in_order(stage: Stage):
    spoken = await stage.speak(seed=7)
    assert len(stage.engine.prepared) == 3
    wanted = np.concatenate([sung(one, stage.engine.voices) for one in stage.engine.prepared])
    np.testing.assert_array_equal(pcm(spoken.audio), np.rint(wanted * np.float32(32767)).astype("<i2"))


async def test_a_whole_wav_reply_has_a_header_with_exact_lengths(stage: Stage):
    spoken = await stage.speak(encoding="wav", sample_rate_hz=8000)
    body = spoken.audio[44:]
    assert spoken.audio[:44] == wav_header(sample_rate_hz=8000, pcm_bytes=len(body))
    assert struct.unpack("<I", spoken.audio[40:44]) == (len(body),)
    assert body == (await stage.speak(sample_rate_hz=8000)).audio


async def test_a_whole_flac_reply_states_its_samples(stage: Stage):
    spoken = await stage.speak(encoding="flac")
    samples = int.from_bytes(spoken.audio[18:26]) & 2**36 - 1  # of STREAMINFO
    assert samples == len((await stage.speak()).audio) // 2


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


# --- how each request ends --------------------------------------------------------------------------------------


async def test_a_completed_request_is_reported_once_with_what_it_sent(stage: Stage):
    spoken = await stage.speak(request_id="mine")
    event = stage.finished()
    assert (event.outcome, event.reason, event.voice, event.request_id) == ("completed", "", "tone", "mine")
    assert (event.characters, event.audio_seconds) == (len(TEXT), spoken.audio_seconds)
    assert event.engine_seconds > 0
    assert len(stage.of(FirstAudio)) == 1
    assert {one.stage for one in stage.of(BatchRan)} == {"prepare", "render"}
    assert len(stage.of(TextRead)) == len(stage.of(QueueLeft)) == len(stage.of(AudioEncoded)) == 1


async def test_a_completed_stream_is_reported_once_and_its_first_audio_once(stage: Stage):
    chunks = await stage.streamed()
    assert stage.finished().outcome == "completed"
    assert stage.finished().audio_seconds == pytest.approx(sum(chunk.audio_seconds for chunk in chunks))
    assert len(stage.of(FirstAudio)) == 1
    assert len(stage.of(TextRead)) == len(stage.of(QueueLeft)) == len(stage.of(AudioEncoded)) == 1


async def test_first_audio_is_reported_before_the_first_chunk_is_taken_further(stage: Stage):
    async with contextlib.aclosing(stage.chunks()) as chunks:
        await anext(chunks)
        assert len(stage.of(FirstAudio)) == 1
        assert stage.of(RequestFinished) == []


async def test_a_request_that_is_refused_is_reported_once_without_a_voice(stage: Stage):
    with pytest.raises(InvalidRequest):
        await stage.speak(speaker_id="nobody")
    event = stage.finished()
    assert (event.outcome, event.reason, event.voice, event.audio_seconds) == ("rejected", "VOICE_UNKNOWN", "", 0.0)


async def test_a_request_that_is_not_admitted_is_reported_as_rejected(stage: Stage):
    with contextlib.ExitStack() as held:
        for number in range(-4, 0):
            held.enter_context(stage.scheduler.open(request=number, voice_id="tone", audio_seconds=1.0))
        with pytest.raises(Overloaded):
            await stage.speak()
        with pytest.raises(Overloaded):
            await stage.streamed()
    assert [(e.outcome, e.reason) for e in stage.of(RequestFinished)] == [("rejected", "QUEUE_FULL")] * 2


async def test_a_stream_that_is_closed_early_is_reported_as_cancelled_and_not_rendered_further(stage: Stage):
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
async def test_a_task_that_is_cancelled_is_reported_as_cancelled(stage: Stage, is_whole: bool):
    stage.engine.may_render.clear()
    task = asyncio.ensure_future(stage.speak() if is_whole else stage.streamed())
    assert await asyncio.to_thread(stage.engine.is_rendering.wait, GENEROUS_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stage.finished().outcome, stage.finished().reason) == ("cancelled", "")
    assert stage.of(QueueMoved)[-1:] == [QueueMoved(0, 0)]


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_request_that_the_engine_fails_on_is_reported_as_failed(stage: Stage, is_whole: bool):
    stage.engine.is_broken = True
    with pytest.raises(EngineFailed):
        await (stage.speak() if is_whole else stage.streamed())
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "ENGINE_FAILED")


async def test_a_deadline_that_has_passed_is_reported_as_failed(stage: Stage):
    with pytest.raises(DeadlineUnreachable):
        await stage.synthesizer.speak(SpeechRequest(TEXT), deadline_seconds=0.0)
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "DEADLINE_UNREACHABLE")


async def test_a_draining_server_refuses(stage: Stage):
    await stage.scheduler.drain(0)
    with pytest.raises(NotReady):
        await stage.speak()
    assert (stage.finished().outcome, stage.finished().reason) == ("rejected", "DRAINING")


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_deadline_at_which_grpc_cancels_the_call_is_reported_as_failed(
    stage: Stage, is_whole: bool, clock: Clock
):
    stage.engine.may_render.clear()
    request = SpeechRequest(TEXT, seed=1)

    async def stream() -> None:
        async for _ in stage.synthesizer.speak_in_chunks(request, deadline_seconds=500.0):
            pass

    task = asyncio.ensure_future(stage.synthesizer.speak(request, deadline_seconds=500.0) if is_whole else stream())
    assert await asyncio.to_thread(stage.engine.is_rendering.wait, GENEROUS_SECONDS)
    clock.now += 499.0  # within the hundredth by which a timeout is rounded up on the wire
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stage.finished().outcome, stage.finished().reason) == ("failed", "DEADLINE_UNREACHABLE")


@pytest.mark.parametrize(
    ("after_seconds", "outcome", "reason"),
    [
        pytest.param(500.0, "failed", "DEADLINE_UNREACHABLE", id="after its deadline"),
        pytest.param(100.0, "cancelled", "", id="well before its deadline"),
        pytest.param(200.0, "cancelled", "STREAM_NOT_READ", id="because nobody reads it"),
    ],
)
async def test_a_stream_that_is_closed_early_is_reported_with_the_reason(
    stage: Stage, clock: Clock, after_seconds: float, outcome: str, reason: str
):
    chunks = stage.synthesizer.speak_in_chunks(SpeechRequest("abcdefghijklmnopqrstuvwxyz. " * 9), 500.0)
    await anext(chunks)
    clock.now += after_seconds
    await chunks.aclose()
    assert (stage.finished().outcome, stage.finished().reason) == (outcome, reason)


# --- what is told while a request goes on ----------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (synthesizer_module, delivery_module, request_stats_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.mark.parametrize("is_whole", [False, True])
async def test_every_request_is_reported_from_its_start_to_its_end(stage: Stage, is_whole: bool):
    await stage.made(is_whole, request_id="first")
    with pytest.raises(InvalidRequest):
        await stage.made(is_whole, "", request_id="second")
    kinds = [type(event) for event in stage.events]
    assert kinds[0] is RequestStarted
    assert stage.of(RequestStarted) == [RequestStarted(1, "first"), RequestStarted(2, "second")]
    assert [(event.request, event.request_id) for event in stage.of(RequestFinished)] == [(1, "first"), (2, "second")]
    own = [event for event in stage.events if getattr(event, "request", 1) == 1 and not isinstance(event, QueueMoved)]
    assert isinstance(own[-1], RequestFinished)


async def test_a_finished_request_names_its_language_and_first_audio(stage: Stage):
    await stage.speak()
    (first,) = stage.of(FirstAudio)
    assert (first.request, first.delivery, first.voice) == (1, "whole", "tone")
    assert (stage.finished().language, stage.finished().first_audio_seconds) == ("en-US", first.seconds)


async def test_a_stream_tells_of_its_first_audio_as_such(stage: Stage):
    await stage.streamed()
    (first,) = stage.of(FirstAudio)
    assert (first.request, first.delivery) == (1, "stream")
    assert 0 < first.seconds == stage.finished().first_audio_seconds


async def test_a_request_without_audio_has_no_first(stage: Stage):
    with pytest.raises(InvalidRequest):
        await stage.speak("")
    assert stage.of(FirstAudio) == []
    assert (stage.finished().language, stage.finished().first_audio_seconds) == ("", None)


@pytest.mark.parametrize("given", ["", "two\nlines", "é", "x" * (LONGEST_REQUEST_ID + 1), "\x1b[31m"])
async def test_an_id_that_is_unfit_reaches_no_event_and_one_of_ours_takes_its_place(stage: Stage, given: str):
    if given:
        with pytest.raises(InvalidRequest):
            await stage.speak(request_id=given)
    else:
        assert (await stage.speak(request_id=given)).request.request_id == stage.finished().request_id
    (started,) = stage.of(RequestStarted)
    assert started.request_id == stage.finished().request_id
    assert started.request_id != given
    assert len(started.request_id) == 16
    assert started.request_id.isalnum()


async def test_ids_of_ours_are_all_different(stage: Stage):
    for _ in range(3):
        await stage.speak("a.", request_id="")
    assert len({event.request_id for event in stage.of(RequestStarted)}) == 3


@pytest.mark.parametrize("is_whole", [False, True])
async def test_the_events_of_a_request_come_in_the_order_in_which_they_happen(stage: Stage, is_whole: bool):
    await stage.made(is_whole)
    at = {type(event): number for number, event in reversed(list(enumerate(stage.events)))}  # the first of each kind
    order = (RequestStarted, UtteranceQueued, QueueLeft, BatchRan, UtteranceSpoken, AudioEncoded, RequestFinished)
    assert [at[kind] for kind in order] == sorted(at[kind] for kind in order)
    assert at[BatchRan] < at[FirstAudio] < at[AudioEncoded]
    assert [event.index for event in stage.of(UtteranceQueued)] == [0, 1, 2]
    assert [event.index for event in stage.of(UtteranceSpoken)] == [0, 1, 2]
    assert {event.request for event in (*stage.of(UtteranceQueued), *stage.of(UtteranceSpoken))} == {1}


async def test_every_stage_has_its_time(stage: Stage):
    await stage.speak()
    (text,), (encoded,), (left,) = stage.of(TextRead), stage.of(AudioEncoded), stage.of(QueueLeft)
    assert text.split_seconds > 0
    assert text.phonemize_seconds > 0
    assert (text.characters, text.sentences, text.unknown_phonemes, text.voice) == (len(TEXT), 3, 0, "tone")
    assert left.seconds >= 0
    assert encoded.began < encoded.ended
    assert 0 < encoded.seconds <= encoded.ended - encoded.began
    shares = [member.seconds for batch in stage.of(BatchRan) for member in batch.members]
    assert sum(shares) == pytest.approx(stage.finished().engine_seconds)


async def test_phonemes_that_the_voice_cannot_say_are_counted(stage: Stage):
    await stage.speak("Good. Łódź! Привет.")
    assert [event.unknown_phonemes for event in stage.of(TextRead)] == [3 + 6]


async def test_characters_that_are_not_spoken_are_counted_by_kind(stage: Stage):
    await stage.speak("Good 😀😀 day\x01. Fine.")
    assert [event.unspoken for event in stage.of(TextRead)] == [{"emoji": 2, "control": 1}]


async def test_a_text_of_unknown_phonemes_alone_is_counted_though_it_is_refused(stage: Stage):
    with pytest.raises(InvalidRequest):
        await stage.speak("ŁßłŁßł.")
    assert [(event.unknown_phonemes, event.sentences) for event in stage.of(TextRead)] == [(6, 0)]


# --- a speaker's own pitch -------------------------------------------------------------------------------------

HIGHER = '<speak><prosody pitch="+20Hz">Higher.</prosody></speak>'


@pytest.mark.parametrize("is_whole", [False, True])
async def test_the_log_lines_of_a_call_keep_its_id_while_a_pitch_is_measured_and_after(stage: Stage, is_whole: bool):
    def note(event: Event) -> None:
        if isinstance(event, UtteranceQueued):
            bound.append(structlog.contextvars.get_contextvars().get("request_id"))

    async def call() -> None:
        await stage.made(is_whole, "", ssml=HIGHER, request_id="mine")
        bound.append(structlog.contextvars.get_contextvars().get("request_id"))

    bound: list[object] = []
    stage.sinks = [LogSink(CapturingLogger()), note]
    await asyncio.create_task(call())
    assert bound == ["mine"] * 2


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_measurement_is_no_request_of_its_own(stage: Stage, is_whole: bool):
    await stage.made(is_whole, "", ssml=HIGHER, request_id="mine")
    assert [one.text for one in stage.engine.prepared] == [*PITCH_TEXT.split(), "Higher."]
    assert [event.request_id for event in stage.of(RequestStarted)] == ["mine"]
    assert [event.request_id for event in stage.of(RequestFinished)] == ["mine"]
    assert len(stage.of(FirstAudio)) == len(stage.of(TextRead)) == 1
    events = *stage.of(QueueLeft), *stage.of(UtteranceQueued), *stage.of(UtteranceSpoken)
    [request] = {event.request for event in (*stage.of(RequestFinished), *events)}
    assert len(events) == 3, "none for the measurement"
    owners = [{member.request for member in event.members} for event in stage.of(BatchRan)]
    assert owners[0] == {None}, "the engine worked, and for no request"
    assert owners[-1] == {request}


async def test_a_request_without_hertz_measures_nobody(stage: Stage):
    await stage.speak("", ssml='<speak><prosody pitch="high">Higher.</prosody></speak>')
    assert [one.text for one in stage.engine.prepared] == ["Higher."]


async def test_a_speaker_is_measured_for_the_first_request_alone(stage: Stage):
    for _ in range(2):
        await stage.speak("", ssml=HIGHER)
    assert [one.text for one in stage.engine.prepared] == [*PITCH_TEXT.split(), "Higher.", "Higher."]


# --- silence and marks -----------------------------------------------------------------------------------------

ENDING = '<speak>One.<mark name="a"/><break time="300ms"/><mark name="b"/></speak>'


def marks(timings: Timings | None) -> dict[str, float]:
    assert timings is not None
    return {mark.name: mark.start_seconds for mark in timings.marks}


async def test_a_whole_reply_ends_with_the_silence_of_its_text_and_the_marks_in_it(stage: Stage):
    spoken = await stage.speak("", ssml=ENDING, timing_types=["mark"])
    own_seconds = (await stage.speak("One.")).audio_seconds
    assert spoken.audio_seconds == pytest.approx(own_seconds + 0.3)
    assert not pcm(spoken.audio)[-round(0.3 * RATE_HZ) :].any()
    assert marks(spoken.timings) == {"a": pytest.approx(own_seconds), "b": pytest.approx(own_seconds + 0.3)}


async def test_the_last_chunk_of_a_stream_has_the_silence_of_its_text_and_the_marks_in_it(stage: Stage):
    *_, last = await stage.streamed("", ssml=ENDING, timing_types=["mark"])
    own_seconds = (await stage.speak("One.")).audio_seconds
    assert last.audio_seconds == pytest.approx(0.3)
    assert marks(last.timings) == {"a": pytest.approx(own_seconds), "b": pytest.approx(own_seconds + 0.3)}


# --- chunks, as a player hears them ----------------------------------------------------------------------------


ONE_SENTENCE = "abcdefghijklmnopqrstuvwxyz" * 3


async def test_every_chunk_but_the_first_has_a_gap_and_a_slack(stage: Stage):
    chunks = await stage.streamed()
    sent = stage.of(ChunkSent)
    assert len(sent) == len(chunks) - 1
    assert {(event.request, event.voice) for event in sent} == {(1, "tone")}
    assert all(event.gap_seconds >= 0 for event in sent)


async def test_a_whole_reply_has_no_chunks(stage: Stage):
    await stage.speak()
    assert stage.of(ChunkSent) == []


async def test_a_slow_engine_lets_the_player_run_dry(stage: Stage, clock: Clock):
    steps = stage.engine.may_render = Steps()
    async with contextlib.aclosing(stage.chunks(ONE_SENTENCE)) as chunks:
        steps.step()
        _, first = await anext(chunks)
        following = asyncio.ensure_future(anext(chunks))
        await asyncio.to_thread(lambda: None)  # the reader waits now
        clock.now += 100.0
        steps.step()
        await following
        (sent,) = stage.of(ChunkSent)
        assert sent.gap_seconds == pytest.approx(100.0)
        assert sent.slack_seconds == pytest.approx(first.audio_seconds - 100.0)


async def test_a_slow_reader_does_not(stage: Stage, clock: Clock):
    async with contextlib.aclosing(stage.chunks(ONE_SENTENCE)) as chunks:
        await anext(chunks)
        clock.now += 100.0
        await anext(chunks)
        (sent,) = stage.of(ChunkSent)
        assert sent.gap_seconds == 0.0
        assert sent.slack_seconds >= 0.0


async def test_an_engine_that_keeps_up_leaves_what_it_made_ahead_as_slack(stage: Stage, clock: Clock):
    heard = [chunk.audio_seconds for chunk in await stage.streamed()]
    sent = stage.of(ChunkSent)
    assert [event.gap_seconds for event in sent] == [0.0] * len(sent)
    ahead = [sum(heard[: number + 1]) for number in range(len(sent))]
    assert [event.slack_seconds for event in sent] == pytest.approx(ahead)


# --- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_whole", [False, True])
async def test_text_with_nothing_to_pronounce_is_refused_with_advice(stage: Stage, is_whole: bool):
    with pytest.raises(InvalidRequest, match="nothing to speak") as caught:
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
async def test_a_reply_that_would_be_too_large_states_what_to_do_and_is_not_rendered(stage: Stage, rate_hz: int):
    size = len((await stage.speak(sample_rate_hz=rate_hz)).audio)
    stage.events.clear()
    stage.engine.rendered.clear()
    stage.max_reply_bytes = size - 2
    stage.build()
    with pytest.raises(InvalidRequest, match=f"MiB as LINEAR16 at {rate_hz} Hz.*call SynthesizeStream") as caught:
        await stage.speak(sample_rate_hz=rate_hz)
    assert caught.value.reason == "REPLY_TOO_LARGE"
    assert stage.engine.rendered == []
    assert (stage.finished().outcome, stage.finished().reason) == ("rejected", "REPLY_TOO_LARGE")
    assert b"".join(chunk.audio for chunk in await stage.streamed(sample_rate_hz=rate_hz))


async def test_a_reply_of_exactly_the_limit_is_made(stage: Stage):
    stage.max_reply_bytes = len((await stage.speak()).audio)
    stage.build()
    assert len((await stage.speak()).audio) == stage.max_reply_bytes


async def test_what_a_slow_reader_leaves_is_bounded(stage: Stage):
    text = "abcdefghijklmnopqrstuvwxyz" * 5
    async with contextlib.aclosing(stage.chunks(text)) as chunks:
        await anext(chunks)
        await stage.speak("Others are served meanwhile.")
        await stage.speak("And once more.")
        longest = max((step.plan for step in stage.engine.rendered), key=lambda plan: plan.frames)
        made = sum(step.plan is longest for step in stage.engine.rendered)
        assert 1 < made <= 1 + MAX_UNREAD_STEPS


async def test_the_engine_is_told_whether_the_first_audio_comes_before_the_rest(stage: Stage):
    await stage.speak()
    assert {utterance.is_streamed for utterance in stage.engine.prepared} == {False}
    stage.engine.prepared.clear()
    await stage.streamed()
    assert {utterance.is_streamed for utterance in stage.engine.prepared} == {True}
