"""Scheduler: admission, batches on the engine thread, deadlines, cancellation, failures, the drain."""

import asyncio
import itertools
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, NotReady, Overloaded
from phonoscope.server.engines.base import EngineLost, Job, Step, StepResult
from phonoscope.server.engines.tone import ToneEngine, ToneJob, tone_voice
from phonoscope.server.events import (
    BatchRan,
    EngineRaised,
    Event,
    LaneLost,
    Member,
    QueueLeft,
    QueueMoved,
    UtteranceQueued,
    UtteranceSpoken,
)
from phonoscope.server.scheduling.admission import Admission
from phonoscope.server.scheduling.policy import EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.types import Utterance

FRAMES = (8, 16, 32)
MAX_BATCH = 4
RATE_HZ = 22_050
GENEROUS_SECONDS = 30.0
ADMISSION = Admission(max_requests=8, max_audio_seconds=1000.0, max_first_audio_seconds=3.0)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
Fault = Callable[[str, Sequence[Utterance]], None]
Spoil = Callable[[Sequence[StepResult]], Sequence[StepResult]]


def utterance(text: str = "one, two, three, four.", **changes: object) -> Utterance:
    ids = tone_voice().phonemes.ids
    plain = Utterance("tone", tuple(ids[sign][0] for sign in text), seed=1)
    return replace(plain, **changes)


def audio_of(*said: Utterance) -> NDArray[np.float32]:
    engine = ToneEngine()
    parts = []
    for one in said:
        job = engine.open(one)
        while step := job.next_step(0.0):
            parts.append(engine.run([step])[0].samples)
    return np.concatenate(parts)


class SteppedEngine:
    """A ToneEngine that writes down its batches, and, while it is held, runs each only when it is let to.

    Attributes:
        calls: the kind of each batch, and its utterances.
        fault: called with each batch, and may raise.
        spoil: changes what each batch gave.
    """

    name, device, precision = "stepped", "cpu", "float32"

    def __init__(self, voices: Sequence[str] = ("tone",)) -> None:
        self._tone = ToneEngine([tone_voice(name) for name in voices], sizes=FRAMES, max_batch=MAX_BATCH)
        self.voices, self.tuning, self.step_kinds = self._tone.voices, self._tone.tuning, self._tone.step_kinds
        self.calls: list[tuple[str, list[Utterance]]] = []
        self.held_jobs: list[Job] = []
        self.is_held = False
        self.fault: Fault = lambda _kind, _batch: None
        self.spoil: Spoil = lambda results: results
        self._reached: queue.Queue[str] = queue.Queue()
        self._permits = threading.Semaphore(0)

    def warm_up(self) -> None:
        self.fault("warm_up", [])

    def idle_work(self) -> int:
        return 0

    def open(self, said: Utterance) -> Job:
        job = self._tone.open(said)
        self.held_jobs.append(job)
        return job

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        kind, batch = steps[0].kind, [said_in(step) for step in steps]
        self.calls.append((kind, batch))
        self._reached.put(kind)
        if self.is_held:
            assert self._permits.acquire(timeout=GENEROUS_SECONDS)
        self.fault(kind, batch)
        return self.spoil(self._tone.run(steps))

    def close(self, job: Job) -> None:
        self.held_jobs.remove(job)
        self._tone.close(job)

    async def reaches(self, kind: str) -> None:
        """Waits until the next batch is at the engine; it must be of that kind."""
        assert await asyncio.to_thread(self._reached.get, timeout=GENEROUS_SECONDS) == kind

    def step(self) -> None:
        """Lets one batch run."""
        self._permits.release()

    def let_go(self) -> None:
        """Lets all batches run from now on."""
        self.is_held = False
        self._permits.release(1000)

    def batches(self, kind: str) -> list[list[Utterance]]:
        return [batch for at, batch in self.calls if at == kind]


def said_in(step: Step) -> Utterance:
    assert isinstance(step.job, ToneJob)
    return step.job.utterance


