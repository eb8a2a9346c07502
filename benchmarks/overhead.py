"""What the scheduler itself takes, with 32 streams: the time between batches, by the time in them."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.server.build import build_scheduler
from phonoscope.server.events import BatchRan, Event
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.scheduling.stream import SpeechStream
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Utterance

STREAMS: Final = 32
CHARACTERS: Final = 235
MAX_SHARE: Final = 0.02


def measure_overhead(voice: Path, threads: int, rounds: int) -> Row:
    """Speaks the passage to 32 readers at once, in this process; the engine always has work until the last ends."""
    # A new scheduler and engine each time: a scheduler that knows the engine's speed would refuse some of the readers.
    shares = [asyncio.run(_share(_loaded(voice, threads))) for _ in range(rounds + 1)]
    del shares[0]  # which met some shapes for the first time
    return Row(
        "scheduler",
        f"time between batches by time in them, {STREAMS} streams",
        "share",
        median(shares),
        required=f"under {MAX_SHARE:.0%}",
        is_met=median(shares) < MAX_SHARE,
        samples={"ours": shares},
    )


def _loaded(voice: Path, threads: int) -> Ours:
    with ThreadPoolExecutor(1) as loader:  # torch's pool of threads ends with it; only the engine thread's is left
        return loader.submit(Ours, voice, threads, is_warm=False).result()


async def _share(ours: Ours) -> float:
    busy: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, BatchRan):
            busy.append(event.seconds)

    settings = ServerSettings(max_requests=STREAMS, max_audio_seconds_owed=1e6)
    scheduler = build_scheduler([ours.engine], emit, settings)
    await scheduler.start()
    seconds = await _speak(scheduler, ours)
    await scheduler.drain(0)
    return seconds / sum(busy) - 1


async def _speak(scheduler: Scheduler, ours: Ours) -> float:
    voice = ours.voice
    ids = ours.sentences(TEXTS[CHARACTERS])
    began = time.perf_counter()
    streams = [scheduler.open(request=number, voice_id=voice.id, audio_seconds=1.0) for number in range(STREAMS)]
    for stream in streams:
        for sentence in ids:
            stream.say(Utterance(voice.id, sentence, voice.default_speaker))
        stream.finish_text()
    await asyncio.gather(*map(_read, streams))
    return time.perf_counter() - began


async def _read(stream: SpeechStream) -> None:
    async for _ in stream:
        pass
