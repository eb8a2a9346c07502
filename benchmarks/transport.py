"""What the way to the engine costs: HTTP/1.1 with JSON and base64, a new connection a call or one kept, against gRPC.

The same engine is behind both, in a server process each; clients are those of this process, which parse the JSON and
decode the base64, as a caller must. Calls take turns. `floor` is the same request without any transport.
"""

import asyncio
import base64
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from benchmarks.rows import Row
from benchmarks.served import MEBIBYTE, memory_bytes, serving
from benchmarks.texts import TEXTS
from benchmarks.tone_server import build_tones, nobody
from benchmarks.turns import median
from phonoscope.client import AsyncClient, ResourceExhausted
from phonoscope.server.types import SpeechRequest

TONE_TEXT: Final = TEXTS[64][:25]  # 100 kB of tones
VOICE_TEXT: Final = TEXTS[64]
MOST_LATENCY: Final = 0.4
LEAST_RATE: Final = 4.0
MOST_CPU: Final = 0.4
IN_FLIGHT: Final = 8
CALLS: Final = 60
FLOOR_CALLS: Final = 240
TURN_SECONDS: Final = 2.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
COMPARED: Final = ("json kept", "grpc unary")

Call = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the engine.

    Attributes:
        call: makes a call; returns the seconds to its first audio.
        pid: of the server's process.
    """

    call: Call
    pid: int

    def cpu_seconds(self) -> float:
        """Returns the CPU time that the server has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mebibytes(self) -> float:
        """Returns the most memory that the server had in RAM."""
        return memory_bytes(self.pid, "VmHWM") / MEBIBYTE


@dataclass(slots=True)
class Figures:
    """What was measured of one way."""

    latency_ms: list[float] = field(default_factory=list)
    first_audio_ms: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Floor:
    """What a request takes without any transport, in milliseconds."""

    latency_ms: float
    cpu_ms: float


def measure_transport(threads: int, rounds: int) -> Iterator[Row]:
    """Yields the rows on the tone engine, which are the transport's, and those on the real voice."""
    with _json_server("tone", 1) as (json_port, json_pid), tone_server() as (grpc_port, grpc_pid):
        floor = asyncio.run(_floor())
        yield Row("transport", "tones: the engine alone, without transport", "ms", floor.latency_ms)
        yield Row("transport", "tones: the engine alone, CPU", "ms", floor.cpu_ms)
        yield from asyncio.run(
            _measure(json_port, json_pid, f"127.0.0.1:{grpc_port}", grpc_pid, TONE_TEXT, rounds, "tones", floor)
        )
    with _json_server("voice", threads) as (json_port, json_pid), serving(threads) as served:
        yield from asyncio.run(
            _measure(json_port, json_pid, served.address, served.pid, VOICE_TEXT, rounds, "voice", None)
        )


async def _measure(
    json_port: int,
    json_pid: int,
    grpc_target: str,
    grpc_pid: int,
    text: str,
    rounds: int,
    kind: str,
    floor: Floor | None,
) -> list[Row]:
    async with _ways(json_port, json_pid, grpc_target, grpc_pid, text) as ways:
        figures = {name: Figures() for name in ways}
        for way in ways.values():
            await _turn(way, Figures())
        for _ in range(rounds):
            for name, way in ways.items():
                await _one_by_one(way, figures[name])
        for _ in range(rounds):
            for name, way in ways.items():
                await _turn(way, figures[name])
        peaks = {name: way.peak_mebibytes() for name, way in ways.items()}
    return list(_rows(kind, figures, peaks, floor))


@contextlib.asynccontextmanager
async def _ways(
    json_port: int, json_pid: int, grpc_target: str, grpc_pid: int, text: str
) -> AsyncIterator[dict[str, Way]]:
    url, body = f"http://127.0.0.1:{json_port}/api/tts", {"text": text}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as kept, AsyncClient(grpc_target) as client:

        async def json_kept() -> float:
            began = time.perf_counter()
            _audio_of(await kept.post(url, json=body))
            return time.perf_counter() - began

        async def json_new() -> float:
            began = time.perf_counter()
            # Without TLS settings, which would take ten times as long to load as the connection to make.
            async with httpx.AsyncClient(trust_env=False, timeout=60, verify=False) as fresh:  # noqa: S501  no TLS here
                _audio_of(await fresh.post(url, json=body))
            return time.perf_counter() - began

        async def unary() -> float:
            began = time.perf_counter()
            await client.synthesize(text, seed=0)
            return time.perf_counter() - began

        async def stream() -> float:
            began, first = time.perf_counter(), 0.0
            while not first:
                try:
                    async for _ in client.stream(text, seed=0):
                        first = first or time.perf_counter() - began
                except ResourceExhausted as full:  # rather than let players run dry: come back when it says
                    await asyncio.sleep(full.retry_after_seconds or 0)
            return first

        yield {
            "json new": Way(json_new, json_pid),
            "json kept": Way(json_kept, json_pid),
            "grpc unary": Way(unary, grpc_pid),
            "grpc stream": Way(stream, grpc_pid),
        }


