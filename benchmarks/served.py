"""Our server as its users run it: a process of its own, spoken to over gRPC."""

import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from phonoscope.client import Client
from phonoscope.comparison.server import memory_bytes

STOP_SECONDS: Final = 30.0
READY_SECONDS: Final = 120.0
# Idle work takes some seconds; a server without any is as warm as it gets.
WARM_SECONDS: Final = 60.0
MEBIBYTE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready.

    Attributes:
        address: of its gRPC.
        client: connected to it.
        pid: of its process.
        ready_seconds: from the start of the process until its health was SERVING.
        ready_cpu_seconds: CPU time of the process until then.
    """

    address: str
    client: Client
    pid: int
    ready_seconds: float
    ready_cpu_seconds: float

    def speak(self, text: str) -> float:
        """Streams a whole text; returns the seconds of audio."""
        return sum(chunk.audio_seconds for chunk in self.client.stream(text))

    def first_audio(self, text: str) -> float:
        """Waits for the first message of a stream, then cancels it; returns that message's seconds of audio."""
        stream = self.client.stream(text)
        with contextlib.closing(stream):
            return next(stream).audio_seconds

    def resident_bytes(self) -> int:
        """Returns the memory of the process that is in RAM."""
        return memory_bytes(self.pid, "VmRSS")


@dataclass(frozen=True, slots=True)
class _Log:
    """What a server writes to stderr. Someone must read all of it, or the server would wait for the full pipe."""

    lines: IO[str]
    last: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=20))
    is_warm: threading.Event = field(default_factory=threading.Event)

    def wait_for_port(self) -> int:
        """Reads up to the line that names the port of gRPC.

        Raises:
            RuntimeError: the server ended before that; the message has its last lines.
        """
        for line in self.lines:
            self.last.append(line)
            if line.startswith("{") and (event := json.loads(line)).get("event") == "listening":
                return int(event["port"])
        raise RuntimeError("the server ended before it listened:\n" + "".join(self.last))

    def read_on(self) -> None:
        """Reads what follows, on a thread, until the server ends."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.lines:
            self.last.append(line)
            if '"idle_work_done"' in line:
                self.is_warm.set()


@contextlib.contextmanager
def serving(threads: int, *flags: str, device: str = "cpu") -> Iterator[Served]:
    """Starts a server with the embedded voice alone, yields it once it is SERVING and warm, and stops it.

    Args:
        threads: of its engine.
        flags: more flags of the server.
        device: of its engine.

    Raises:
        RuntimeError: the server ended early.
    """
    with tempfile.TemporaryDirectory() as no_voices:
        options = (
            f"--port 0 --metrics-port 0 --drain-seconds 0 --log-format json --device {device} --threads {threads}"
        )
        command = [sys.executable, "-m", "phonoscope.server", *options.split(), "--voices-dir", no_voices, *flags]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603  our own command
        try:
            assert process.stderr is not None  # noqa: S101  asked for above
            log = _Log(process.stderr)
            port = log.wait_for_port()
            log.read_on()
            with Client(f"127.0.0.1:{port}", timeout_seconds=READY_SECONDS, waits_when_busy=False) as client:
                _wait_until_serving(client)
                ready_seconds = time.perf_counter() - began
                ready_cpu_seconds = _cpu_seconds(process.pid)
                log.is_warm.wait(WARM_SECONDS)
                yield Served(client.target, client, process.pid, ready_seconds, ready_cpu_seconds)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _cpu_seconds(pid: int) -> float:
    """Returns a process's time in user and kernel mode: fields 14 and 15 of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_serving(client: Client) -> None:
    statuses = client.watch_health(timeout_seconds=READY_SECONDS, wait_for_ready=True)
    with contextlib.closing(statuses):
        if not any(status == "SERVING" for status in statuses):
            raise RuntimeError("the server ended its health watch before it was SERVING")
