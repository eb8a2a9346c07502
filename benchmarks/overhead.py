"""What the scheduler itself takes, with 32 streams: the time between batches, by the time in them."""

import asyncio
import time
from typing import Final

from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.server.events import BatchRan, Event
from phonoscope.server.scheduler import Scheduler
from phonoscope.server.stream import SpeechStream
from phonoscope.server.types import Utterance

STREAMS: Final = 32
CHARACTERS: Final = 235
MOST_SHARE: Final = 0.02


def measure_overhead(ours: Ours, rounds: int) -> Row:
    """Speaks the passage to 32 readers at once, in this process; the engine always has work until the last ends."""
    shares = [asyncio.run(_share(ours)) for _ in range(rounds)]
    return Row(
        "scheduler",
        f"time between batches by time in them, {STREAMS} streams",
        "share",
        median(shares),
        required=f"under {MOST_SHARE:.0%}",
        is_met=median(shares) < MOST_SHARE,
        samples={"ours": shares},
    )


async def _share(ours: Ours) -> float:
    busy: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, BatchRan):
            busy.append(event.seconds)

    scheduler = Scheduler(ours.engine, emit, most_requests=STREAMS, most_audio_seconds=1e6)
    await scheduler.start()
    voice = ours.voice
    scales = (voice.length_scale, voice.noise_scale, voice.noise_w_scale)
    ids = ours.sentences(TEXTS[CHARACTERS])
    busy.clear()
    began = time.perf_counter()
    streams = [scheduler.open(request=number, audio_seconds=1.0) for number in range(STREAMS)]
    for stream in streams:
        for sentence in ids:
            stream.say(Utterance(voice.id, sentence, voice.default_speaker, *scales, seed=0))
        stream.finish_text()
    await asyncio.gather(*map(_read, streams))
    seconds = time.perf_counter() - began
    await scheduler.drain(0)
    return seconds / sum(busy) - 1


async def _read(stream: SpeechStream) -> None:
    async for _ in stream:
        pass
