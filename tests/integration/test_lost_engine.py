"""A server whose engine is lost, from `__main__.run` to its callers, its health, its metrics and its log."""

import asyncio
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import CapturedCall, CapturingLogger

from phonoscope.client import AsyncClient
from phonoscope.client.errors import ServerError, Unavailable
from phonoscope.common.health import LIVENESS
from phonoscope.server import __main__ as server_main
from phonoscope.server.build import SERVICES
from phonoscope.server.engines import registry
from phonoscope.server.engines.base import EngineLost, Job, Step, StepResult
from phonoscope.server.engines.loading import LoadedEngine
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.scheduling.failure_streak import MAX_FAILURES
from phonoscope.server.settings import ServerSettings
from phonoscope.server.startup import StartupTimer
from phonoscope.server.types import Utterance

GENEROUS_SECONDS = 60.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class BrittleEngine:
    """A ToneEngine that can be held, and that raises what it is told to.

    Attributes:
        fault: called with the utterances of each batch; may raise.
        gate: batches wait while it is closed.
    """

    name, device, precision, step_kinds = "brittle", "cpu", "float32", ToneEngine.step_kinds

    def __init__(self) -> None:
        self._tone = ToneEngine([tone_voice("tone")])
        self.voices, self.tuning = self._tone.voices, self._tone.tuning
        self.fault: Callable[[Sequence[Utterance]], None] = lambda _said: None
        self.gate = threading.Event()
        self.gate.set()
        self.said: dict[Job, Utterance] = {}

    def warm_up(self) -> None: ...

    def idle_work(self) -> int:
        return 0

    def open(self, utterance: Utterance) -> Job:
        job = self._tone.open(utterance)
        self.said[job] = utterance
        return job

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        assert self.gate.wait(GENEROUS_SECONDS)
        self.fault([self.said[step.job] for step in steps])
        return self._tone.run(steps)

    def close(self, job: Job) -> None:
        del self.said[job]
        self._tone.close(job)


class Running:
    """A server of this process, as `phonoscope serve` runs it."""

    def __init__(self, engine: BrittleEngine, target: str, log: CapturingLogger) -> None:
        self.engine = engine
        self.client = AsyncClient(target)
        self._channel = grpc.aio.insecure_channel(target)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._log = log

    def lines(self, event: str) -> list[CapturedCall]:
        """The lines of the log with this event."""
        return [call for call in self._log.calls if call.args == (event,)]

    async def becomes(self, service: str, status: int) -> None:
        """Waits for a service's health."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            async for reply in self._health.Watch(health_pb2.HealthCheckRequest(service=service)):
                if reply.status == status:
                    return

    async def is_serving(self) -> bool:
        health = await self._health.List(health_pb2.HealthListRequest())
        return {reply.status for reply in health.statuses.values()} == {SERVING}

    async def metrics(self) -> list[str]:
        [listening] = self.lines("listening")
        address = f"http://127.0.0.1:{listening.kwargs['metrics_port']}/metrics"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(address).read())
        return page.decode().splitlines()

    async def close(self) -> None:
        await self.client.close()
        await self._channel.close()


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    engine, log = BrittleEngine(), CapturingLogger()
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    bind = server_main.bind

    def bind_and_tell(*arguments: Any) -> int:
        bound.set_result(bind(*arguments))
        return bound.result()

    monkeypatch.setattr(server_main, "bind", bind_and_tell)
    monkeypatch.setattr(server_main, "configure_logs", lambda *_: log)
    monkeypatch.setattr(registry, "load_engines", lambda _loading: [LoadedEngine(engine, lambda _logger: None)])
    settings = ServerSettings(port=0, metrics_port=0, drain_seconds=0, stop_seconds=5)
    interval = sys.getswitchinterval()
    life = asyncio.create_task(server_main.run(settings, StartupTimer()))
    await asyncio.wait((life, bound), return_when=asyncio.FIRST_COMPLETED)
    server = Running(engine, f"127.0.0.1:{bound.result()}", log)
    await server.becomes("", SERVING)
    yield server
    engine.gate.set()
    await server.close()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(GENEROUS_SECONDS):
        await life
    sys.setswitchinterval(interval)
    assert engine.said == {}, "every job is closed"


def lose(_said: Sequence[Utterance]) -> None:
    raise EngineLost("the device is gone")


async def test_a_lost_device_refuses_all_who_wait_and_turns_the_health(running: Running) -> None:
    assert (await running.client.synthesize("Hello.", voice="tone")).audio
    running.engine.gate.clear()
    running.engine.fault = lose
    calls = [running.client.synthesize(f"Number {number}.", voice="tone") for number in range(4)]
    waiting = asyncio.gather(*calls, return_exceptions=True)
    running.engine.gate.set()
    for refused in await waiting:
        assert isinstance(refused, Unavailable)
        assert refused.reason == "ENGINE_LOST"
        assert "must be restarted" in str(refused)
    for service in (*SERVICES, LIVENESS):
        await running.becomes(service, NOT_SERVING)
    with pytest.raises(Unavailable):
        await running.client.synthesize("Hello again.", voice="tone")
    health = [line for line in await running.metrics() if line.startswith("tts_health_status{")]
    assert len(health) == len(SERVICES) + 1
    assert all(line.endswith(" 0.0") for line in health)
    [line] = running.lines("engine_lost")
    told = line.method_name, line.kwargs["device"], line.kwargs["cause"]
    assert told == ("critical", "cpu", "the device is gone")


async def test_an_engine_that_fails_on_everything_is_lost(running: Running) -> None:
    await running.client.synthesize("Hello.", voice="tone")

    def fail(_said: Sequence[Utterance]) -> None:
        raise RuntimeError("CUDA out of memory")

    running.engine.fault = fail
    for _ in range(MAX_FAILURES):
        with pytest.raises(ServerError):
            await running.client.synthesize("Hello.", voice="tone")
    await running.becomes("", NOT_SERVING)
    with pytest.raises(Unavailable):
        await running.client.synthesize("Hello again.", voice="tone")
    [line] = running.lines("engine_lost")
    assert line.kwargs["cause"].startswith(f"brittle failed on {MAX_FAILURES} utterances in a row")


async def test_a_bad_text_that_is_sent_again_and_again_harms_nobody(running: Running) -> None:
    bad = "Unreadable text."

    def fail(said: Sequence[Utterance]) -> None:
        if any(one.text == bad for one in said):
            raise RuntimeError("out of order")

    running.engine.fault = fail
    for _ in range(2):
        for _ in range(2 * MAX_FAILURES):
            with pytest.raises(ServerError):
                await running.client.synthesize(bad, voice="tone")
        assert (await running.client.synthesize("Hello.", voice="tone")).audio
    assert await running.is_serving()
    assert running.lines("engine_lost") == []