@dataclass
class Bench:
    """A scheduler on a stepped engine and a clock that stands still."""

    engine: SteppedEngine = field(default_factory=SteppedEngine)
    events: list[Event] = field(default_factory=list)
    now: float = 100.0
    policy: EarliestDeadlineFirst = field(default_factory=EarliestDeadlineFirst)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(
            [self.engine],
            self.events.append,
            admission=ADMISSION,
            policy=self.policy,
            clock=lambda: self.now,
        )

    def open(self, *said: Utterance, audio_seconds: float = 1.0, is_complete: bool = True, **how: object):
        request = next(self.numbers)
        stream = self.scheduler.open(request=request, voice_id="tone", audio_seconds=audio_seconds, **how)
        for one in said:
            stream.say(one)
        if is_complete:
            stream.finish_text()
        return stream

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    before = set(threading.enumerate())
    bench = Bench()
    await bench.scheduler.start()
    yield bench
    bench.engine.let_go()
    await bench.scheduler.drain(0)
    assert not [thread for thread in threading.enumerate() if thread.name == "engine" and thread not in before]
    assert bench.of(QueueMoved)[-1:] in ([], [QueueMoved(0, 0)])
    assert bench.engine.held_jobs == []


async def heard(stream: SpeechStream) -> NDArray[np.float32]:
    async with asyncio.timeout(GENEROUS_SECONDS):
        return np.concatenate([rendered.samples async for rendered in stream])


async def next_of(stream: SpeechStream) -> Rendered:
    async with asyncio.timeout(GENEROUS_SECONDS):
        return await anext(stream)


async def heard_so_far(stream: SpeechStream) -> list[NDArray[np.float32]]:
    """Reads until all utterances that came are spoken."""
    parts = []
    while stream.unspoken_utterances:
        parts.append((await next_of(stream)).samples)
    return parts


# --- speech ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_unary", [False, True])
async def test_a_request_hears_its_utterances_in_order_to_the_last_sample(bench: Bench, is_unary: bool):
    said = [utterance("first, one."), utterance("second, two.", seed=2), utterance("a")]
    with bench.open(*said, is_unary=is_unary) as stream:
        np.testing.assert_array_equal(await heard(stream), audio_of(*said))


async def test_many_requests_at_once_each_hear_their_own(bench: Bench):
    texts = ["a", "bb.", "ccc, c", "dddd dddd dddd.", "e e e", "ffffffffff"]
    bench.engine.is_held = True
    streams = [bench.open(utterance(text, seed=n), is_unary=n % 2 == 0) for n, text in enumerate(texts)]
    bench.engine.let_go()
    for number, (text, audio) in enumerate(zip(texts, await asyncio.gather(*map(heard, streams)), strict=True)):
        np.testing.assert_array_equal(audio, audio_of(utterance(text, seed=number)))
    assert max(len(batch) for _, batch in bench.engine.calls) > 1


async def test_audio_leaves_before_the_rest_is_made(bench: Bench):
    bench.engine.is_held = True
    stream = bench.open(utterance("a long, long sentence, and more of it."))
    bench.engine.step()
    bench.engine.step()
    first = await next_of(stream)
    assert len(first.samples) == 8 * 256
    assert len(bench.engine.batches("render")) <= 2


async def test_utterances_may_come_while_others_are_spoken(bench: Bench):
    stream = bench.open(utterance("first."), is_complete=False)
    first = audio_of(utterance("first."))
    got = []
    while sum(map(len, got)) < len(first):
        got.append((await next_of(stream)).samples)
    stream.say(utterance("then."))
    stream.finish_text()
    both = np.concatenate([*got, await heard(stream)])
    np.testing.assert_array_equal(both, audio_of(utterance("first."), utterance("then.")))


async def test_a_request_that_says_nothing_ends_at_once(bench: Bench):
    with bench.open() as stream:
        assert [rendered async for rendered in stream] == []


async def test_the_engine_time_of_a_request_is_its_share_of_every_batch(bench: Bench):
    def tick(_kind: str, _batch: object) -> None:
        bench.now += 1.0

    bench.engine.fault = tick
    bench.engine.is_held = True
    streams = [bench.open(utterance("same length."), is_unary=True) for _ in range(2)]
    bench.engine.let_go()
    await asyncio.gather(*map(heard, streams))
    ran = sum(event.seconds for event in bench.of(BatchRan))
    assert ran == len(bench.engine.calls)
    assert sum(stream.engine_seconds for stream in streams) == pytest.approx(ran)


async def test_the_time_in_the_queue_is_reported_exactly_once_for_each_request(bench: Bench):
    bench.engine.is_held = True
    first = bench.open(utterance("first."), utterance("more."))
    await bench.engine.reaches("prepare")
    second = bench.open(utterance("second."), utterance("more."))
    bench.now += 7.0
    bench.engine.let_go()
    await asyncio.gather(heard(first), heard(second))
    assert bench.of(QueueLeft) == [QueueLeft(1, "tone", 0.0), QueueLeft(2, "tone", 7.0)]


