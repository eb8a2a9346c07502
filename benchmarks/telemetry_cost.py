"""What watching costs: the tone engine's server with everything that watches, against the same server with nothing.

Four serve at once and are called in turns. The watching ones trace every call, one in ten, or none, and export to a
live collector, which runs on the same cores. Latency is of unary calls one after another; throughput is at 32 in
flight.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import grpc

from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc

TEXT: Final = TEXTS[64]
MAX_ADDED_MEDIAN_MS: Final = 0.4
MAX_ADDED_P99_MS: Final = 1.0
LEAST_THROUGHPUT: Final = 0.95
MAX_SCRAPE_MS: Final = 20.0
SOME: Final = "0.1"
TRACED: Final = {"all": "every call traced", "some": "one in ten traced", "off": "no traces"}
CALLS: Final = 100
IN_FLIGHT: Final = 32
CHANNELS: Final = 4
TURN_SECONDS: Final = 2.0
ROUNDS_PER_ROUND: Final = 2  # a turn here is short; more of them
COLLECTOR_SECONDS: Final = 120.0  # it may have to be installed
COLLECTOR: Final = Path(__file__).parent.parent / ".ci" / "collector"


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone server that serves: its gRPC port, and its metrics' (0 for none)."""

    port: int
    metrics_port: int


def measure_telemetry(rounds: int) -> list[Row]:
    """Measures the servers in turns; returns the rows of the table."""
    with (
        _collector() as endpoint,
        _tone("none") as bare,
        _tone("all", endpoint) as watched,
        _tone("all", endpoint, SOME) as sampled,
        _tone("all") as untraced,
    ):
        servers = {"none": bare, "all": watched, "some": sampled, "off": untraced}
        return asyncio.run(_measure(servers, rounds * ROUNDS_PER_ROUND))


async def _measure(servers: dict[str, Tone], rounds: int) -> list[Row]:
    latencies: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    watched = servers["all"]
    quiet: list[float] = []
    scraped: list[float] = []
    scrapes: list[float] = []
    for server in servers.values():  # warm all
        await _calls(server, CALLS)
        await _rate(server)
    for _ in range(rounds):
        for name, server in servers.items():
            latencies[name] += await _calls(server, CALLS)
    for _ in range(rounds):
        for name, server in servers.items():
            rates[name].append(await _rate(server))
    for _ in range(rounds):
        quiet += await _first_audio(watched)
        scraping = asyncio.create_task(_scrape_every_second(watched, scrapes))
        scraped += await _first_audio(watched)
        scraping.cancel()
        await asyncio.gather(scraping, return_exceptions=True)
    return [
        *(row for name, what in TRACED.items() for row in _call_rows(latencies, rates, name, what)),
        *_scrape_rows(quiet, scraped, scrapes),
    ]


async def _calls(server: Tone, count: int) -> list[float]:
    """Makes unary calls one after another; returns what each took, in milliseconds."""
    request = tts_pb2.SynthesizeRequest(text=TEXT)
    async with _channel(server) as channel:
        stub = _stub(channel)
        await stub.Synthesize(request)
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            await stub.Synthesize(request)
            taken.append((time.perf_counter() - began) * 1000)
    return taken


async def _rate(server: Tone) -> float:
    """Keeps 32 calls in flight for a turn; returns calls per second."""
    request = tts_pb2.SynthesizeRequest(text=TEXT)
    done = 0
    async with contextlib.AsyncExitStack() as stack:
        stubs = [_stub(await stack.enter_async_context(_channel(server))) for _ in range(CHANNELS)]
        end = time.perf_counter() + TURN_SECONDS

        async def work(number: int) -> None:
            nonlocal done
            while time.perf_counter() < end:
                await stubs[number % CHANNELS].Synthesize(request)
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(work(number) for number in range(IN_FLIGHT)))
        return done / (time.perf_counter() - began)


