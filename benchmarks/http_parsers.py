"""What uvicorn's two parsers of HTTP cost the gateway, in turns: `python -m benchmarks.http_parsers`.

A fake backend, so that HTTP is most of the work; one client on one connection. docs/gateway.md reads it.
"""

import asyncio
import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

from benchmarks.machine import this_machine
from benchmarks.turns import median
from phonoscope.common.logs import configure_logs
from phonoscope.gateway.__main__ import Server, uvicorn_config
from phonoscope.gateway.app import endings
from phonoscope.gateway.backend.base import AudioChunk, Encoding
from phonoscope.gateway.backend.fake import FakeBackend
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import build_telemetry

Parser = Literal["httptools", "h11"]
ROUNDS: Final = 5
RESPONSES: Final = ((1, 3_200, 1_000), (20, 32_000, 300), (200, 3_200, 100))
"""Chunks of a response, bytes of a chunk, and requests of a round."""
BODY: Final = json.dumps({"text": "Hello there, this is a sentence."}).encode()
REQUEST: Final = (
    b"POST /v1/speech HTTP/1.1\r\nHost: localhost\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
END: Final = b"\r\n0\r\n\r\n"


def main() -> None:
    """Prints milliseconds of the gateway's processor time for a request, by parser."""
    print(this_machine().cpu)  # noqa: T201
    for chunks, chunk_bytes, requests in RESPONSES:
        readings: dict[str, list[float]] = {parser: [] for parser in get_args(Parser)}
        for _ in range(ROUNDS):
            for parser, samples in readings.items():
                samples.append(_measure(parser, chunks, chunk_bytes, requests))
        cost = ", ".join(f"{parser} {median(samples):.2f} ms" for parser, samples in readings.items())
        print(f"{chunks} chunks of {chunk_bytes} bytes: {cost}")  # noqa: T201


def _measure(parser: str, chunks: int, chunk_bytes: int, requests: int) -> float:
    with _gateway(parser, chunks, chunk_bytes) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(requests):
                _request(connection)
        spent, _ = process.communicate("stop\n")
    return float(spent) / requests * 1000


def _request(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    end = b""
    while not end.endswith(END):
        end = (end + connection.recv(2**18))[-len(END) :]


@contextmanager
def _gateway(parser: str, chunks: int, chunk_bytes: int) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    command = [sys.executable, "-m", "benchmarks.http_parsers", parser, str(chunks), str(chunk_bytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  asked for above
        yield process, int(process.stdout.readline())


async def _serve(parser: Parser, chunks: int, chunk_bytes: int) -> None:
    """Serves on a port, which it prints, until a line arrives; then prints the seconds of processor time spent."""
    settings, logger = GatewaySettings(), configure_logs("json", "error")
    chunk = AudioChunk(bytes(chunk_bytes), 16_000, Encoding.LINEAR16, 0.1, 0, seed=1, request_id="r", voice="v")
    backend = FakeBackend([chunk] * chunks)
    telemetry = build_telemetry(settings, logger, endings())
    config = uvicorn_config(settings, backend, Readiness(backend), telemetry)
    config.http = parser
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        print(listener.getsockname()[1], flush=True)  # noqa: T201
        before = _processor_seconds()
        await asyncio.to_thread(sys.stdin.readline)
        print(_processor_seconds() - before)  # noqa: T201
        server.should_exit = True
        await serving


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))  # type: ignore[arg-type]  # our own
    else:
        main()