async def test_a_reader_that_stops_reading_is_rendered_no_further_and_continues_later(bench: Bench):
    stream = bench.open(utterance(ALPHABET * 4))
    other = bench.open(utterance("another, which is read."))
    await heard(other)
    with bench.open(utterance("and one more, to give the engine thread turns.")) as more:
        await heard(more)
    rendered = [said for batch in bench.engine.batches("render") for said in batch]
    assert rendered.count(utterance(ALPHABET * 4)) == MAX_UNREAD_STEPS
    np.testing.assert_array_equal(await heard(stream), audio_of(utterance(ALPHABET * 4)))


# --- what is told of utterances --------------------------------------------------------------------------------


def shares(bench: Bench, stage: str) -> dict[tuple[int, int], float]:
    """Engine seconds by request and utterance, from all batches of a stage."""
    total: dict[tuple[int, int], float] = {}
    for event in bench.of(BatchRan):
        if event.stage == stage:
            for member in event.members:
                owner = (member.request, member.utterance)
                total[owner] = total.get(owner, 0.0) + member.seconds
    return total


async def test_several_utterances_of_one_whole_request_are_distinguished_in_one_batch(bench: Bench):
    bench.engine.fault = lambda _stage, _batch: setattr(bench, "now", bench.now + 6.0)
    bench.engine.is_held = True
    held = bench.open(utterance("hold."), is_unary=True)
    await bench.engine.reaches("prepare")
    several = bench.open(*(utterance("a" * length) for length in (10, 20, 30)), is_unary=True)
    bench.engine.let_go()
    await asyncio.gather(heard(held), heard(several))
    _, batch = [event for event in bench.of(BatchRan) if event.stage == "prepare"]
    assert batch.members == (Member(2, 0, 1.0), Member(2, 1, 2.0), Member(2, 2, 3.0))
    assert batch.seconds == 6.0


@pytest.mark.parametrize("is_unary", [False, True])
async def test_every_second_of_the_engine_is_some_utterances(bench: Bench, is_unary: bool):
    bench.engine.fault = lambda _stage, _batch: setattr(bench, "now", bench.now + 1.0)
    bench.engine.is_held = True
    streams = [bench.open(utterance(f"first of {n}."), utterance("more."), is_unary=is_unary) for n in range(5)]
    bench.engine.let_go()
    await asyncio.gather(*map(heard, streams))
    for stage in ("prepare", "render"):
        told = shares(bench, stage)
        assert set(told) == {(request, index) for request in range(1, 6) for index in range(2)}
        assert sum(told.values()) == pytest.approx(len(bench.engine.batches(stage)))
        assert all(event.seconds == 1.0 for event in bench.of(BatchRan))


async def test_the_utterances_of_a_request_are_reported_in_order(bench: Bench):
    bench.engine.is_held = True
    said = [utterance("abcdefgh."), utterance("ij."), utterance("abcdefghijklmnop.")]
    stream = bench.open(*said)
    assert bench.of(UtteranceQueued) == [UtteranceQueued(1, n, len(one.symbols)) for n, one in enumerate(said)]
    bench.engine.let_go()
    await heard(stream)
    assert bench.of(UtteranceSpoken) == [UtteranceSpoken(1, n) for n in range(3)]
    renders = [event for event in bench.events if isinstance(event, UtteranceSpoken) or is_render(event)]
    for index in range(3):
        last = max(n for n, event in enumerate(renders) if is_render(event) and event.members[0].utterance == index)
        assert renders[last + 1] == UtteranceSpoken(1, index)


def is_render(event: Event) -> bool:
    return isinstance(event, BatchRan) and event.stage == "render"


async def test_an_utterance_that_was_not_rendered_to_its_end_is_not_reported_as_spoken(bench: Bench):
    with bench.open(utterance(ALPHABET * 4)) as stream:
        await next_of(stream)
    await heard(bench.open(utterance("after.")))
    assert bench.of(UtteranceSpoken) == [UtteranceSpoken(2, 0)]