def _audio_of(reply: httpx.Response) -> bytes:
    return base64.b64decode(reply.raise_for_status().json()["audio_data"])


async def _one_by_one(way: Way, figures: Figures) -> None:
    for _ in range(CALLS):
        began = time.perf_counter()
        figures.first_audio_ms.append(await way.call() * 1000)
        figures.latency_ms.append((time.perf_counter() - began) * 1000)


async def _turn(way: Way, figures: Figures) -> None:
    """Keeps calls in flight for a turn."""
    done, began, cpu = 0, time.perf_counter(), way.cpu_seconds()

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < began + TURN_SECONDS:
            await way.call()
            done += 1

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    figures.rate.append(done / (time.perf_counter() - began))
    figures.cpu_ms.append((way.cpu_seconds() - cpu) / done * 1000)


def _rows(kind: str, figures: dict[str, Figures], peaks: dict[str, float], floor: Floor | None) -> Iterator[Row]:
    base = figures[COMPARED[0]]
    for name, own in figures.items():
        is_asked = floor is not None and name == COMPARED[1]
        what = f"{kind}, {name}"
        yield _row(f"{what}: latency, whole", "ms", own.latency_ms, base.latency_ms)
        if floor is not None:
            limit = MOST_LATENCY if is_asked else None
            yield _row(
                f"{what}: latency less the engine's", "ms", own.latency_ms, base.latency_ms, floor.latency_ms, limit
            )
        yield _row(f"{what}: first audio", "ms", own.first_audio_ms, base.first_audio_ms)
        rate, base_rate = median(own.rate), median(base.rate)
        yield Row(
            "transport",
            f"{what}: calls at {IN_FLIGHT} in flight",
            "1/s",
            rate,
            base_rate,
            required=f"at least {LEAST_RATE} × JSON kept" if is_asked else "",
            is_met=rate >= LEAST_RATE * base_rate if is_asked else None,
        )
        yield _row(
            f"{what}: the server's CPU, a call", "ms", own.cpu_ms, base.cpu_ms, most=MOST_CPU if is_asked else None
        )
        if floor is not None:
            yield _row(f"{what}: CPU less the engine's", "ms", own.cpu_ms, base.cpu_ms, floor.cpu_ms)
        yield Row("transport", f"{what}: the server's peak memory", "MiB", peaks[name], peaks[COMPARED[0]])


def _row(
    what: str, unit: str, own: list[float], base: list[float], less: float = 0.0, most: float | None = None
) -> Row:
    mine, reference = median(own) - less, median(base) - less
    return Row(
        "transport",
        what,
        unit,
        mine,
        reference,
        required="" if most is None else f"at most {most} × JSON kept",
        is_met=None if most is None else mine <= most * reference,
    )


async def _floor() -> Floor:
    """Measures a request in this process, from text to the bytes of the reply."""
    scheduler, synthesizer = build_tones(nobody)
    await scheduler.start()
    taken = []
    cpu = time.process_time()
    for _ in range(FLOOR_CALLS):
        began = time.perf_counter()
        await synthesizer.speak(SpeechRequest(text=TONE_TEXT, seed=0), None)
        taken.append((time.perf_counter() - began) * 1000)
    cpu_ms = (time.process_time() - cpu) / FLOOR_CALLS * 1000
    await scheduler.drain(0)
    synthesizer.close()
    return Floor(median(taken), cpu_ms)


@contextlib.contextmanager
def _json_server(engine: str, threads: int) -> Iterator[tuple[int, int]]:
    with _process("benchmarks.json_server", engine, str(threads)) as (line, pid):
        yield int(line), pid


@contextlib.contextmanager
def tone_server() -> Iterator[tuple[int, int]]:
    """Runs the tone engine behind gRPC; yields its port and process."""
    with _process("benchmarks.tone_server", "none") as (line, pid):
        yield int(line.split()[0]), pid


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """Runs a server that prints where it listens, and ends it by closing its input."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  asked for above
        yield process.stdout.readline(), process.pid
        process.communicate()
