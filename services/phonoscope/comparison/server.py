"""One engine behind one transport, in a process of its own: the same engine, scheduler and front end behind either.

`python -m phonoscope.comparison.server json|grpc tone|voice THREADS` prints its port once it is warm, and serves until
its standard input closes. `json` is the way it was: HTTP/1.1, JSON and base64, by FastAPI and uvicorn as such a
service would have them. Neither is watched: no metrics, no spans.
"""

import asyncio
import base64
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from phonoscope.common.errors import StartupError
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import ErrorMapper
from phonoscope.comparison.bare import EngineName, build_tones, build_voice, nobody
from phonoscope.protos.tts.v1 import tts_pb2_grpc
from phonoscope.server.build import SWITCH_SECONDS
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import TextToSpeechServicer
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.types import SpeechRequest

Transport = Literal["json", "grpc"]
LOOPBACK: Final = "127.0.0.1"
KIBIBYTE: Final = 1024
MODULE: Final = "phonoscope.comparison.server"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that runs: its port on this machine and its process."""

    port: int
    pid: int

    def memory_bytes(self, field: str) -> int:
        """Returns its memory: VmRSS, what is in RAM now, or VmHWM, the most that was."""
        return memory_bytes(self.pid, field)


def memory_bytes(pid: int, field: str) -> int:
    """Returns a process's memory, by the kernel's names: VmRSS, what is in RAM now, or VmHWM, the most that was."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields[field].split()[0]) * KIBIBYTE


@contextlib.contextmanager
def serving(transport: Transport, engine: EngineName, threads: int = 1) -> Iterator[Contender]:
    """Runs a server, yields it once it is warm, and ends it.

    Raises:
        StartupError: it ended before that; what it said is on stderr.
    """
    command = [sys.executable, "-m", MODULE, transport, engine, str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  asked for above
        line = process.stdout.readline()
        if not line:
            raise StartupError(f"the {transport} server with the {engine} engine ended before it was ready")
        try:
            yield Contender(int(line), process.pid)
        finally:
            process.communicate()


class Body(BaseModel):
    """The older contract's request."""

    text: str
    speaker_id: str = ""
    emotion: str = ""
    speed: float = 1.0
    pitch: float = 1.0


async def serve(transport: Transport, engine: EngineName, threads: int) -> None:
    """Serves until standard input closes."""
    sys.setswitchinterval(SWITCH_SECONDS)
    scheduler, synthesizer = await _built(engine, threads)
    await scheduler.start()
    begin = _by_json if transport == "json" else _by_grpc
    async with begin(synthesizer) as port:
        print(port, flush=True)  # noqa: T201  whoever started this process reads it
        await asyncio.to_thread(sys.stdin.read)
    await scheduler.drain(0)
    synthesizer.close()


async def _built(engine: EngineName, threads: int) -> tuple[Scheduler, Synthesizer]:
    if engine == "tone":
        return build_tones(nobody)
    with ThreadPoolExecutor(1) as loading:  # a thread that ends, as the server's own: server/__main__.py
        return await asyncio.get_running_loop().run_in_executor(loading, build_voice, threads)


@contextlib.asynccontextmanager
async def _by_json(synthesizer: Synthesizer) -> AsyncIterator[int]:
    app = FastAPI()

    @app.post("/api/tts")
    async def speak(body: Body) -> dict[str, object]:
        request = SpeechRequest(**body.model_dump(), seed=0)
        spoken = await synthesizer.speak(request, None)
        audio = base64.b64encode(spoken.audio).decode()
        return {"audio_data": audio, "sample_rate": spoken.request.sample_rate_hz, "status": "success"}

    with socket.create_server((LOOPBACK, 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", loop="none", lifespan="off"))
        serving_now = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving_now


@contextlib.asynccontextmanager
async def _by_grpc(synthesizer: Synthesizer) -> AsyncIterator[int]:
    speech = Speech()
    server = build_server([ErrorMapper(_unexpected)])
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), server)
    port = bind(server, LOOPBACK, 0)
    speech.begin(synthesizer)
    await server.start()
    yield port
    await server.stop(0)


def _unexpected(method: str, error: BaseException) -> None:
    print(f"{method}: {error!r}", file=sys.stderr)  # noqa: T201  to whoever runs the comparison


if __name__ == "__main__":
    asked_transport, asked_engine, asked_threads = sys.argv[1:]
    asyncio.run(serve(cast("Transport", asked_transport), cast("EngineName", asked_engine), int(asked_threads)))