@pytest.mark.parametrize("stage", ["prepare", "render"])
async def test_an_utterance_that_is_tried_again_alone_keeps_its_name(bench: Bench, stage: str):
    said = [utterance(text, rhythm_variation=0.0) for text in ("one good.", "two good.", "one fine.")]
    bench.engine.fault = lambda at, batch: fails_together(at, batch) if at == stage else None
    bench.engine.is_held = True
    held = bench.open(utterance("hold."))
    await bench.engine.reaches("prepare")
    if stage == "prepare":  # a whole request's utterances share a batch
        streams = [bench.open(*said, is_unary=True)]
        owners = [(2, 0), (2, 1), (2, 2)]
    else:
        streams = [bench.open(one) for one in said]
        owners = [(2, 0), (3, 0), (4, 0)]
    bench.engine.let_go()
    for stream, own in zip(streams, [said] if stage == "prepare" else [[one] for one in said], strict=True):
        np.testing.assert_array_equal(await heard(stream), audio_of(*own))
    await heard(held)
    (raised, *_) = bench.of(EngineRaised)
    assert [(member.request, member.utterance) for member in raised.members] == owners
    told = [event.members for event in bench.of(BatchRan) if event.stage == stage]
    assert all(len(members) == 1 for members in told)
    names = [(member.request, member.utterance) for (member,) in told if member.request != 1]
    assert list(dict.fromkeys(names)) == owners


def fails_together(_kind: str, batch: Sequence[Utterance]) -> None:
    if len(batch) > 1:
        raise RuntimeError("one at a time")


# --- admission -------------------------------------------------------------------------------------------------


async def test_more_requests_than_may_be_held_are_refused_until_one_ends(bench: Bench):
    streams = [bench.open(is_complete=False) for _ in range(8)]
    with pytest.raises(Overloaded, match="8 requests") as caught:
        bench.open()
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("QUEUE_FULL", 1.0)
    streams[0].finish_text()
    assert bench.open(is_complete=False)


async def test_more_audio_than_may_be_owed_is_refused_until_some_is_made(bench: Bench):
    big = bench.open(audio_seconds=900.0, is_complete=False)
    with pytest.raises(Overloaded, match="900 s of audio are queued and this request would add 101 s") as caught:
        bench.open(audio_seconds=101.0)
    assert caught.value.reason == "AUDIO_OWED_FULL"
    assert bench.open(audio_seconds=100.0)
    with big:
        pass
    assert bench.open(audio_seconds=101.0)


async def test_a_request_whose_text_grows_is_refused_once_too_much_would_be_owed(bench: Bench):
    growing, _other = (bench.open(audio_seconds=1.0, is_complete=False) for _ in range(2))
    growing.expect(999.0)
    with pytest.raises(Overloaded) as caught:
        growing.expect(999.5)
    assert caught.value.reason == "AUDIO_OWED_FULL"
    assert growing._state.unsent_seconds == 999.0


async def test_alone_a_text_may_grow_to_any_length(bench: Bench):
    stream = bench.open(audio_seconds=1.0, is_complete=False)
    stream.expect(1e6)
    stream.expect(1.0)
    assert stream._state.unsent_seconds == 1e6, "an estimate is never lowered"


async def test_a_request_that_waits_for_its_text_holds_its_place_but_does_not_block_others(bench: Bench):
    idle = [bench.open(utterance("one."), is_complete=False) for _ in range(7)]
    for stream in idle:
        await heard_so_far(stream)
    bench.now += 1000.0  # their players ran dry long ago
    assert len(await heard(bench.open(utterance("two."))))
    bench.open(is_complete=False)
    with pytest.raises(Overloaded) as caught:
        bench.open()
    assert caught.value.reason == "QUEUE_FULL"


async def test_text_that_comes_late_is_spoken(bench: Bench):
    stream = bench.open(utterance("one."), is_complete=False)
    parts = await heard_so_far(stream)
    bench.now += 1000.0
    stream.say(utterance("two."))
    stream.finish_text()
    parts += [rendered.samples async for rendered in stream]
    np.testing.assert_array_equal(np.concatenate(parts), audio_of(utterance("one."), utterance("two.")))


async def test_each_step_gives_what_was_said_with_its_utterance_and_where_it_is_in_it(bench: Bench):
    said = {"first": utterance("one."), "second": utterance("two, three, four, five, six.")}
    stream = bench.open(is_complete=False)
    for context, one in said.items():
        stream.say(one, context)
    stream.finish_text("the end")
    items = [rendered async for rendered in stream]
    assert list(dict.fromkeys(item.context for item in items)) == list(said)
    for context, one in said.items():
        own = [item for item in items if item.context == context]
        lengths = [len(item.samples) for item in own]
        assert [item.start for item in own] == [sum(lengths[:at]) for at in range(len(own))]
        assert [item.audio_seconds for item in own] == [length / RATE_HZ for length in lengths]
        assert all(sum(item.symbol_samples) == len(audio_of(one)) for item in own)
        assert all(len(item.symbol_samples) == len(one.symbols) for item in own)
    assert len(items) > 2
    assert stream.ending == "the end"


