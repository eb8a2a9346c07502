"""What rude callers cost those that are served: 48 that ignore RetryInfo, beside a closed loop of 4, in turns."""

from collections.abc import Iterator
from typing import Final

from benchmarks.load_run import Target, load
from benchmarks.rows import Row
from benchmarks.served import Served
from benchmarks.turns import median

CALM: Final = "--concurrency 4"
RUDE: Final = "--concurrency 48 --retry-seconds 0.05"
CLOSED: Final = (1, 2, 4, 8)
TURN_SECONDS: Final = 20.0
MIN_GOODPUT: Final = 0.9
MAX_FIRST_AUDIO: Final = 2.0


def measure_overload(served: Served, rounds: int) -> Iterator[Row]:
    """Yields what closed loops of 1 to 8 get, then goodput, first audio and streams run dry with rude callers."""
    target = Target(served.address)
    load(target, CALM, TURN_SECONDS / 2, seed=99)
    alone = []
    for callers in CLOSED:
        result = load(target, f"--concurrency {callers}", TURN_SECONDS)
        refused, dry = sum(result.figures["errors"].values()), result.streams_run_dry
        yield _none(f"{callers} at once: refused, of those heard", refused, result.streams)
        yield _none(f"{callers} at once: run dry, of those heard", dry, result.streams)
        alone.append(result.milliseconds("first_audio_seconds", "p50"))
    turns = [
        (load(target, CALM, TURN_SECONDS, seed=n), load(target, RUDE, TURN_SECONDS, seed=n)) for n in range(rounds)
    ]
    calm, rude = (median([pair[side].goodput for pair in turns]) for side in (0, 1))
    yield Row(
        "overload",
        "48 rude callers: goodput, against 4 calm ones",
        "audio s/s",
        rude,
        calm,
        required=f"at least {MIN_GOODPUT} ×",
        is_met=rude >= MIN_GOODPUT * calm,
    )
    first = median([pair[1].milliseconds("first_audio_seconds", "p50") for pair in turns])
    yield Row(
        "overload",
        "48 rude callers: first audio p50, against 1 at once",
        "ms",
        first,
        alone[0],
        required=f"at most {MAX_FIRST_AUDIO:g} ×",
        is_met=first <= MAX_FIRST_AUDIO * alone[0],
    )
    dry, heard = (sum(getattr(pair[1], name) for pair in turns) for name in ("streams_run_dry", "streams"))
    yield _none("48 rude callers: run dry, of those heard", dry, heard)


def _none(what: str, count: int, heard: int) -> Row:
    return Row("overload", what, "streams", count, heard, required="none", is_met=count == 0)
