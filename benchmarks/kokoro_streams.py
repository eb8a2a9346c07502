"""Kokoro in windows: how early a long sentence begins, what eight streams cost, and what windows change in the sound.

Used by `kokoro.py`. The engine is called as its lane does, without a server.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.turns import in_turns, median
from phonoscope.server.engines.base import Engine, Job
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.precision import log_mel_distance_db
from phonoscope.server.types import Utterance

Samples = NDArray[np.float32]
STREAMS: Final = 8
FIRST_SECONDS: Final = 0.25
LATER_SECONDS: Final = 1.0


def chunks(engine: Engine, utterance: Utterance) -> Iterator[Samples]:
    """Yields the audio of an utterance as its steps make it."""
    job = engine.open(utterance)
    wanted = FIRST_SECONDS
    while (step := job.next_step(wanted)) is not None:
        [result] = engine.run([step])
        if len(result.samples):
            wanted = LATER_SECONDS
            yield result.samples
    engine.close(job)


def spoken(engine: Engine, utterance: Utterance) -> Samples:
    """Returns the audio of an utterance."""
    return np.concatenate(list(chunks(engine, utterance)))


def first_audio(engine: Engine, utterance: Utterance, whole: Callable[[], object], rounds: int) -> Table:
    """Returns how long a stream's first audio takes, against another's whole sentence, in turns."""

    def first() -> float:
        began = time.perf_counter()
        next(chunks(engine, utterance))
        return time.perf_counter() - began

    def other() -> float:
        began = time.perf_counter()
        whole()
        return time.perf_counter() - began

    readings = in_turns(rounds, {"first": first, "whole": other})
    mine, theirs = median(readings["first"]), median(readings["whole"])
    table = Table("ours, first audio", "onnxruntime, whole", "ratio", title="A stream of 235 characters, one sentence")
    table.add_row(f"{mine:.2f} s", f"{theirs:.2f} s", f"{mine / theirs:.2f}")
    return table


def throughput(engine: Engine, utterance: Utterance, rounds: int) -> Table:
    """Returns the audio per second of one stream, and of several whose steps alternate."""

    def together(count: int) -> float:
        jobs: list[Job] = [engine.open(replace(utterance, seed=seed)) for seed in range(count)]
        began, samples = time.perf_counter(), 0
        for job in itertools.cycle(jobs.copy()):
            if job not in jobs:
                continue
            step = job.next_step(LATER_SECONDS)
            if step is None:
                engine.close(job)
                jobs.remove(job)
                if not jobs:
                    break
                continue
            samples += sum(len(result.samples) for result in engine.run([step]))
        return samples / SAMPLE_RATE_HZ / (time.perf_counter() - began)

    readings = in_turns(rounds, {"one": lambda: together(1), "all": lambda: together(STREAMS)})
    one, several = median(readings["one"]), median(readings["all"])
    table = Table("one stream", f"{STREAMS} streams", "ratio", title="Audio seconds per second")
    table.add_row(f"{one:.2f}", f"{several:.2f}", f"{several / one:.2f}")
    return table


def distances(engine: Engine, utterances: Sequence[Utterance]) -> Table:
    """Returns log-mel distances: of a stream from the whole, and of two seeds."""
    streamed, seeds, seams = [], [], []
    for utterance in utterances:
        stream = replace(utterance, is_streamed=True)
        whole = spoken(engine, utterance)
        windows = spoken(engine, stream)
        streamed.append(log_mel_distance_db(windows, whole, SAMPLE_RATE_HZ))
        other = spoken(engine, replace(utterance, seed=utterance.seed + 1))
        seeds.append(log_mel_distance_db(other, whole, SAMPLE_RATE_HZ))
        seams.append(float(np.abs(_with_windows_of(engine, stream, 0.5) - windows).max()))
    table = Table(
        "", "median", "largest", title=f"Log-mel distances of {len(utterances)} sentences of 4 s or more, dB"
    )
    for name, values in (("stream and whole", streamed), ("two seeds, whole", seeds)):
        table.add_row(name, f"{median(values):.2f}", f"{max(values):.2f}")
    table.add_row("windows of 0.5 s and of others, samples", f"{median(seams):.5f}", f"{max(seams):.5f}")
    return table


def _with_windows_of(engine: Engine, utterance: Utterance, seconds: float) -> Samples:
    job, made = engine.open(utterance), []
    while (step := job.next_step(seconds)) is not None:
        made += [result.samples for result in engine.run([step])]
    engine.close(job)
    return np.concatenate(made)