async def test_a_reader_that_stopped_reading_does_not_block_others(bench: Bench):
    stalled = bench.open(utterance(ALPHABET * 40))
    await heard(bench.open(utterance("another, which is read, and gives the engine turns.")))
    bench.now += 1000.0
    assert len(await heard(bench.open(utterance("a newcomer."))))
    await next_of(stalled)
    assert stalled._state.due > bench.now, "what lies there has yet to be played"


async def test_an_idle_server_takes_a_request_of_any_length(bench: Bench):
    assert bench.open(audio_seconds=1e6, is_complete=False)
    with pytest.raises(Overloaded):
        bench.open(audio_seconds=0.1)


async def test_a_deadline_that_has_passed_is_refused_at_once(bench: Bench):
    with pytest.raises(DeadlineUnreachable, match="passed before"):
        bench.open(deadline_seconds=0.0)
    assert bench.of(QueueMoved) == []


async def test_no_work_is_done_for_a_request_whose_deadline_passes_in_the_queue(bench: Bench):
    bench.engine.is_held = True
    first = bench.open(utterance("first."))
    await bench.engine.reaches("prepare")
    late = bench.open(utterance("too late."), deadline_seconds=5.0)
    bench.now += 5.0
    bench.engine.let_go()
    await heard(first)
    with pytest.raises(DeadlineUnreachable, match="before the speech was made"):
        await heard(late)
    assert utterance("too late.") not in itertools.chain(*bench.engine.batches("prepare"))


async def test_a_deadline_passes_while_nothing_else_happens():
    # The clock of the machine: what is tested is that the thread wakes by itself.
    scheduler = Scheduler([SteppedEngine()], lambda _event: None, admission=ADMISSION, policy=EarliestDeadlineFirst())
    await scheduler.start()
    with pytest.raises(DeadlineUnreachable):
        await heard(scheduler.open(request=1, voice_id="tone", audio_seconds=1.0, deadline_seconds=0.01))
    await scheduler.drain(0)


async def test_a_whole_reply_that_will_be_too_long_is_refused_before_anything_is_rendered(bench: Bench):
    said = [utterance(f"sentence {letter}, with words.") for letter in "abcdefgh"]
    seconds = len(audio_of(*said)) / RATE_HZ
    with pytest.raises(AudioTooLong) as caught:
        await heard(bench.open(*said, is_unary=True, max_seconds=seconds - 0.01))
    assert seconds - 0.01 < caught.value.audio_seconds <= seconds + 1e-9
    assert bench.engine.batches("render") == []
    assert len(await heard(bench.open(*said, is_unary=True, max_seconds=seconds + 0.01)))


# --- cancellation ----------------------------------------------------------------------------------------------


async def test_a_cancelled_request_is_not_rendered_after_the_turn_under_way(bench: Bench):
    bench.engine.is_held = True
    with bench.open(utterance(ALPHABET * 4)) as stream:
        bench.engine.step()
        bench.engine.step()
        await next_of(stream)
        await bench.engine.reaches("prepare")
        await bench.engine.reaches("render")
        await bench.engine.reaches("render")
    made = len(bench.engine.calls)
    with bench.open(utterance("another.")) as other:
        bench.engine.let_go()
        await heard(other)
    rendered = [said for batch in bench.engine.batches("render")[2:] for said in batch]
    assert len(bench.engine.calls) > made
    assert rendered
    assert all(said == utterance("another.") for said in rendered)


async def test_a_request_cancelled_in_the_queue_never_reaches_the_engine(bench: Bench):
    bench.engine.is_held = True
    first = bench.open(utterance("first."))
    await bench.engine.reaches("prepare")
    with bench.open(utterance("never.")):
        pass
    bench.engine.let_go()
    await heard(first)
    assert utterance("never.") not in itertools.chain(*bench.engine.batches("prepare"))


async def test_every_move_of_the_queue_is_reported_and_it_is_empty_at_the_end(bench: Bench):
    with bench.open(utterance("cancelled."), audio_seconds=3.0, is_complete=False):
        assert bench.of(QueueMoved)[-1] == QueueMoved(1, 3.0)
    assert bench.of(QueueMoved)[-1] == QueueMoved(0, 0.0)
    await heard(bench.open(utterance("spoken.")))
    assert bench.of(QueueMoved)[-1] == QueueMoved(0, 0.0)


