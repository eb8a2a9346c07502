"""Whether the server's memory stays where it is while every request has another length."""

import random
from collections.abc import Iterator
from typing import Final

from benchmarks.rows import Row
from benchmarks.served import MEBIBYTE, Served

SEED: Final = 7
CHARACTERS: Final = (3, 600)
EARLY_REQUESTS: Final = 100
MAX_GROWTH: Final = 1.1
MAX_MEBIBYTES: Final = 700
TEXT: Final = "the quick brown fox jumps over a lazy dog while seven wizards box with jovial quartz liquor daily"


def measure_lengths(served: Served, requests: int) -> Iterator[Row]:
    """Speaks texts of random lengths, one after another, to a server that has spoken none yet.

    Args:
        served: the server.
        requests: how many; more than EARLY_REQUESTS.
    """
    source = random.Random(SEED)  # noqa: S311  texts, no secrets
    resident = [served.resident_bytes() / MEBIBYTE]
    for _ in range(requests):
        served.speak(_text(source, source.randint(*CHARACTERS)))
        resident.append(served.resident_bytes() / MEBIBYTE)
    early, late = resident[EARLY_REQUESTS], resident[-1]
    yield Row(
        "lengths",
        f"RSS after {requests} requests of random lengths, against after {EARLY_REQUESTS}",
        "MiB",
        late,
        early,
        required=f"at most {MAX_GROWTH} × after {EARLY_REQUESTS}",
        is_met=late <= MAX_GROWTH * early,
        samples={"ours": resident},
    )
    yield Row(
        "lengths",
        "highest RSS",
        "MiB",
        max(resident),
        required=f"at most {MAX_MEBIBYTES} MiB",
        is_met=max(resident) <= MAX_MEBIBYTES,
    )


def _text(source: random.Random, characters: int) -> str:
    words = TEXT.split()
    text = source.choice(words)
    while len(text) < characters:
        text += source.choice((" ", " ", " ", ", ", ". ")) + source.choice(words)
    return text[:characters]
