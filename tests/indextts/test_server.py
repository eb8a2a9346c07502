"""The real library behind the real server: whole, in chunks, text in pieces, emotions, cancellation, failures."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from phonoscope.client import AsyncClient, Pronunciation, TimingType
from phonoscope.client.errors import InvalidArgument, ServerError, Unavailable, Unimplemented
from phonoscope.common.grpc_server import bind
from phonoscope.common.logs import configure_logs
from phonoscope.server import build
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.loading import LoadedEngine
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import Event, RequestFinished
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import Recording, Utterance, Voice

RATE_HZ = 22_050
GENEROUS_SECONDS = 60.0
LONG = "مرحبا بالعالم يا صديقي العزيز، كيف حالك في هذا اليوم، نراك غدا إن شاء الله."
TWO = "مرحبا بالعالم. كيف حالك؟"
VOICE = Recording.of(np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32), RATE_HZ)


class Speaking:
    """The engine, whose voices have a recording: in the place of those that named recordings make."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name, self.device, self.precision = engine.name, engine.device, engine.precision
        self.step_kinds, self.tuning = engine.step_kinds, engine.tuning
        self.voices: list[Voice] = [replace(voice, reference=VOICE) for voice in engine.voices]
        self.warm_up, self.idle_work, self.run = engine.warm_up, engine.idle_work, engine.run
        self.open_jobs: list[Any] = []
        self.spoken: list[Utterance] = []

    def open(self, utterance: Utterance) -> Any:
        job = self.engine.open(utterance)
        self.open_jobs.append(job)
        self.spoken.append(utterance)
        return job

    def close(self, job: Any) -> None:
        self.engine.close(job)
        self.open_jobs.remove(job)


@dataclass
class Running:
    """A server, its client, and its engine."""

    client: AsyncClient
    engine: Speaking
    metrics: Any
    events: list[Event]

    @property
    def library(self) -> Any:
        """The library's own object, whose methods tests replace."""
        return self.engine.engine._library._inner  # type: ignore[attr-defined]


@asynccontextmanager
async def serving(loaded: LoadedEngine) -> AsyncIterator[Running]:
    settings = ServerSettings(threads=1)
    own: list[Event] = []
    telemetry = build_telemetry(settings, configure_logs("json", "error"), build.served_methods())
    rpc = build.build_rpc(settings, telemetry)
    speaking = Speaking(loaded.engine)
    engines: list[Any] = [speaking, ToneEngine([tone_voice("tone")])]

    def emit(event: Event) -> None:
        own.append(event)
        telemetry.emit(event)

    loaded.engine._emit = emit  # type: ignore[attr-defined]
    scheduler = build.build_scheduler(engines, emit, settings)
    telemetry.metrics.make_voice_series({voice.id: e.step_kinds for e in engines for voice in e.voices})
    telemetry.metrics.watch_engines([e.name for e in engines], scheduler.estimates, scheduler.demand_ratio)
    await scheduler.start()
    speaking.spoken.clear()
    synthesizer = build.build_synthesizer(scheduler, engines, TextFrontEnd(Letters()), emit, settings)
    target = f"127.0.0.1:{bind(rpc.server, '127.0.0.1', 0)}"
    await rpc.server.start()
    rpc.speech.begin(synthesizer)
    async with AsyncClient(target) as client:
        yield Running(client, speaking, telemetry.registry, own)
    await rpc.server.stop(None)
    await scheduler.drain(0)
    synthesizer.close()
    assert speaking.open_jobs == [], "what it holds is freed"


@pytest.fixture
async def running(loaded: LoadedEngine) -> AsyncIterator[Running]:
    async with serving(loaded) as server:
        yield server


async def test_whole_and_in_chunks_and_text_in_pieces_are_the_same_audio(running: Running) -> None:
    whole = await running.client.synthesize(LONG, voice="indextts-ar", seed=5)
    assert whole.sample_rate_hz == RATE_HZ
    assert whole.audio_seconds > 0.5
    chunks = [chunk async for chunk in running.client.stream(LONG, voice="indextts-ar", seed=5)]
    assert len(chunks) >= 3, "each segment leaves when it is made"
    assert b"".join(chunk.audio for chunk in chunks) == whole.audio

    async def pieces() -> AsyncIterator[str]:
        for piece in (LONG[:9], LONG[9:50], LONG[50:]):
            yield piece

    spoken = [chunk async for chunk in running.client.stream_pieces(pieces(), voice="indextts-ar", seed=5)]
    assert b"".join(chunk.audio for chunk in spoken) == whole.audio


async def test_each_chunk_says_which_sentence_it_speaks(running: Running) -> None:
    async def pieces() -> AsyncIterator[str]:
        yield TWO

    chunks = [chunk async for chunk in running.client.stream_pieces(pieces(), voice="indextts-ar", seed=5)]
    spans = dict.fromkeys(chunk.text_span for chunk in chunks)
    assert list(spans) == [(0, TWO.index(".") + 1), (TWO.index(".") + 2, len(TWO))]


async def test_the_first_request_that_was_ever_written_to_this_service(running: Running) -> None:
    speech = await running.client.synthesize("你好,世界", voice="indextts-zh", emotion="happy")
    assert speech.audio_seconds > 0.05
    [spoken] = running.engine.spoken
    assert (spoken.text, spoken.language, dict(spoken.emotion_weights)) == ("你好,世界", "zh-CN", {"happy": 1.0})