async def test_the_queue_is_empty_when_the_text_ends_after_all_of_it_was_spoken(bench: Bench):
    stream = bench.open(utterance("spoken."), is_complete=False)
    length = len(audio_of(utterance("spoken.")))
    while length > 0:
        length -= len((await next_of(stream)).samples)
    stream.finish_text()
    assert [rendered async for rendered in stream] == []
    assert bench.of(QueueMoved)[-1] == QueueMoved(0, 0.0)


# --- failures --------------------------------------------------------------------------------------------------


def fails_for(kind: str, guilty: Utterance) -> Fault:
    def fault(at: str, batch: Sequence[Utterance]) -> None:
        if at == kind and guilty in batch:
            raise RuntimeError("out of order")

    return fault


@pytest.mark.parametrize("stage", ["prepare", "render"])
async def test_a_request_that_the_engine_fails_on_takes_no_batch_mate_with_it(bench: Bench, stage: str):
    # Of one length: they share every batch.
    said = [utterance(text, rhythm_variation=0.0) for text in ("good one.", "bad five.", "fine too.")]
    guilty = said[1]
    bench.engine.fault = fails_for(stage, guilty)
    bench.engine.is_held = True
    held = bench.open(utterance("hold."))
    await bench.engine.reaches("prepare")
    streams = [bench.open(one) for one in said]
    bench.engine.let_go()
    await heard(held)
    results = await asyncio.gather(*map(heard, streams), return_exceptions=True)
    for text_said, result in zip(said, results, strict=True):
        if text_said is guilty:
            assert isinstance(result, EngineFailed)
        else:
            np.testing.assert_array_equal(result, audio_of(text_said))
    raised = [[member.request for member in event.members] for event in bench.of(EngineRaised)]
    assert raised == [[2, 3, 4], [3]]
    assert all((event.stage, str(event.error)) == (stage, "out of order") for event in bench.of(EngineRaised))


async def test_a_request_cancelled_while_its_batch_fails_is_not_tried_again(bench: Bench):
    bench.engine.is_held = True
    held = bench.open(utterance("hold."), is_unary=True)
    await bench.engine.reaches("prepare")
    bench.engine.fault = fails_for("prepare", utterance("bad."))
    bad, mate, gone = (bench.open(utterance(text)) for text in ("bad.", "mate.", "gone."))
    bench.engine.step()
    await bench.engine.reaches("prepare")
    with gone:
        pass
    bench.engine.let_go()
    with pytest.raises(EngineFailed):
        await heard(bad)
    await asyncio.gather(heard(mate), heard(held))
    assert [utterance("gone.")] not in bench.engine.batches("prepare")


def too_few(results: Sequence[StepResult]) -> Sequence[StepResult]:
    return results[:-1]


def too_short(results: Sequence[StepResult]) -> Sequence[StepResult]:
    return [replace(result, samples=result.samples[:-1]) for result in results]


def of_no_length(results: Sequence[StepResult]) -> Sequence[StepResult]:
    return [replace(result, total_samples=0) for result in results]


@pytest.mark.parametrize("spoil", [too_few, too_short, of_no_length])
async def test_an_engine_that_breaks_its_contract_fails_the_request_and_not_the_thread(bench: Bench, spoil: Spoil):
    bench.engine.spoil = spoil
    with pytest.raises(EngineFailed):
        await heard(bench.open(utterance()))
    bench.engine.spoil = lambda results: results
    assert len(await heard(bench.open(utterance())))


async def test_an_error_of_the_warm_up_is_raised_by_start():
    bench = Bench()

    def fault(stage: str, _batch: object) -> None:
        raise RuntimeError(f"no memory in {stage}")

    bench.engine.fault = fault
    with pytest.raises(RuntimeError, match="no memory in warm_up"):
        await bench.scheduler.start()
    await bench.scheduler.drain(0)


async def test_a_start_that_is_cancelled_leaves_no_error_behind():
    bench, warming, goes_on = Bench(), threading.Event(), threading.Event()

    def fault(_kind: str, _batch: object) -> None:
        warming.set()
        goes_on.wait(GENEROUS_SECONDS)

    bench.engine.fault = fault
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    start = asyncio.create_task(bench.scheduler.start())
    await asyncio.to_thread(warming.wait, GENEROUS_SECONDS)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    goes_on.set()
    await bench.scheduler.drain(0)
    assert errors == []


# --- the drain -------------------------------------------------------------------------------------------------


