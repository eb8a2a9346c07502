"""What the gateway adds: to first audio, beside gRPC in turns; and in memory, for browsers that read slowly or not."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Final

import httpx

from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.client import AsyncClient
from phonoscope.comparison.server import memory_bytes, serving

CALLS: Final = 60
MAX_ADDED_MS: Final = 3.0
SLOW_BROWSERS: Final = 64
KIBIBYTE: Final = 1024
MAX_KIB: Final = 256.0
SETTLE_SECONDS: Final = 5.0
TEXT: Final = TEXTS[235]
LONG_TEXT: Final = TEXTS[2000] * 4


def measure_gateway(rounds: int) -> Iterator[Row]:
    """Yields the rows, on the tone engine."""
    with serving("grpc", "tone") as server, _gateway(server.port) as (port, pid):
        direct, through = asyncio.run(_first_audio(server.port, port, rounds))
        added = median(through) - median(direct)
        yield Row(
            "gateway",
            "first audio over HTTP, beside gRPC",
            "ms",
            median(through),
            median(direct),
            required=f"at most {MAX_ADDED_MS:g} ms more",
            is_met=added <= MAX_ADDED_MS,
            samples={"http": through, "grpc": direct},
        )
        before = memory_bytes(pid, "VmRSS")
        with contextlib.ExitStack() as stack:
            for _ in range(SLOW_BROWSERS):
                stack.enter_context(_slow_browser(port))
            time.sleep(SETTLE_SECONDS)
            grown = (memory_bytes(pid, "VmRSS") - before) / KIBIBYTE / SLOW_BROWSERS
        yield Row(
            "gateway",
            f"memory for each of {SLOW_BROWSERS} browsers that read nothing",
            "KiB",
            grown,
            required=f"at most {MAX_KIB:g} KiB",
            is_met=grown <= MAX_KIB,
        )


async def _first_audio(grpc_port: int, port: int, rounds: int) -> tuple[list[float], list[float]]:
    """Returns the milliseconds to first audio, by gRPC and through the gateway, one call after another."""
    direct: list[float] = []
    through: list[float] = []
    async with (
        AsyncClient(f"127.0.0.1:{grpc_port}", waits_when_busy=False) as client,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http,
    ):

        async def by_grpc() -> float:
            began = time.perf_counter()
            async with contextlib.aclosing(client.stream(TEXT, seed=0)) as chunks:
                await anext(chunks)
                taken = time.perf_counter() - began
                async for _ in chunks:
                    pass
            return taken * 1000

        async def by_http() -> float:
            began = time.perf_counter()
            async with http.stream("POST", "/v1/speech", json={"text": TEXT, "seed": 0}) as reply:
                parts = reply.aiter_raw()
                await anext(parts)
                taken = time.perf_counter() - began
                async for _ in parts:
                    pass
            return taken * 1000

        for number in range(rounds * CALLS + 2):
            for call, readings in ((by_grpc, direct), (by_http, through)):
                taken = await call()
                if number > 1:
                    readings.append(taken)
    return direct, through


@contextlib.contextmanager
def _slow_browser(port: int) -> Iterator[None]:
    """Asks for a long text, and reads nothing of the answer."""
    body = json.dumps({"text": LONG_TEXT}).encode()
    head = (
        f"POST /v1/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        browser.sendall(head.encode() + body)
        yield


@contextlib.contextmanager
def _gateway(grpc_port: int) -> Iterator[tuple[int, int]]:
    """Runs a gateway before a server; yields its port and process."""
    command = [sys.executable, "-m", "phonoscope.gateway", "--port", "0", "--server", f"127.0.0.1:{grpc_port}"]
    command += ["--log-format", "json", "--log-level", "info", "--drain-seconds", "0", "--stop-seconds", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  our own command
        assert process.stderr is not None  # noqa: S101  asked for above
        port = int(json.loads(process.stderr.readline())["port"])
        with _drained(process.stderr):
            yield port, process.pid
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _drained(lines: IO[str]) -> Iterator[None]:
    """Reads what a process writes, so that it never waits for a full pipe."""
    with subprocess.Popen(["cat"], stdin=lines, stdout=subprocess.DEVNULL) as reader:  # noqa: S607
        yield
        reader.wait()
