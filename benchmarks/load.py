"""What callers get under load: many at once, below saturation, and beyond it. Piper's own HTTP server takes turns."""

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from benchmarks.load_run import LoadResult, Target, load, piper_serving
from benchmarks.rows import Row
from benchmarks.served import MEBIBYTE, Served
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.client import AudioChunk, ResourceExhausted

AT_ONCE: Final = (1, 4, 16, 32)
COMPARED: Final = 16
TURN_SECONDS: Final = 10.0
OPEN_SECONDS: Final = 20.0
LEAST_GAIN: Final = 1.5
BELOW_SATURATION: Final = 0.75
MAX_SPREAD: Final = 3.0
BEYOND_SATURATION: Final = 3.0
LEAST_GOODPUT: Final = 0.9
MAX_REFUSAL_MS: Final = 5.0
STREAMS_HELD: Final = 32
MAX_STREAM_MEBIBYTES: Final = 4.0
SETTLE_SECONDS: Final = 3.0


def measure_load(served: Served, voice: Path, rounds: int) -> Iterator[Row]:
    """Yields the rows of closed loops, then of open loops at 75 % and at 300 % of the capacity.

    Capacity is the median throughput of the closed loops that keep the engine busy: all but one at a time.
    Goodput is held against the best closed loop, the peak.
    """
    ours = Target(served.address)
    results: list[LoadResult] = []
    with piper_serving(voice) as piper:
        for at_once in AT_ONCE:
            turns = max(2, rounds // 2) if at_once == COMPARED else 1
            pairs = [
                (load(ours, f"--concurrency {at_once}", TURN_SECONDS, seed=turn), _piper(piper, at_once, turn))
                for turn in range(turns)
            ]
            results += [result for result, _ in pairs]
            yield _throughput(at_once, pairs)
    capacity = median([result.audio_rate for result in results if result.figures["plan"]["concurrency"] > 1])
    calls_per_second = capacity / median([result.seconds_of_audio for result in results])
    below = load(ours, f"--rate {BELOW_SATURATION * calls_per_second:.3f}", OPEN_SECONDS)
    yield from _below(below)
    resident = served.resident_bytes()
    beyond = load(ours, f"--rate {BEYOND_SATURATION * calls_per_second:.3f}", OPEN_SECONDS)
    grown = (served.resident_bytes() - resident) / MEBIBYTE
    yield from _beyond(beyond, max(result.audio_rate for result in results), grown)


def _piper(piper: Target, at_once: int, turn: int) -> LoadResult:
    return load(piper, f"--concurrency {at_once}", TURN_SECONDS, seed=turn)


def _throughput(at_once: int, pairs: list[tuple[LoadResult, LoadResult]]) -> Row:
    ours, piper = ([result.audio_rate for result in side] for side in zip(*pairs, strict=True))
    is_required = at_once == COMPARED
    return Row(
        "load",
        f"{at_once} at once",
        "audio s/s",
        median(ours),
        median(piper),
        required=f"at least {LEAST_GAIN} × Piper's HTTP server" if is_required else "",
        is_met=median(ours) >= LEAST_GAIN * median(piper) if is_required else None,
        samples={"ours": ours, "piper": piper, "our streams run dry": [float(o.streams_run_dry) for o, _ in pairs]},
    )


def _below(result: LoadResult) -> Iterator[Row]:
    what = f"at {BELOW_SATURATION:.0%} of capacity"
    yield Row(
        "load",
        f"{what}: streams run dry, of those heard",
        "streams",
        result.streams_run_dry,
        result.streams,
        required="none",
        is_met=result.streams_run_dry == 0,
    )
    p50, p99 = (result.milliseconds("first_audio_seconds", percentile) for percentile in ("p50", "p99"))
    yield Row(
        "load",
        f"{what}: first audio p99, against p50",
        "ms",
        p99,
        p50,
        required=f"at most {MAX_SPREAD:g} × p50",
        is_met=p99 <= MAX_SPREAD * p50,
    )


def _beyond(result: LoadResult, peak: float, grown_mebibytes: float) -> Iterator[Row]:
    what = f"at {BEYOND_SATURATION:g} × the peak"
    yield Row(
        "load",
        f"{what}: goodput, against the peak",
        "audio s/s",
        result.goodput,
        peak,
        required=f"at least {LEAST_GOODPUT} × the peak",
        is_met=result.goodput >= LEAST_GOODPUT * peak,
    )
    p50, p99 = (result.milliseconds("failure_seconds", percentile) for percentile in ("p50", "p99"))
    yield Row(
        "load",
        f"{what}: refusals p50, against p99",
        "ms",
        p50,
        p99,
        required=f"under {MAX_REFUSAL_MS:g} ms",
        is_met=p50 < MAX_REFUSAL_MS,
    )
    yield Row("load", f"{what}: RSS grown", "MiB", grown_mebibytes)


def measure_stream_memory(served: Served) -> Row:
    """Holds one stream that is not read, the worst kind, and then 32 more; returns what each of those took."""
    for _ in range(3):
        served.speak(TEXTS[2000])
    held = [_begun(served)]
    time.sleep(SETTLE_SECONDS)
    one = served.resident_bytes()
    held += [_begun(served) for _ in range(STREAMS_HELD)]
    time.sleep(SETTLE_SECONDS)
    each = (served.resident_bytes() - one) / MEBIBYTE / STREAMS_HELD
    for stream in held:
        stream.close()
    return Row(
        "memory",
        f"each of {STREAMS_HELD} more streams that nobody reads",
        "MiB",
        each,
        required=f"at most {MAX_STREAM_MEBIBYTES:g} MB",
        is_met=each * MEBIBYTE <= MAX_STREAM_MEBIBYTES * 1e6,
    )


def _begun(served: Served) -> Generator[AudioChunk, None, None]:
    """Returns a stream of a page whose first chunk was read; comes back as often as the server asks."""
    while True:
        stream = served.client.stream(TEXTS[2000])
        try:
            next(stream)
        except ResourceExhausted as full:
            time.sleep(full.retry_after_seconds or 1.0)
        else:
            return stream