async def test_a_drain_finishes_what_was_accepted_and_refuses_what_is_new(bench: Bench):
    bench.engine.is_held = True
    stream = bench.open(utterance("accepted."))
    draining = asyncio.create_task(bench.scheduler.drain(GENEROUS_SECONDS))
    await asyncio.to_thread(lambda: None)  # the drain has begun: its first act comes before its first wait
    with pytest.raises(NotReady) as caught:
        bench.open(utterance("new."))
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("DRAINING", 1.0)
    bench.engine.let_go()
    np.testing.assert_array_equal(await heard(stream), audio_of(utterance("accepted.")))
    await draining


async def test_a_drain_fails_what_is_not_finished_within_its_bound(bench: Bench):
    stream = bench.open(utterance("accepted."), is_complete=False)
    await bench.scheduler.drain(0)
    with pytest.raises(NotReady, match="shut down before"):
        await heard(stream)


async def test_a_drain_waits_for_the_batch_under_way(bench: Bench):
    bench.engine.is_held = True
    bench.open(utterance("accepted."))
    await bench.engine.reaches("prepare")
    draining = asyncio.create_task(bench.scheduler.drain(0))
    for _ in range(10):  # more turns of the executor than a drain takes that does not wait
        await asyncio.to_thread(lambda: None)
    assert not draining.done()
    bench.engine.let_go()
    await draining


async def test_a_writer_that_is_barely_ahead_of_its_listener_does_not_block_others(bench: Bench):
    slow = bench.open(utterance("one, two, three, four, five, six."), is_complete=False)
    await heard_so_far(slow)
    assert slow._state.sent_seconds > 1.0
    bench.now = slow._state.due - 0.1
    slow.say(utterance("and so on."))
    assert len(await heard(bench.open(utterance("a newcomer."))))


async def test_a_request_without_text_yet_does_not_block_others(bench: Bench):
    silent = bench.open(is_complete=False, audio_seconds=0.0)
    await heard(bench.open(utterance("somebody else, so that the pace is known.")))
    bench.now += 1000.0
    assert len(await heard(bench.open(utterance("a newcomer."))))
    silent.say(utterance("at last."))
    assert bench.open(utterance("another newcomer."), is_complete=False)


async def test_a_text_that_is_still_being_read_counts_with_what_it_will_want(bench: Bench):
    slow_engine(bench)
    await heard(bench.open(utterance("somebody, so that the speed is known.")))
    reading = bench.open(is_complete=False, audio_seconds=5.0)
    with pytest.raises(Overloaded) as caught:
        bench.open(utterance("a newcomer."))
    assert caught.value.reason == "CAPACITY_FULL"
    reading.finish_text()


async def test_a_full_server_is_known_to_be_full_before_anything_is_read(bench: Bench):
    slow_engine(bench)
    bench.scheduler.check_room(is_unary=False)
    await heard(bench.open(utterance("somebody, so that the speed is known.")))
    bench.scheduler.check_room(is_unary=False)
    bench.scheduler.check_room(is_unary=True)
    reading = bench.open(is_complete=False, audio_seconds=5.0)
    with pytest.raises(Overloaded):
        bench.scheduler.check_room(is_unary=False)
    assert bench.of(QueueMoved)[-1].requests == 1
    reading.finish_text()


async def test_what_admission_believes_can_be_seen(bench: Bench):
    assert (bench.scheduler.estimates(), bench.scheduler.demand_ratio()) == ({}, 0.0)
    slow_engine(bench)
    await heard(bench.open(utterance("somebody, so that the speed is known.")))
    estimates = bench.scheduler.estimates()["stepped"]
    assert estimates.real_time_factor > 0
    assert estimates.first_audio_seconds == pytest.approx(1.0, rel=0.2)  # two batches
    assert estimates.slowdown >= 1
    reading = bench.open(is_complete=False, audio_seconds=5.0)
    assert bench.scheduler.demand_ratio() > 1
    reading.finish_text()


def slow_engine(bench: Bench) -> None:
    """From now on each batch takes half a second."""

    def fault(_kind: str, _batch: Sequence[Utterance]) -> None:
        bench.now += 0.5

    bench.engine.fault = fault


async def test_audio_that_nobody_reads_is_not_owed_and_does_not_block_others(bench: Bench):
    unread = bench.open(utterance("a" * 400), audio_seconds=999.0)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while unread._state.unread_steps < MAX_UNREAD_STEPS:  # noqa: ASYNC110  the engine thread makes them
            await asyncio.sleep(0)
    with bench.open(utterance("b"), audio_seconds=999.0) as other:
        await heard(other)
    assert bench.of(QueueMoved)[-1] == QueueMoved(1, 0.0)
    with unread:
        pass