async def _first_audio(server: Tone) -> list[float]:
    """Streams one after another for a turn; returns the milliseconds to each first message."""
    request = tts_pb2.SynthesizeRequest(text=TEXT)
    taken = []
    async with _channel(server) as channel:
        stub = _stub(channel)
        end = time.perf_counter() + TURN_SECONDS
        while time.perf_counter() < end:
            began = time.perf_counter()
            call = stub.SynthesizeStream(request)
            is_first = True
            async for _ in call:
                if is_first:
                    taken.append((time.perf_counter() - began) * 1000)
                    is_first = False
    return taken


async def _scrape_every_second(server: Tone, taken: list[float]) -> None:
    """Scrapes until cancelled; adds the milliseconds of each scrape."""
    while True:
        taken.append(await asyncio.to_thread(_scrape, server))
        await asyncio.sleep(1)


def _scrape(server: Tone) -> float:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.metrics_port}/metrics", headers=accept)
    began = time.perf_counter()
    with urllib.request.urlopen(request) as reply:  # noqa: S310  our own server
        reply.read()
    return (time.perf_counter() - began) * 1000


def _call_rows(
    latencies: dict[str, list[float]], rates: dict[str, list[float]], name: str, traced: str
) -> Iterator[Row]:
    """Yields the rows of one watching server; the requirements are those of tracing everything."""
    quantiles = {"median": (median, MAX_ADDED_MEDIAN_MS), "p99": (_p99, MAX_ADDED_P99_MS)}
    for what, (quantile, max_ms) in quantiles.items():
        ours, bare = quantile(latencies[name]), quantile(latencies["none"])
        yield Row(
            "telemetry",
            f"unary call, {what}, {traced}",
            "ms",
            ours,
            bare,
            f"at most {max_ms:g} ms more",
            is_met=ours - bare <= max_ms,
            samples={"ours": latencies[name], "none": latencies["none"]},
        )
    ours, bare = median(rates[name]), median(rates["none"])
    yield Row(
        "telemetry",
        f"calls at {IN_FLIGHT} in flight, {traced}",
        "1/s",
        ours,
        bare,
        f"ratio at least {LEAST_THROUGHPUT:g}",
        is_met=ours / bare >= LEAST_THROUGHPUT,
        samples={"ours": rates[name], "none": rates["none"]},
    )


def _scrape_rows(quiet: list[float], scraped: list[float], scrapes: list[float]) -> Iterator[Row]:
    taken = median(scrapes)
    yield Row(
        "telemetry",
        "scrape",
        "ms",
        taken,
        None,
        f"under {MAX_SCRAPE_MS:g} ms",
        is_met=taken < MAX_SCRAPE_MS,
        samples={"scrape": scrapes},
    )
    samples = {"scraped": scraped, "not scraped": quiet}
    yield Row("telemetry", "first audio p99, scraped", "ms", _p99(scraped), _p99(quiet), "unchanged", samples=samples)


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _stub(channel: grpc.aio.Channel) -> "tts_pb2_grpc.TextToSpeechAsyncStub":
    """Returns the stub as the type checker should see it: one class serves both kinds of channel."""
    return cast("tts_pb2_grpc.TextToSpeechAsyncStub", tts_pb2_grpc.TextToSpeechStub(channel))


def _channel(server: Tone) -> grpc.aio.Channel:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 8 * 2**20)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options)


@contextlib.contextmanager
def _tone(*arguments: str) -> Iterator[Tone]:
    """Starts a tone server and yields it; its log goes to a file, as a container's would."""
    command = [sys.executable, "-m", "benchmarks.tone_server", *arguments]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(  # noqa: S603  our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdin is not None  # noqa: S101  asked for above
        assert process.stdout is not None  # noqa: S101  asked for above
        port, metrics_port = process.stdout.readline().split()
        try:
            yield Tone(int(port), int(metrics_port))
        finally:
            process.stdin.close()


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    """Runs a collector that takes spans by OTLP over gRPC and forgets them; yields its address."""
    address, other = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    options = ["--otlp-grpc-endpoint", address, "--otlp-http-endpoint", other, "--exporter", "blackhole"]
    with subprocess.Popen([COLLECTOR, *options], stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own command
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=COLLECTOR_SECONDS)
            yield f"http://{address}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
