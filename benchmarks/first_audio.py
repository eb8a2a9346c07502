"""How soon the first audio is there: our server over gRPC against piper-tts in this process, in turns."""

from collections.abc import Iterator
from functools import partial

from benchmarks.piper_reference import PiperReference
from benchmarks.rows import Row
from benchmarks.served import Served
from benchmarks.texts import ONE_SENTENCE, TEXTS
from benchmarks.turns import in_turns, median, timed

MAX_RATIO = 0.25
REQUIRED_CHARACTERS = 235
MAX_GROWTH = 1.3
SHORT, LONG = 64, 2000


def measure_first_audio(served: Served, piper: PiperReference, rounds: int) -> Iterator[Row]:
    """Yields a row for each text, the requirement on the passage of 235 characters, and how little length matters."""
    mine = {}
    for characters, text in TEXTS.items():
        waits = _waits(served, piper, text, rounds)
        mine[characters] = waits["ours"]
        yield _row(f"{characters} characters", waits, is_required=characters == REQUIRED_CHARACTERS)
    yield _growth(mine[LONG], mine[SHORT])
    waits = _waits(served, piper, ONE_SENTENCE, rounds)
    yield _row(f"{len(ONE_SENTENCE)} in one sentence", waits, is_required=False)


def _waits(served: Served, piper: PiperReference, text: str, rounds: int) -> dict[str, list[float]]:
    """Returns each contender's waits for its first audio, in milliseconds."""
    first = in_turns(
        rounds,
        {
            "ours": partial(timed, partial(served.first_audio, text)),
            "piper-tts": partial(timed, partial(piper.first_audio, text)),
        },
    )
    return {name: [spoken.seconds * 1000 for spoken in readings] for name, readings in first.items()}


def _row(what: str, waits: dict[str, list[float]], *, is_required: bool) -> Row:
    mine, theirs = median(waits["ours"]), median(waits["piper-tts"])
    return Row(
        "first audio",
        what,
        "ms",
        mine,
        theirs,
        required=f"at most {MAX_RATIO} × piper-tts" if is_required else "",
        is_met=mine <= MAX_RATIO * theirs if is_required else None,
        samples=waits,
    )


def _growth(long: list[float], short: list[float]) -> Row:
    """Returns the row of a long text's first audio beside a short one's."""
    return Row(
        "first audio",
        f"{LONG} characters beside {SHORT}, both ours",
        "ms",
        median(long),
        median(short),
        required=f"at most {MAX_GROWTH} ×",
        is_met=median(long) <= MAX_GROWTH * median(short),
        samples={str(LONG): long, str(SHORT): short},
    )
