"""The four ways to call for speech, each as its callers would: JSON and base64 decoded, replies read to their end."""

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from phonoscope.client import AsyncClient, ResourceExhausted
from phonoscope.comparison.server import LOOPBACK, Contender

JSON_NEW: Final = "JSON, new connection"
JSON_KEPT: Final = "JSON, kept"
GRPC_UNARY: Final = "gRPC unary"
GRPC_STREAM: Final = "gRPC stream"

TIMEOUT_SECONDS: Final = 60.0
MEBIBYTE: Final = 2**20
TICKS: Final = os.sysconf("SC_CLK_TCK")
SEED: Final = 0

Call = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the engine.

    Attributes:
        call: makes a call; returns the seconds to its first audio.
        contender: the server that answers.
    """

    call: Call
    contender: Contender

    def cpu_seconds(self) -> float:
        """Returns the CPU time that the server has used."""
        fields = Path(f"/proc/{self.contender.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mebibytes(self) -> float:
        """Returns the most memory that the server had in RAM."""
        return self.contender.memory_bytes("VmHWM") / MEBIBYTE


@contextlib.asynccontextmanager
async def ways(json_server: Contender, grpc_server: Contender, text: str) -> AsyncIterator[dict[str, Way]]:
    """Yields the ways to have `text` spoken, by name."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as kept,
        AsyncClient(f"{LOOPBACK}:{grpc_server.port}", waits_when_busy=False) as client,
    ):
        url = f"http://{LOOPBACK}:{json_server.port}/api/tts"
        yield {
            JSON_NEW: Way(lambda: _json_new(url, text), json_server),
            JSON_KEPT: Way(lambda: _json(kept, url, text), json_server),
            GRPC_UNARY: Way(lambda: _unary(client, text), grpc_server),
            GRPC_STREAM: Way(lambda: _stream(client, text), grpc_server),
        }


async def _json(http: httpx.AsyncClient, url: str, text: str) -> float:
    began = time.perf_counter()
    reply = await http.post(url, json={"text": text})
    base64.b64decode(reply.raise_for_status().json()["audio_data"])
    return time.perf_counter() - began


async def _json_new(url: str, text: str) -> float:
    began = time.perf_counter()
    # Without TLS settings, which would take ten times as long to load as the connection to make.
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS, verify=False) as fresh:  # noqa: S501
        await _json(fresh, url, text)
    return time.perf_counter() - began


async def _unary(client: AsyncClient, text: str) -> float:
    began = time.perf_counter()
    await client.synthesize(text, seed=SEED)
    return time.perf_counter() - began


async def _stream(client: AsyncClient, text: str) -> float:
    began, first = time.perf_counter(), 0.0
    while not first:
        try:
            async for _ in client.stream(text, seed=SEED):
                first = first or time.perf_counter() - began
        except ResourceExhausted as full:  # rather than let players run dry: come back when it says
            await asyncio.sleep(full.retry_after_seconds or 0)
    return first
