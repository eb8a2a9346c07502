"""An engine of quite another shape, beside the tone engine on one lane, through the real server.

It is autoregressive: its state grows token by token, nobody knows how long an utterance becomes before it ends, it
speaks one utterance at a time, knows no alignment, renders emotions itself, and speaks like a recording. Adding it
takes this file and a line where the engines are listed.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from phonoscope.client import AsyncClient, Pronunciation, TimingType
from phonoscope.client.errors import DeadlineExceeded, InvalidArgument, ServerError, Unimplemented
from phonoscope.common.grpc_server import bind
from phonoscope.common.logs import configure_logs
from phonoscope.server import build
from phonoscope.server.engines.base import NO_SAMPLES, Job, Step, StepResult, Tuning
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import PhonemeScheme, Recording, Utterance, Voice

TOKEN_SAMPLES = 800
RATE_HZ = 16_000
TOKENS_PER_STEP = 4
GENEROUS_SECONDS = 60.0
TEXT = "Quite a long sentence. And one more."


@dataclass(eq=False)
class MurmurJob:
    """One utterance: the tokens that it has made, which an engine of this kind keeps a cache for."""

    utterance: Utterance
    tokens: list[float] = field(default_factory=list)
    voiced: int = 0

    @property
    def is_complete(self) -> bool:
        """It stops where its text ends; nothing but `run` looks at that."""
        return len(self.tokens) >= len(self.utterance.symbols)

    def next_step(self, audio_seconds: float) -> Step | None:
        if self.is_complete and self.voiced == len(self.tokens):
            return None
        if len(self.tokens) - self.voiced >= TOKENS_PER_STEP or self.is_complete:
            return Step(self, "vocode", self, len(self.tokens) - self.voiced, None)
        return Step(self, "decode", self, 1.0, 0.0)


class MurmurEngine:
    """Makes a level for each character, then samples of several levels at once."""

    name, device, precision = "murmur", "cpu", "float32"
    step_kinds = ("decode", "vocode")
    tuning = Tuning({"decode": 1, "vocode": 1}, max_jobs=1)

    def __init__(self) -> None:
        recording = Recording.of(np.full(RATE_HZ, 0.5, np.float32), RATE_HZ, "A second of something.")
        self.voices = (
            Voice(
                "murmur",
                "en-US",
                RATE_HZ,
                PhonemeScheme("plain", "", {}),
                engine="murmur",
                emotion_rendering="native",
                has_timings=False,
                alphabets=(),
                reference=recording,
            ),
        )
        self.open_jobs: list[MurmurJob] = []
        self.max_open = 0
        self.spoken: list[Utterance] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_decoding = threading.Event()
        self.fails_on = ""

    def warm_up(self) -> None:
        pass

    def idle_work(self) -> int:
        return 0

    def open(self, utterance: Utterance) -> Job:
        if utterance.reference is None:
            raise ValueError("there is no recording to speak like")
        job = MurmurJob(utterance)
        self.open_jobs.append(job)
        self.max_open = max(self.max_open, len(self.open_jobs))
        self.spoken.append(utterance)
        return job

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        [step] = steps
        job = step.job
        assert isinstance(job, MurmurJob)
        if step.kind == "decode":
            self.is_decoding.set()
            assert self.gate.wait(GENEROUS_SECONDS)
            if self.fails_on and self.fails_on in job.utterance.text:
                raise RuntimeError("lost the thread")
            job.tokens.append(0.1 + (ord(job.utterance.symbols[len(job.tokens)]) % 32) / 40)
            return [StepResult(NO_SAMPLES, is_last=False)]
        levels = np.repeat(np.array(job.tokens[job.voiced :], np.float32), TOKEN_SAMPLES)
        job.voiced = len(job.tokens)
        return [StepResult(levels, is_last=job.next_step(0.0) is None)]

    def close(self, job: Job) -> None:
        self.open_jobs.remove(job)


@dataclass
class Running:
    """A server with both engines."""

    murmur: MurmurEngine
    client: AsyncClient
    target: str
    metrics: Any
    events: list[Any]


@asynccontextmanager
async def serving(**changes: object) -> AsyncIterator[Running]:
    """The server as `__main__` builds it, with engines of our own in the place of those that the registry loads."""
    settings = ServerSettings(**changes)
    murmur, events = MurmurEngine(), []
    telemetry = build_telemetry(settings, configure_logs("json", "error"), build.served_methods())
    rpc = build.build_rpc(settings, telemetry)
    engines = [ToneEngine([tone_voice("tone")]), murmur]

    def emit(event: Any) -> None:
        events.append(event)
        telemetry.emit(event)

    scheduler = build.build_scheduler(engines, emit, settings)
    telemetry.metrics.make_voice_series({voice.id: e.step_kinds for e in engines for voice in e.voices})
    telemetry.metrics.watch_engines([e.name for e in engines], scheduler.estimates, scheduler.demand_ratio)
    await scheduler.start()
    synthesizer = build.build_synthesizer(scheduler, engines, TextFrontEnd(Letters()), emit, settings)
    target = f"127.0.0.1:{bind(rpc.server, '127.0.0.1', 0)}"
    await rpc.server.start()
    rpc.speech.begin(synthesizer)
    async with AsyncClient(target) as client:
        yield Running(murmur, client, target, telemetry.registry, events)
    murmur.gate.set()
    await rpc.server.stop(None)
    await scheduler.drain(0)
    synthesizer.close()
    assert murmur.open_jobs == [], "what it holds is freed"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serving() as server:
        yield server


def samples_of(*texts: str) -> int:
    return sum(len(text) * TOKEN_SAMPLES for text in texts)


async def test_it_speaks_whole_and_in_chunks_and_text_that_comes_in_pieces(running: Running) -> None:
    whole = await running.client.synthesize(TEXT, voice="murmur")
    assert (whole.sample_rate_hz, len(whole.audio)) == (RATE_HZ, 2 * samples_of(*TEXT.split(". ", 1), "."))
    chunks = [chunk async for chunk in running.client.stream(TEXT, voice="murmur")]
    assert len(chunks) > 3, "audio comes before the end is known"
    assert b"".join(chunk.audio for chunk in chunks) == whole.audio

    async def pieces() -> AsyncIterator[str]:
        for piece in ("Quite a long", " sentence. And", " one more."):
            yield piece

    spoken = [chunk async for chunk in running.client.stream_pieces(pieces(), voice="murmur")]
    assert b"".join(chunk.audio for chunk in spoken) == whole.audio
    assert running.murmur.max_open == 1, "one utterance at a time"


async def test_it_shares_the_lane_with_the_tone_engine(running: Running) -> None:
    alone = await running.client.synthesize(TEXT, voice="tone", seed=1)
    calls = [running.client.synthesize(TEXT, voice=voice, seed=1) for voice in ("murmur", "tone", "murmur", "tone")]
    spoken = await asyncio.gather(*calls)
    assert spoken[1].audio == spoken[3].audio == alone.audio
    assert spoken[0].audio == spoken[2].audio
    assert running.murmur.max_open == 1
    kinds = {(event.voice, event.stage) for event in running.events if type(event).__name__ == "BatchRan"}
    assert kinds == {("tone", "prepare"), ("tone", "render"), ("murmur", "decode"), ("murmur", "vocode")}


async def test_its_metrics_have_its_own_kinds_of_steps(running: Running) -> None:
    for _ in range(12):
        await running.client.synthesize("Some words of text.", voice="murmur")
    read = running.metrics.get_sample_value
    for kind in ("decode", "vocode"):
        assert read("tts_stage_seconds_count", {"voice_model": "murmur", "stage": kind}) > 0
        assert read("tts_engine_busy_seconds_total", {"voice_model": "murmur", "stage": kind}) > 0
    assert read("tts_stage_seconds_count", {"voice_model": "murmur", "stage": "render"}) is None
    assert read("tts_estimated_real_time_factor", {"engine": "murmur"}) > 0
    assert read("tts_estimated_first_audio_seconds", {"engine": "murmur"}) > 0


async def test_cancelled_in_the_middle_it_is_freed_before_another_step_runs(running: Running) -> None:
    murmur = running.murmur
    murmur.gate.clear()
    stream = running.client.stream(TEXT, voice="murmur")
    first = asyncio.ensure_future(anext(stream))
    assert await asyncio.to_thread(murmur.is_decoding.wait, GENEROUS_SECONDS)
    [job] = murmur.open_jobs
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await stream.aclose()
    await until(lambda: any(type(event).__name__ == "RequestFinished" for event in running.events))
    murmur.gate.set()
    await running.client.synthesize("a", voice="murmur")  # which runs once the lane is free
    assert job not in murmur.open_jobs
    assert len(job.tokens) <= 1


async def test_a_deadline_ends_it_and_frees_it(running: Running) -> None:
    running.murmur.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await running.client.synthesize(TEXT, voice="murmur", timeout_seconds=0.5)
    running.murmur.gate.set()
    await running.client.synthesize("a", voice="murmur")
    assert len(running.murmur.open_jobs) == 0


async def test_an_utterance_that_fails_fails_alone(running: Running) -> None:
    running.murmur.fails_on = "bad"
    calls = [running.client.synthesize(text, voice="murmur") for text in ("a bad one.", "a good one.")]
    bad, good = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(bad, ServerError)
    assert bad.reason == "ENGINE_FAILED"
    assert len(good.audio) == 2 * samples_of("a good one.")


@pytest.mark.parametrize("kind", [TimingType.WORD, TimingType.MARK])
async def test_timings_are_refused_with_the_voices_that_have_them(running: Running, kind: TimingType) -> None:
    with pytest.raises(Unimplemented, match=r"murmur does not support timings.*tone") as caught:
        await running.client.synthesize(TEXT, voice="murmur", timing_types=[kind])
    assert caught.value.reason == "TIMINGS_NOT_SERVED"


async def test_emotions_arrive_untouched(running: Running) -> None:
    weights: Mapping[str, float] = {"happy": 0.5, "sad": 0.25}
    plain = await running.client.synthesize(TEXT, voice="murmur")
    moved = await running.client.synthesize(
        TEXT, voice="murmur", emotion_weights=weights, emotion_intensity=0.5, speed=2.0
    )
    spoken = running.murmur.spoken[-1]
    assert (dict(spoken.emotion_weights), spoken.emotion_intensity) == (weights, 0.5)
    assert (spoken.speed, spoken.variation, spoken.rhythm_variation, spoken.rates) == (2.0, 1.0, 1.0, ())
    assert moved.audio == plain.audio, "no pitch, no loudness is folded in"


async def test_it_reads_text_and_gets_its_recording(running: Running) -> None:
    await running.client.synthesize("Read this.", voice="murmur")
    [spoken] = running.murmur.spoken
    assert (spoken.symbols, spoken.text, spoken.language) == ("Read this.", "Read this.", "en-US")
    assert spoken.reference is running.murmur.voices[0].reference


async def test_phonemes_are_refused_to_a_voice_that_takes_none(running: Running) -> None:
    said = Pronunciation("this", ipa="ðɪs")
    with pytest.raises(InvalidArgument) as caught:
        await running.client.synthesize("Read this.", voice="murmur", pronunciations=[said])
    assert caught.value.reason == "PRONUNCIATION_INVALID"


async def test_a_reader_that_pauses_does_not_keep_others_from_it(running: Running) -> None:
    """It runs to the end of its utterance, and the next caller's turn comes."""
    slow = running.client.stream("x" * 250 + ".", voice="murmur")
    await anext(slow)
    other = await asyncio.wait_for(running.client.synthesize("a", voice="murmur"), GENEROUS_SECONDS)
    assert len(other.audio) == 2 * samples_of("a")
    await slow.aclose()


async def until(is_so: Any) -> None:
    """Waits on the event loop, a turn at a time, until something has happened."""
    for _ in range(100_000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")
