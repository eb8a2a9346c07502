"""The real server under load, a real Prometheus with the real rules that scrapes it, and a receiver of its spans.

All of it is started once for the session, on ports of the system's choice, and ended with it. Of the configuration of
Prometheus only targets and intervals are changed. A second target answers nothing, so that an alert fires.
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from phonoscope.client import Client, DeadlineExceeded, InvalidArgument, NotFound, ResourceExhausted

ROOT = Path(__file__).parents[2]
DEPLOYED = ROOT / "deploy" / "prometheus"
GENEROUS_SECONDS = 180.0
LOCAL = "127.0.0.1"
MAX_REQUESTS = 6
SHORT = "The quick brown fox jumps over the lazy dog."
LONG = " ".join([SHORT] * 8)


class Process:
    """A program of which lines are awaited; it is ended with SIGTERM, and with SIGKILL where that does not help."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PHONOSCOPE_", "OTEL_"))
        }
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
        self._lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr
        for line in itertools.chain(self._process.stderr, [""]):  # the last one is the end
            with self._came:
                self._lines.append(line.rstrip("\n"))
                self._came.notify_all()

    def line(self, words: str) -> str:
        """Waits for a line with these words."""

        def found() -> str | None:
            return next((line for line in self._lines if words in line), None)

        with self._came:
            self._came.wait_for(lambda: found() or "" in self._lines, GENEROUS_SECONDS)
            line = found()
            assert line, f"{self._process.args} did not say {words!r}:\n" + "\n".join(self._lines[-20:])
            return line

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(GENEROUS_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(GENEROUS_SECONDS)
        assert self._process.stderr
        self._process.stderr.close()


class SpanReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP endpoint that remembers the traces of which it has seen spans."""

    def __init__(self) -> None:
        self.trace_ids: set[str] = set()

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.trace_ids |= {span.trace_id.hex() for span in scope.spans}
        return trace_service_pb2.ExportTraceServiceResponse()


class Load:
    """Various clients, repeated until stopped: valid, invalid, impatient, and too many."""

    def __init__(self, target: str, gateway: str) -> None:
        self._browser = httpx.Client(base_url=gateway, timeout=GENEROUS_SECONDS, trust_env=False)
        self.died = threading.Event()
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._clients = [Client(target, waits_when_busy=False) for _ in range(3)]
        rounds = zip((self._calm, self._moved, self._rude), self._clients, strict=True)
        self._threads = [threading.Thread(target=self._repeat, args=round_) for round_ in rounds]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Breaks off what goes on."""
        self._stop.set()
        for client in self._clients:
            client.close()
        for thread in self._threads:
            thread.join(GENEROUS_SECONDS)
        self._browser.close()

    def _repeat(self, round_: Callable[[Client], None], client: Client) -> None:
        try:
            while not self._stop.is_set():
                with contextlib.suppress(ResourceExhausted):  # the crowd may have taken all places
                    round_(client)
        except BaseException as error:  # noqa: BLE001  handed to the test that waits
            if not self._stop.is_set():
                self.errors.append(error)
                self.died.set()

    def _calm(self, client: Client) -> None:
        assert client.health() == "SERVING"
        assert client.voices()
        assert client.synthesize(SHORT).audio
        assert sum(len(chunk.audio) for chunk in client.stream(LONG))
        # The crowd may have taken all places.
        assert self._browser.post("/v1/speech", json={"text": SHORT}).status_code in {200, 429}
        assert self._browser.post("/v1/speech", json={"text": ""}).status_code in {400, 429}

    def _moved(self, client: Client) -> None:
        assert client.synthesize("Hooray!", emotion="auto").audio
        self._stop.wait(1.0)  # leaves the places to the others

    def _rude(self, client: Client) -> None:
        with contextlib.suppress(InvalidArgument, NotFound):
            client.synthesize(SHORT, voice="nobody")
        chunks = client.stream(LONG)
        assert next(chunks).audio
        chunks.close()
        with contextlib.suppress(DeadlineExceeded):
            client.synthesize(LONG, timeout_seconds=0.02)
        with futures.ThreadPoolExecutor(2 * MAX_REQUESTS) as crowd:
            list(crowd.map(lambda _: self._one_of_many(client), range(2 * MAX_REQUESTS)))

    def _one_of_many(self, client: Client) -> None:
        with contextlib.suppress(ResourceExhausted):
            list(client.stream(SHORT))


class Prometheus:
    """Asks a running Prometheus, as Grafana does."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=f"http://{address}/api/v1", timeout=GENEROUS_SECONDS, trust_env=False)

    def ask(self, path: str, **parameters: Any) -> Any:
        """Returns the answer's data, or fails with what Prometheus says is wrong."""
        answer = self._http.get(path, params=parameters).json()
        assert answer["status"] == "success", answer["error"]
        return answer["data"]

    def close(self) -> None:
        self._http.close()


def free_port() -> int:
    with socket.create_server((LOCAL, 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def spans() -> Iterator[tuple[SpanReceiver, int]]:
    """The receiver of spans and its port."""
    receiver = SpanReceiver()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    port = server.add_insecure_port(f"{LOCAL}:0")
    server.start()
    yield receiver, port
    server.stop(None).wait(GENEROUS_SECONDS)


@pytest.fixture(scope="session")
def emotion(spans: tuple[SpanReceiver, int]) -> Iterator[dict[str, Any]]:
    """The emotion service's own words of where it listens; it is ready."""
    settings = {
        "port": 0,
        "metrics-port": 0,
        "log-format": "json",
        "drain-seconds": 0,
        "stop-seconds": 2,
        "otlp-endpoint": f"http://{LOCAL}:{spans[1]}",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    with contextlib.closing(Process([sys.executable, "-m", "phonoscope.emotion", *flags])) as process:
        listening = yaml.safe_load(process.line('"event": "listening"'))
        process.line('"event": "ready"')
        yield listening


@pytest.fixture(scope="session")
def server(
    spans: tuple[SpanReceiver, int], emotion: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The server's own words of where it listens; it is ready."""
    settings = {
        "port": 0,
        "metrics-port": 0,
        "device": "cpu",
        "voices-dir": tmp_path_factory.mktemp("voices"),
        "log-format": "json",
        "max-requests": MAX_REQUESTS,
        "emotion-address": f"{LOCAL}:{emotion['port']}",
        "drain-seconds": 0,
        "stop-seconds": 2,
        "otlp-endpoint": f"http://{LOCAL}:{spans[1]}",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    with contextlib.closing(Process([sys.executable, "-m", "phonoscope.server", *flags])) as process:
        listening = yaml.safe_load(process.line('"event": "listening"'))
        process.line('"event": "ready"')
        yield listening


@pytest.fixture(scope="session")
def gateway(server: dict[str, Any], spans: tuple[SpanReceiver, int]) -> Iterator[int]:
    """The port of a gateway before the server."""
    settings = {
        "port": 0,
        "server": f"{LOCAL}:{server['port']}",
        "log-format": "json",
        "drain-seconds": 0,
        "stop-seconds": 2,
        "otlp-endpoint": f"http://{LOCAL}:{spans[1]}",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    with contextlib.closing(Process([sys.executable, "-m", "phonoscope.gateway", *flags])) as process:
        yield yaml.safe_load(process.line('"event": "listening"'))["port"]


@pytest.fixture(scope="session")
def load(server: dict[str, Any], gateway: int) -> Iterator[Load]:
    with contextlib.closing(Load(f"{LOCAL}:{server['port']}", f"http://{LOCAL}:{gateway}")) as load:
        yield load


@pytest.fixture(scope="session")
def prometheus(
    load: Load, server: dict[str, Any], emotion: dict[str, Any], gateway: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes server, gateway and emotion service under load every second, and itself."""
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("no prometheus on this machine: .ci/check-dashboards gets one")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = {"phonoscope": [f"{LOCAL}:{server['metrics_port']}", f"{LOCAL}:{free_port()}"]}
    others = {"gateway": gateway, "emotion": emotion["metrics_port"], "prometheus": port}
    configure(folder, targets | {job: [f"{LOCAL}:{number}"] for job, number in others.items()})
    flags = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"{LOCAL}:{port}",
        "enable-feature": "exemplar-storage",
    }
    command = [program, *(f"--{name}={value}" for name, value in flags.items())]
    with contextlib.closing(Process(command)) as process:
        process.line("Server is ready to receive web requests")
        with contextlib.closing(Prometheus(f"{LOCAL}:{port}")) as prometheus:
            while len(prometheus.ask("/query", query='up{job="phonoscope"}')["result"]) < 2:
                assert not load.died.wait(0.25), load.errors
            yield prometheus


def configure(folder: Path, targets: dict[str, list[str]]) -> None:
    """Writes the deployed configuration and rules with other targets, intervals of a second, and no patience."""
    config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"] = []
    for scrape in config["scrape_configs"]:
        for key in ("scrape_interval", "scrape_timeout", "dns_sd_configs"):
            scrape.pop(key, None)
        scrape["static_configs"] = [{"targets": targets.get(scrape["job_name"], [])}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "rules").mkdir()
    for path in (DEPLOYED / "rules").glob("*.yml"):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / "rules" / path.name).write_text(yaml.safe_dump(rules))
