"""What the server adds to IndexTTS: `python -m benchmarks.indextts`, in the environment of `make indextts`.

The same library, with a tiny random checkpoint, is called directly and through the server: queue, steps, gRPC, a
client. Both speak the same text with the same noise, in turns, in one process, on one thread of torch. With the
published checkpoint the library takes longer, and the share of all else is smaller.
"""

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.machine import neighbours, this_machine
from benchmarks.tiny_indextts import write_checkpoint
from benchmarks.turns import in_turns, median
from phonoscope.client import Client
from phonoscope.common.grpc_server import bind
from phonoscope.common.logs import configure_logs
from phonoscope.server import build
from phonoscope.server.audio.encode import BYTES_PER_SAMPLE
from phonoscope.server.engines.indextts.conditioning import RecordingFiles
from phonoscope.server.engines.indextts.engine import IndexTtsEngine
from phonoscope.server.engines.indextts.languages import LANGUAGES
from phonoscope.server.engines.indextts.library import SEGMENT_PAUSE_SECONDS, Library, Wish
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.utterance_builder import sentence_seed
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import Recording, Voice

# Arabic, which the library does not normalise: no grammar has to be compiled. Of one, and of several segments.
TEXTS: Final = (
    "مرحبا بالعالم.",
    "مرحبا بالعالم يا صديقي العزيز، كيف حالك في هذا اليوم، نراك غدا إن شاء الله.",
)
LANGUAGE: Final = next(language for language in LANGUAGES if language.code == "ar")
SEED: Final = 7
MAX_OVERHEAD: Final = 0.05
TITLE: Final = "IndexTTS with a tiny checkpoint, medians in turns"
_RATE_HZ: Final = 22_050
RECORDING: Final = Recording.of(np.random.default_rng(1).normal(0, 0.1, 3 * _RATE_HZ).astype(np.float32), _RATE_HZ)


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that passed, seconds of computing of all threads, which a busy machine changes less, and samples."""

    elapsed: float
    cpu: float
    samples: int


class SpeakingEngine(IndexTtsEngine):
    """The engine, with a recording of its own."""

    @property
    def voices(self) -> Sequence[Voice]:
        """A voice that has a recording."""
        return [replace(voice, reference=RECORDING) for voice in super().voices]


def main() -> None:
    """Runs the benchmark and prints its table."""
    rounds = _arguments().rounds
    console = Console()
    console.print(this_machine().line)
    console.print(neighbours().line)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder)
        torch.set_num_threads(1)
        library = Library(folder, "cpu")
        with _served(library) as target, Client(target, timeout_seconds=60.0) as client:
            console.print(_table(library, client, rounds))


def _table(library: Library, client: Client, rounds: int) -> Table:
    table = Table("characters", "segments", "measure", "directly, s", "served, s", "added", "at most 5 %", title=TITLE)
    path, _ = RecordingFiles(library.forget).path(RECORDING)
    for text in TEXTS:
        contenders = {"directly": partial(_directly, library, path, text), "served": partial(_serve, client, text)}
        times = in_turns(rounds, contenders)
        pauses = (len(library.segments) - 1) * round(SEGMENT_PAUSE_SECONDS * _RATE_HZ)
        if {one.samples + pauses for one in times["directly"]} != {one.samples for one in times["served"]}:
            raise RuntimeError("the two did not speak the same audio")
        for measure in ("elapsed", "cpu"):
            pairs = zip(times["served"], times["directly"], strict=True)
            added = median([getattr(own, measure) / getattr(alone, measure) - 1 for own, alone in pairs])
            seconds = [f"{median([getattr(one, measure) for one in times[name]]):.4f}" for name in contenders]
            verdict = "met" if added <= MAX_OVERHEAD else "missed"
            table.add_row(str(len(text)), str(len(library.segments)), measure, *seconds, f"{added:+.1%}", verdict)
    return table


def _directly(library: Library, path: str, text: str) -> Took:
    """Has the library speak a text by itself."""

    def speak() -> int:
        torch.manual_seed(sentence_seed(SEED, 0))
        return sum(len(segment.samples) for segment in library.speak(Wish(text, path, LANGUAGE.code)))

    return _timed(speak)


def _serve(client: Client, text: str) -> Took:
    """Has a client receive all of a text."""

    def speak() -> int:
        return sum(len(chunk.audio) // BYTES_PER_SAMPLE for chunk in client.stream(text, seed=SEED))

    return _timed(speak)


def _timed(speak: Callable[[], int]) -> Took:
    began, cpu = time.perf_counter(), time.process_time()
    samples = speak()
    return Took(time.perf_counter() - began, time.process_time() - cpu, samples)


@contextmanager
def _served(library: Library) -> Iterator[str]:
    """Yields the address of a server that speaks with the library, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server")
    thread.start()
    server = _serving(library)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def _serving(library: Library) -> AsyncIterator[str]:
    settings = ServerSettings(threads=1)
    telemetry = build_telemetry(settings, configure_logs("json", "error"), build.served_methods())
    rpc = build.build_rpc(settings, telemetry)
    engine = SpeakingEngine(library, torch.device("cpu"), telemetry.emit, languages=[LANGUAGE])
    scheduler = build.build_scheduler([engine], telemetry.emit, settings)
    await scheduler.start()
    front_end = TextFrontEnd(Letters())
    synthesizer = build.build_synthesizer(scheduler, [engine], front_end, telemetry.emit, settings)
    port = bind(rpc.server, "127.0.0.1", 0)
    await rpc.server.start()
    rpc.speech.begin(synthesizer)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await rpc.server.stop(None)
        await scheduler.drain(0)
        synthesizer.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    return parser.parse_args()


if __name__ == "__main__":
    main()
