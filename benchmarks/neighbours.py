"""What busy processes on the same machine cost: our server and piper-tts beside the same ones, in turns."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.piper_reference import PiperReference
from benchmarks.rows import Row
from benchmarks.served import Served
from benchmarks.texts import TEXTS
from benchmarks.turns import Spoken, in_turns, median, timed
from phonoscope.loadgen.neighbours import Neighbours
from phonoscope.server.engines.cores import usable_cores

CHARACTERS: Final = 235
PER_CORE: Final = (0.5, 1, 2)
MAX_RATIO: Final = 1.3
SETTLE_SECONDS: Final = 0.5


def measure_neighbours(served: Served, piper: PiperReference, rounds: int) -> Iterator[Row]:
    """Yields the real-time factors of a stream beside 0, 1/2, 1 and 2 busy processes a core, and what they lose."""
    idle = _factors(served, piper, 3 * rounds)
    yield _row("no neighbour", idle)
    for per_core in PER_CORE:
        count = round(per_core * usable_cores())
        with Neighbours(count):
            time.sleep(SETTLE_SECONDS)
            beside = _factors(served, piper, rounds)
        yield _row(f"{count} busy processes", beside)
        yield _loss(f"{count} busy processes", beside, idle)


def _factors(served: Served, piper: PiperReference, rounds: int) -> dict[str, list[float]]:
    text = TEXTS[CHARACTERS]
    readings: dict[str, list[Spoken]] = in_turns(
        rounds,
        {
            "ours": partial(timed, partial(served.speak, text)),
            "piper-tts": partial(timed, partial(piper.speak, text)),
        },
    )
    return {name: [spoken.real_time_factor for spoken in several] for name, several in readings.items()}


def _row(what: str, factors: dict[str, list[float]]) -> Row:
    mine, theirs = median(factors["ours"]), median(factors["piper-tts"])
    return Row("neighbours", f"{CHARACTERS} characters streamed, {what}", "RTF", mine, theirs, samples=factors)


def _loss(what: str, beside: dict[str, list[float]], idle: dict[str, list[float]]) -> Row:
    mine, theirs = (median(beside[name]) / median(idle[name]) for name in ("ours", "piper-tts"))
    return Row(
        "neighbours",
        f"times as long as without, {what}",
        "×",
        mine,
        theirs,
        required=f"at most {MAX_RATIO} × what piper-tts loses",
        is_met=mine <= MAX_RATIO * theirs,
    )
