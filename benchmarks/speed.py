"""How fast whole texts are spoken: our engine and piper-tts, in turns, as real-time factors."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from benchmarks.ours import Ours
from benchmarks.piper_reference import PiperReference
from benchmarks.rows import Row
from benchmarks.served import Served
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median, timed

MAX_RATIO = 0.8
# Of the shortest text, where fixed costs dominate.
MAX_SHORTEST_RATIO = 1.0
MAX_STREAMED_RATIO = 0.9


def measure_speed(ours: Ours, piper: PiperReference, rounds: int) -> Iterator[Row]:
    """Yields for each text: text to samples against piper-tts, and ids to samples against the bare session."""
    for characters, text in TEXTS.items():
        contenders = {"ours": partial(ours.speak, text), "piper-tts": partial(piper.speak, text)}
        limit = MAX_SHORTEST_RATIO if characters == min(TEXTS) else MAX_RATIO
        yield _compare("whole text", f"{characters} characters", contenders, rounds, limit)
    for characters, text in TEXTS.items():
        sentences = ours.sentences(text)
        contenders = {"ours": partial(ours.speak_ids, sentences), "session": partial(piper.speak_ids, sentences)}
        yield _compare("engine only", f"{characters} characters", contenders, rounds, None)


def measure_streamed(served: Served, piper: PiperReference, rounds: int) -> Iterator[Row]:
    """Yields for each text: `SynthesizeStream` to its last message, against piper-tts in this process."""
    for characters, text in TEXTS.items():
        contenders = {"ours": partial(served.speak, text), "piper-tts": partial(piper.speak, text)}
        yield _compare("streamed over gRPC", f"{characters} characters", contenders, rounds, MAX_STREAMED_RATIO)


def _compare(
    part: str, what: str, contenders: Mapping[str, Callable[[], float]], rounds: int, limit: float | None
) -> Row:
    readings = in_turns(rounds, {name: partial(timed, speak) for name, speak in contenders.items()})
    factors = {name: [spoken.real_time_factor for spoken in spoken] for name, spoken in readings.items()}
    mine, theirs = (median(values) for values in factors.values())
    return Row(
        part,
        what,
        "RTF",
        mine,
        theirs,
        required="" if limit is None else f"at most {limit} × piper-tts",
        is_met=None if limit is None else mine <= limit * theirs,
        samples=factors,
    )
