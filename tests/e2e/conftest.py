"""The real docker-compose.yml on a real Docker engine, with the one override of deploy/compose.ci.yml.

Needs a Docker engine and Compose v2 (`docker compose`, or what PHONOSCOPE_CI_COMPOSE names) and the image
phonoscope:cpu, which `make e2e` builds first. Its project has a name, and so containers and volumes, of its own; its
ports are those of the compose file.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = "phonoscope-e2e"
SERVER: Final = "server-cpu"
GENEROUS_SECONDS: Final = 240.0
PROMETHEUS: Final = "http://127.0.0.1:9090"


def run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=GENEROUS_SECONDS, cwd=ROOT)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


class Stack:
    """The stack that is up."""

    def __init__(self, spans_folder: Path) -> None:
        self._spans = spans_folder / "spans.jsonl"
        program = shlex.split(os.environ.get("PHONOSCOPE_CI_COMPOSE", "docker compose"))
        files = ("-f", "docker-compose.yml", "-f", "deploy/compose.ci.yml")
        self._command = (*program, "--project-name", PROJECT, *files)
        os.environ |= {"COMPOSE_PROFILES": "cpu,alerting", "SPANS_DIR": str(spans_folder)}

    def compose(self, *arguments: str) -> str:
        return run(*self._command, *arguments)

    def inspect(self, service: str) -> dict[str, Any]:
        container = self.compose("ps", "--all", "--quiet", service).strip()
        return json.loads(run("docker", "inspect", container))[0]

    def inside(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def server_lines(self) -> list[str]:
        return self.compose("logs", "--no-log-prefix", "--no-color", SERVER).splitlines()

    def ask_prometheus(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{PROMETHEUS}/api/v1/{path}", params=parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Returns the values of an instant query by their labels."""
        result = self.ask_prometheus("query", query=expression)["result"]
        return {tuple(sorted(series["metric"].items())): float(series["value"][1]) for series in result}

    def spans(self) -> list[dict[str, Any]]:
        """All that the collector has written; each span with `service`, its resource's service.name."""
        if not self._spans.exists():
            return []
        spans = []
        for line in self._spans.read_text().splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                service = self.attributes(resource["resource"])["service.name"]
                for scope in resource["scopeSpans"]:
                    spans += [{**span, "service": service} for span in scope["spans"]]
        return spans

    @staticmethod
    def attributes(of: dict[str, Any]) -> dict[str, Any]:
        """Returns the attributes of a span, link or resource in OTLP's JSON form, as a plain dictionary."""
        values = {entry["key"]: next(iter(entry["value"].items())) for entry in of.get("attributes", [])}
        return {key: int(value) if kind == "intValue" else value for key, (kind, value) in values.items()}

    def written_spans(self) -> str:
        """The collector's file as it is."""
        return self._spans.read_text()


def own_things() -> list[str]:
    """Returns what Docker has of this project: containers, networks, volumes."""
    label = f"label=com.docker.compose.project={PROJECT}"
    listings = {"container": ("ps", "--all"), "network": ("network", "ls"), "volume": ("volume", "ls")}
    return [
        f"{kind} {name}"
        for kind, listing in listings.items()
        for name in run("docker", *listing, "--quiet", "--filter", label).split()
    ]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Up and healthy from nothing; torn down at the end, which fails where anything is left behind."""
    spans = tmp_path_factory.mktemp("spans")
    spans.chmod(0o777)  # the collector is user 10001
    stack = Stack(spans)
    stack.compose("down", "--volumes", "--remove-orphans")
    try:
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "180", "--no-build")
        yield stack
    finally:
        out = ROOT / "out" / "e2e"
        out.mkdir(parents=True, exist_ok=True)
        (out / "containers.log").write_text(stack.compose("logs", "--no-color", "--timestamps"))
        if stack.spans():
            shutil.copy(spans / "spans.jsonl", out)
        stack.compose("down", "--volumes", "--remove-orphans")
    assert own_things() == []
