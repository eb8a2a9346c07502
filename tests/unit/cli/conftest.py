"""The scripted server of ../client, a voice hub on a free port, and ways to run the command."""

import functools
import hashlib
import http.server
import importlib.util
import json
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from phonoscope.cli.__main__ import command_line

_SPEC = importlib.util.spec_from_file_location(
    "scripted_server", Path(__file__).parents[1] / "client" / "scripted_server.py"
)
assert _SPEC
assert _SPEC.loader
scripted_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_server)

_HTTP_SPEC = importlib.util.spec_from_file_location(
    "scripted_http_server", Path(__file__).parents[1] / "loadgen" / "scripted_http_server.py"
)
assert _HTTP_SPEC
assert _HTTP_SPEC.loader
scripted_http_server = importlib.util.module_from_spec(_HTTP_SPEC)
_HTTP_SPEC.loader.exec_module(scripted_http_server)

# Some shells start their background jobs with SIGINT ignored, and children inherit it.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from phonoscope.cli.__main__ import main; main()"
)


@pytest.fixture
def server() -> Iterator[Any]:
    server = scripted_server.ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def http_server() -> Iterator[Any]:
    """A real HTTP server that answers by script, in the contracts of OpenAI and of Piper."""
    server = scripted_http_server.ScriptedHttpServer()
    yield server
    server.close()


@pytest.fixture
def server_class() -> type[Any]:
    return scripted_server.ScriptedServer  # type: ignore[no-any-return]


@pytest.fixture
def plain_audio() -> bytes:
    """What the server speaks without a script: 0.16 s at 16 kHz."""
    return b"".join(scripted_server.PLAIN_PIECES)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command line in this process; `input` is its standard input."""
    monkeypatch.delenv("PHONOSCOPE_CLIENT_SERVER", raising=False)
    monkeypatch.delenv("PHONOSCOPE_VOICES_DIR", raising=False)

    def invoke(*arguments: object, input: str | bytes = "", env: dict[str, str] | None = None) -> Any:  # noqa: A002
        app: typer.Typer = command_line()
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input, env=env)

    return invoke


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.wav"


@pytest.fixture
def say(run: Callable[..., Any], server: Any) -> Callable[..., Any]:
    """Runs `phonoscope say` against the scripted server."""
    return lambda *arguments, **more: run("say", "--server", server.target, *arguments, **more)


@pytest.fixture
def samples_of() -> Callable[[Any], tuple[bytes, int]]:
    """Returns the samples and the rate of a WAV that the standard library accepts."""

    def read(source: Any) -> tuple[bytes, int]:
        with wave.open(source, "rb") as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            return file.readframes(file.getnframes()), file.getframerate()

    return read


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line as a process that Ctrl-C reaches; ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def popen(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", INTERRUPTIBLE, *(str(argument) for argument in arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.communicate()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub_url(tmp_path: Path) -> Iterator[str]:
    """A voice hub with two voices."""
    root = tmp_path / "hub"
    index = {}
    for name in ("en_US-amy-low", "de_DE-karl-medium"):
        files = {f"{name}.onnx": b"model of " + name.encode(), f"{name}.onnx.json": b"{}"}
        for path, content in files.items():
            root.mkdir(exist_ok=True)
            (root / path).write_bytes(content)
        index[name] = {
            "files": {
                path: {"size_bytes": len(content), "md5_digest": hashlib.md5(content).hexdigest()}
                for path, content in files.items()
            }
        }
    (root / "voices.json").write_text(json.dumps(index))
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()
