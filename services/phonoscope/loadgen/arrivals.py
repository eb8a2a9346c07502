"""When the calls of an open loop are due: as independent callers come, by a Poisson process."""

import random
from collections.abc import Iterator


def poisson_arrivals(per_second: float, seed: int) -> Iterator[float]:
    """Yields seconds from the start, ascending and without end; the same seed gives the same ones."""
    chance = random.Random(f"arrivals {seed}")  # noqa: S311 - a load, not a secret
    due = 0.0
    while True:
        due += chance.expovariate(per_second)
        yield due
