"""Measures the ways in turns, A B A B, so that whatever else the machine does hits all alike."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from phonoscope.comparison.bare import EngineName, build_tones, nobody
from phonoscope.comparison.server import serving
from phonoscope.comparison.ways import Way, ways
from phonoscope.server.types import SpeechRequest

TEXTS: Final[Mapping[EngineName, str]] = {
    "tone": "The harbour bell rang twi",  # 100 kB of tones
    "voice": "The harbour bell rang twice before the fog swallowed the lights.",
}
IN_FLIGHT: Final = (1, 8)
CALLS: Final = 60
FLOOR_CALLS: Final = 240
TURN_SECONDS: Final = 2.0
MILLISECONDS: Final = 1000.0


@dataclass(slots=True)
class Figures:
    """What was measured of one way, each a value a turn or a call.

    Attributes:
        latency_ms: of whole calls, one after another.
        first_audio_ms: of the same calls.
        calls_per_second, cpu_ms: by calls in flight; CPU is the server's, a call.
        peak_mebibytes: the most memory that the server had.
    """

    latency_ms: list[float] = field(default_factory=list)
    first_audio_ms: list[float] = field(default_factory=list)
    calls_per_second: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in IN_FLIGHT})
    cpu_ms: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in IN_FLIGHT})
    peak_mebibytes: float = 0.0


@dataclass(slots=True)
class Floor:
    """What requests take in one process, without any transport."""

    latency_ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """The ways to one engine.

    Attributes:
        ways: figures by name.
        floor: of the tone engine alone; None for a voice, beside whose work transport disappears.
    """

    engine: EngineName
    ways: dict[str, Figures]
    floor: Floor | None = None


def compare(
    engines: Mapping[EngineName, int], rounds: int, tell: Callable[[str], None], *, calls: int = CALLS
) -> Iterator[Compared]:
    """Measures the ways to each engine.

    Args:
        engines: to compare with, and the CPU threads of each.
        rounds: turns that each way has.
        tell: told what begins.
        calls: one after another in a turn.

    Raises:
        StartupError: a server did not start.
        PhonoscopeClientError: a call failed.
    """
    for engine, threads in engines.items():
        tell(f"{engine}: starting the servers")
        with serving("json", engine, threads) as json_server, serving("grpc", engine, threads) as grpc_server:

            async def measure() -> dict[str, Figures]:
                async with ways(json_server, grpc_server, TEXTS[engine]) as named:  # noqa: B023  runs in this round
                    return await _measured(named, rounds, calls, lambda what: tell(f"{engine}: {what}"))  # noqa: B023

            figures = asyncio.run(measure())
        yield Compared(engine, figures, asyncio.run(_floor()) if engine == "tone" else None)


async def _measured(
    named: Mapping[str, Way], rounds: int, calls: int, tell: Callable[[str], None]
) -> dict[str, Figures]:
    figures = {name: Figures() for name in named}
    for way in named.values():
        await _one_by_one(way, Figures(), 1)
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for name, way in named.items():
            await _one_by_one(way, figures[name], calls)
        for count in IN_FLIGHT:
            for name, way in named.items():
                await _turn(way, figures[name], count)
    for name, way in named.items():
        figures[name].peak_mebibytes = way.peak_mebibytes()
    return figures


async def _one_by_one(way: Way, figures: Figures, calls: int) -> None:
    for _ in range(calls):
        began = time.perf_counter()
        figures.first_audio_ms.append(await way.call() * MILLISECONDS)
        figures.latency_ms.append((time.perf_counter() - began) * MILLISECONDS)


async def _turn(way: Way, figures: Figures, in_flight: int) -> None:
    """Keeps so many calls in flight for a turn."""
    done, began, cpu = 0, time.perf_counter(), way.cpu_seconds()

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < began + TURN_SECONDS:
            await way.call()
            done += 1

    await asyncio.gather(*(work() for _ in range(in_flight)))
    figures.calls_per_second[in_flight].append(done / (time.perf_counter() - began))
    figures.cpu_ms[in_flight].append((way.cpu_seconds() - cpu) / done * MILLISECONDS)


async def _floor() -> Floor:
    """Measures requests in this process, from text to the bytes of the reply."""
    scheduler, synthesizer = build_tones(nobody)
    await scheduler.start()
    floor, cpu = Floor(), time.process_time()
    for _ in range(FLOOR_CALLS):
        began = time.perf_counter()
        await synthesizer.speak(SpeechRequest(text=TEXTS["tone"], seed=0), None)
        floor.latency_ms.append((time.perf_counter() - began) * MILLISECONDS)
    floor.cpu_ms = (time.process_time() - cpu) / FLOOR_CALLS * MILLISECONDS
    await scheduler.drain(0)
    synthesizer.close()
    return floor