async def test_a_defect_of_the_scheduler_fails_the_requests_held_and_not_the_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    def choose(*_: object) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(bench.policy, "choose", choose)
    with pytest.raises(EngineFailed, match="log"):
        await heard(bench.open(utterance()))
    assert isinstance(bench.of(EngineRaised)[-1].error, ZeroDivisionError)
    assert len(await heard(bench.open(utterance("and on it goes."))))


# --- lost engines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (EngineLost("the device is gone"), "the device is gone"),
        (SystemExit(3), "the engine's thread ended: SystemExit(3)"),
    ],
)
async def test_a_lost_engine_or_a_dead_thread_refuses_who_waits_and_who_comes(
    bench: Bench, error: BaseException, cause: str
):
    def fault(_kind: str, _batch: Sequence[Utterance]) -> None:
        raise error

    bench.engine.fault = fault
    waiting = asyncio.create_task(bench.scheduler.wait_until_lost())
    held = [bench.open(utterance()) for _ in range(3)]
    for stream in held:
        with pytest.raises(NotReady, match="must be restarted") as caught:
            await heard(stream)
        assert caught.value.reason == "ENGINE_LOST"
    await asyncio.wait_for(waiting, GENEROUS_SECONDS)
    assert [event.cause for event in bench.of(LaneLost)] == [cause]
    for refuse in (lambda: bench.open(utterance()), lambda: bench.scheduler.check_room(is_unary=True)):
        with pytest.raises(NotReady) as caught:
            refuse()
        assert (caught.value.reason, caught.value.retry_after_seconds) == ("ENGINE_LOST", 1.0)
    await bench.scheduler.drain(GENEROUS_SECONDS)


# --- what a scheduler of several engines does ------------------------------------------------------------------


async def test_a_request_is_spoken_by_the_engine_of_each_utterances_voice():
    engines = [SteppedEngine([voice]) for voice in ("one", "other")]
    engines[1].name = "another"
    scheduler = Scheduler(engines, lambda _event: None, admission=ADMISSION, policy=EarliestDeadlineFirst())
    await scheduler.start()
    said = [utterance(f"sentence {number}.", voice_id=voice) for number, voice in enumerate(["one", "other", "one"])]
    for request, is_unary in enumerate([False, True], start=1):
        with scheduler.open(request=request, voice_id="one", audio_seconds=1.0, is_unary=is_unary) as stream:
            for one in said:
                stream.say(one)
            stream.finish_text()
            alone = [replace(one, voice_id="tone") for one in said]
            np.testing.assert_array_equal(await heard(stream), audio_of(*alone))
    await scheduler.drain(0)
    voices = [{one.voice_id for _, batch in engine.calls for one in batch} for engine in engines]
    assert voices == [{"one"}, {"other"}]


async def test_a_voice_that_no_engine_has_is_refused_and_holds_no_place(bench: Bench):
    with pytest.raises(KeyError):
        bench.scheduler.open(request=1, voice_id="unheard-of", audio_seconds=1.0)
    assert bench.of(QueueMoved) == []


async def test_a_number_that_is_held_already_is_refused_and_the_first_continues(bench: Bench):
    bench.engine.is_held = True
    stream = bench.open(utterance("first."))
    with pytest.raises(ValueError, match="request 1 is held already"):
        bench.scheduler.open(request=1, voice_id="tone", audio_seconds=1.0)
    bench.engine.let_go()
    np.testing.assert_array_equal(await heard(stream), audio_of(utterance("first.")))


async def test_idle_work_begins_once_it_is_allowed(bench: Bench):
    done = threading.Event()
    bench.engine.idle_work = lambda: done.set() or 0
    assert not done.is_set()
    bench.scheduler.begin_idle_work()
    assert await asyncio.to_thread(done.wait, 10.0)


async def test_a_writer_continues_once_what_it_wrote_is_spoken(bench: Bench):
    async def write(stream: SpeechStream) -> None:
        for number in range(20):
            await stream.wait_until_fewer(1)
            stream.say(utterance(f"sentence {number}."))
        stream.finish_text()

    stream = bench.open(is_complete=False)
    writing = asyncio.create_task(write(stream))
    said = [utterance(f"sentence {number}.") for number in range(20)]
    np.testing.assert_array_equal(await heard(stream), audio_of(*said))
    await writing
