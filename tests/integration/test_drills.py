"""The drills of `phonoscope bench` against a real server in a process of its own: counted, never timed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from phonoscope.client import Client

# Whether callers are admitted depends on what else the machine does.
pytestmark = pytest.mark.alone

GENEROUS_SECONDS = 120.0


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """A server with the embedded voice; its address, and that of its metrics."""
    options = ["--port", "0", "--metrics-port", "0", "--drain-seconds", "0", "--log-format", "json"]
    command = [sys.executable, "-m", "phonoscope.server", *options, "--voices-dir", str(folder)]
    log = folder / "server.log"
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr) as process:
        try:
            yield _ports(log, process)
        finally:
            process.terminate()
            process.wait(GENEROUS_SECONDS)


def _ports(log: Path, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"listening"' in line and (said := json.loads(line)):
                with Client(f"127.0.0.1:{said['port']}") as client:
                    statuses = client.watch_health(timeout_seconds=GENEROUS_SECONDS, wait_for_ready=True)
                    assert "SERVING" in statuses
                return f"127.0.0.1:{said['port']}", f"http://127.0.0.1:{said['metrics_port']}/metrics"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


def bench(address: str, folder: Path, *options: str) -> dict[str, Any]:
    report = folder / "report.json"
    command = [sys.executable, "-m", "phonoscope.cli", "bench", "--server", address, "--json", str(report), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=GENEROUS_SECONDS)
    figures: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return figures


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    folder = tmp_path_factory.mktemp("drills")
    with served(folder) as (address, metrics):
        yield address, metrics, folder


def test_after_many_interruptions_an_idle_server_admits_everybody(server: tuple[str, str, Path]) -> None:
    address, metrics, folder = server
    barge_in = bench(address, folder, "-n", "60", "-d", "0", "--cancel-ratio", "1", "--characters", "100:400")
    assert barge_in["calls"]["cancelled"] + sum(barge_in["errors"].values()) == 60
    after = bench(address, folder, "-n", "6", "-d", "0", "-c", "1", "--deadline", "10")
    assert (after["calls"]["ok"], after["errors"]) == (6, {})
    exposed = httpx.get(metrics, timeout=GENEROUS_SECONDS).text
    assert "\ntts_queue_depth 0.0" in exposed


def test_beside_busy_neighbours_a_caller_is_served(server: tuple[str, str, Path]) -> None:
    address, _, folder = server
    beside = bench(address, folder, "-n", "4", "-d", "0", "-c", "1", "--neighbours", "2")
    assert (beside["calls"]["ok"], beside["errors"]) == (4, {})


def test_beside_busy_neighbours_a_second_caller_is_served_or_asked_to_come_back(
    server: tuple[str, str, Path],
) -> None:
    """Whether there is room for two depends on the machine; other failures do not."""
    address, _, folder = server
    beside = bench(address, folder, "-n", "8", "-d", "0", "-c", "2", "--neighbours", "2")
    assert beside["calls"]["ok"] > 0
    assert set(beside["errors"]) <= {"RESOURCE_EXHAUSTED CAPACITY_FULL"}


def test_impatient_clients_are_refused_in_few_lines_and_leave_nothing_behind(server: tuple[str, str, Path]) -> None:
    address, metrics, folder = server
    rude = bench(address, folder, "-d", "6", "-c", "40", "--retry-seconds", "0.01", "--characters", "200:400")
    assert rude["calls"]["ok"] > 0
    refused = sum(rude["errors"].values())
    assert set(rude["errors"]) == {"RESOURCE_EXHAUSTED CAPACITY_FULL"}
    log = (folder / "server.log").read_text(encoding="utf-8")
    lines = [line for line in log.splitlines() if '"reason": "CAPACITY_FULL"' in line]
    assert 0 < len(lines) < refused / 2
    assert bench(address, folder, "-n", "4", "-d", "0", "-c", "1")["errors"] == {}
    assert "\ntts_queue_depth 0.0" in httpx.get(metrics, timeout=GENEROUS_SECONDS).text
