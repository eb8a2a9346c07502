"""Load, as `phonoscope bench` makes it from a process of its own, against our server or Piper's own HTTP server."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHARACTERS: Final = "64:235"
STOP_SECONDS: Final = 10.0
MILLISECONDS: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is put under load: its address, and the options by which `phonoscope bench` speaks to it."""

    address: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The JSON of a run of `phonoscope bench`."""

    figures: dict[str, Any]

    @property
    def audio_rate(self) -> float:
        """Seconds of audio that callers got, per second."""
        return float(self.figures["audio_seconds_per_second"])

    @property
    def goodput(self) -> float:
        """Seconds of audio of calls that succeeded and never ran dry, per second until the last success ended.

        Callers that only wait for a refusal at the end of a run do not count: the engine has nothing to do by then.
        """
        succeeded = [s for s in self.figures["samples"] if not s["error"]]
        good = sum(s["audio_seconds"] for s in succeeded if not s["underruns"])
        ended = max((s["due_seconds"] + s["seconds"] for s in succeeded), default=self.figures["seconds"])
        return float(good / ended)

    @property
    def seconds_of_audio(self) -> float:
        """Mean duration of a call that succeeded."""
        return float(self.figures["audio_seconds"] / max(self.figures["calls"]["ok"], 1))

    @property
    def streams(self) -> int:
        """Streams that were heard."""
        return int(self.figures["streams"])

    @property
    def streams_run_dry(self) -> int:
        """Streams whose player would have run dry."""
        return int(self.figures["streams_with_underruns"])

    def milliseconds(self, measured: str, percentile: str) -> float:
        """Returns a percentile such as "p99" of what was measured, such as "first_audio_seconds"; 0 if nothing was."""
        return MILLISECONDS * float(self.figures["measured"].get(measured, {}).get(percentile, 0.0))


def load(target: Target, pace: str, seconds: float, *, seed: int = 0) -> LoadResult:
    """Puts a server under load for so long; `pace` is options such as "--concurrency 16"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.json"
        options = f"--characters {CHARACTERS} --duration {seconds:g} --seed {seed} {pace}"
        command = [sys.executable, "-m", "phonoscope.cli", "bench", "--server", target.address, *target.options]
        command += [*options.split(), "--json", str(file)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own command
        return LoadResult(json.loads(file.read_text(encoding="utf-8")))


@contextlib.contextmanager
def piper_serving(voice: Path) -> Iterator[Target]:
    """Starts Piper's own HTTP server with a voice; `phonoscope bench` waits until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "piper.http_server", "-m", str(voice), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  ours
    try:
        yield Target(f"http://127.0.0.1:{port}", ("--target", "piper", "--mode", "unary"))
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