async def test_numbers_reach_the_library_as_they_are_written_and_it_reads_them(running: Running) -> None:
    await running.client.synthesize("今天是2024年。", voice="indextts-zh")
    assert running.engine.spoken[0].text == "今天是2024年。"
    assert list(running.engine.engine._library.segments) == ["今天是二零二四年."]  # type: ignore[attr-defined]


async def test_emotions_are_not_rendered_twice(running: Running) -> None:
    """The engine gets the weights, and nothing is folded into speed, pitch or loudness."""
    await running.client.synthesize(
        TWO, voice="indextts-ar", emotion_weights={"happy": 0.5, "sad": 0.25}, emotion_intensity=0.5, speed=1.25
    )
    spoken = running.engine.spoken[-1]
    assert (dict(spoken.emotion_weights), spoken.emotion_intensity) == ({"happy": 0.5, "sad": 0.25}, 0.5)
    assert (spoken.speed, spoken.variation, spoken.rates) == (1.25, 1.0, ())


async def test_cancelled_it_stops_within_a_segment(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_go_on = threading.Event(), threading.Event()
    spoken: list[int] = []
    generate = running.library.gpt.inference_speech

    def slow(*arguments: Any, **named: Any) -> Any:
        spoken.append(1)
        if len(spoken) == 2:
            began.set()
            assert may_go_on.wait(GENEROUS_SECONDS)
        return generate(*arguments, **named)

    monkeypatch.setattr(running.library.gpt, "inference_speech", slow)
    stream = running.client.stream(LONG + LONG, voice="indextts-ar")
    await anext(stream)
    assert await asyncio.to_thread(began.wait, GENEROUS_SECONDS)
    await stream.aclose()
    await until(lambda: any(isinstance(event, RequestFinished) for event in running.events))
    may_go_on.set()
    await running.client.synthesize("a", voice="tone")  # which runs once the lane is free
    assert len(spoken) == 2
    await running.client.synthesize(TWO, voice="indextts-ar")


async def test_one_job_at_a_time_and_the_same_audio_beside_others(running: Running) -> None:
    alone = await running.client.synthesize(TWO, voice="indextts-ar", seed=2)
    asked = (("indextts-ar", TWO), ("tone", "one"), ("indextts-ar", TWO), ("indextts-zh", "你好。"))
    calls = [running.client.synthesize(text, voice=voice, seed=2) for voice, text in asked]
    together = await asyncio.gather(*calls)
    assert together[0].audio == together[2].audio == alone.audio


async def test_out_of_memory_fails_one_request_and_the_next_one_is_spoken(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(running.library.gpt, "inference_speech", _raising(torch.OutOfMemoryError("CUDA out of memory")))
        with pytest.raises(ServerError) as caught:
            await running.client.synthesize(TWO, voice="indextts-ar")
        assert caught.value.reason == "ENGINE_FAILED"
    assert (await running.client.synthesize(TWO, voice="indextts-ar")).audio_seconds > 0.1


async def test_a_lost_device_ends_the_lane(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.library.gpt, "inference_speech", _raising(RuntimeError("CUDA error: misaligned")))
    monkeypatch.setattr("phonoscope.server.engines.indextts.engine.device_error", str)
    with pytest.raises(Unavailable) as caught:
        await running.client.synthesize(TWO, voice="indextts-ar")
    assert caught.value.reason == "ENGINE_LOST"


async def test_a_text_with_nothing_to_pronounce_is_refused_or_silent(running: Running) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await running.client.synthesize("… ! 😀", voice="indextts-ar")
    assert caught.value.reason == "TEXT_UNPRONOUNCEABLE"
    assert running.engine.spoken == []


async def test_what_it_cannot_do_is_refused(running: Running) -> None:
    with pytest.raises(Unimplemented, match=r"indextts-ar does not support timings.*tone") as caught:
        await running.client.synthesize(TWO, voice="indextts-ar", timing_types=[TimingType.WORD])
    assert caught.value.reason == "TIMINGS_NOT_SERVED"
    with pytest.raises(InvalidArgument) as refused:
        await running.client.synthesize(TWO, voice="indextts-ar", pronunciations=[Pronunciation("كيف", ipa="kajfa")])
    assert refused.value.reason == "PRONUNCIATION_INVALID"


async def test_its_metrics_have_its_steps_and_what_it_keeps_of_recordings(running: Running) -> None:
    await running.client.synthesize(TWO, voice="indextts-ar")
    read = running.metrics.get_sample_value
    for kind in ("condition", "segment"):
        assert read("tts_stage_seconds_count", {"voice_model": "indextts-ar", "stage": kind}) > 0
    assert read("tts_conditioning_recordings", {"engine": "indextts"}) >= 1
    assert read("tts_conditioning_bytes", {"engine": "indextts"}) > 100_000
    assert read("tts_conditioning_lookups_total", {"engine": "indextts", "result": "hit"}) >= 1


def _raising(error: Exception) -> Any:
    def raise_it(*_args: object, **_named: object) -> Iterator[Any]:
        raise error

    return raise_it


async def until(is_so: Any) -> None:
    """Waits on the event loop, a turn at a time, until something has happened."""
    for _ in range(100_000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")
