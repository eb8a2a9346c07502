"""Whether the server's memory stays where it is: after 10 requests, and after 100."""

from itertools import cycle, islice
from typing import Final

from benchmarks.rows import Row
from benchmarks.served import MEBIBYTE, Served
from benchmarks.texts import TEXTS

# One page in ten requests, so that the first ten have already seen every length.
MIX: Final = (12, 64, 235, 12, 2000, 64, 12, 235, 64, 12)
EARLY_REQUESTS: Final = 10
LATE_REQUESTS: Final = 100
MAX_GROWTH: Final = 1.1


def measure_memory(served: Served) -> Row:
    """Speaks 100 texts of mixed lengths, one after another, to a server that has spoken none yet."""
    resident: dict[int, float] = {}
    for number, characters in enumerate(islice(cycle(MIX), LATE_REQUESTS), start=1):
        served.speak(TEXTS[characters])
        resident[number] = served.resident_bytes() / MEBIBYTE
    early, late = resident[EARLY_REQUESTS], resident[LATE_REQUESTS]
    return Row(
        "memory",
        f"RSS after {LATE_REQUESTS} requests, against after {EARLY_REQUESTS}",
        "MiB",
        late,
        early,
        required=f"at most {MAX_GROWTH} × after {EARLY_REQUESTS}",
        is_met=late <= MAX_GROWTH * early,
        samples={"ours": list(resident.values())},
    )
