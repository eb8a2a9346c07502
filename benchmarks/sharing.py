"""What a server makes of a part of the machine: under a CPU quota, and beside a second server."""

import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from benchmarks.control_group import NoControlGroup, limited
from benchmarks.rows import Row
from benchmarks.served import Served, serving
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median, timed

CHARACTERS: Final = 235
QUOTAS: Final = (1.0, 0.5)
# Two servers on one machine may each take so many times as long as one alone.
MAX_BESIDE_ANOTHER: Final = 2.0 * 1.3


def measure_sharing(threads: int, rounds: int) -> Iterator[Row]:
    """Yields real-time factors under quotas and beside another server; reference: alone, with the whole machine."""
    with serving(threads) as whole:
        for cores in QUOTAS:
            try:
                yield _under_quota(whole, threads, cores, rounds)
            except NoControlGroup as error:
                print(f"not measured: a quota of {cores:g} cores: {error}", file=sys.stderr)  # noqa: T201
        with serving(threads) as second:
            yield _beside(whole, second, rounds)


def _under_quota(whole: Served, threads: int, cores: float, rounds: int) -> Row:
    """Compares a server with a quota, and the threads that it would choose for it, with one that has none."""
    with serving(min(threads, math.ceil(cores))) as small, limited(small.pid, cores):
        factors = in_turns(rounds, {"quota": partial(_factor, small), "whole machine": partial(_factor, whole)})
    mine, theirs = median(factors["quota"]), median(factors["whole machine"])
    share = threads / cores
    return Row(
        "sharing",
        f"{CHARACTERS} characters streamed, a quota of {cores:g} cores",
        "RTF",
        mine,
        theirs,
        required=f"at most {share:g} ×",
        is_met=mine <= share * theirs,
        samples=factors,
    )


def _beside(one: Served, other: Served, rounds: int) -> Row:
    """Compares a server while a second one speaks as well with the same server alone."""

    def both() -> float:
        with ThreadPoolExecutor(2) as callers:
            return median(list(callers.map(_factor, (one, other))))

    contenders: dict[str, Callable[[], float]] = {"both": both, "alone": partial(_factor, one)}
    factors = in_turns(rounds, contenders)
    mine, theirs = median(factors["both"]), median(factors["alone"])
    return Row(
        "sharing",
        f"{CHARACTERS} characters streamed, beside a second server that speaks too",
        "RTF",
        mine,
        theirs,
        required=f"at most {MAX_BESIDE_ANOTHER:g} ×",
        is_met=mine <= MAX_BESIDE_ANOTHER * theirs,
        samples=factors,
    )


def _factor(served: Served) -> float:
    return timed(partial(served.speak, TEXTS[CHARACTERS])).real_time_factor
