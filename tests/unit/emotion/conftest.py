"""The emotion service in this process, on a free port, with a model whose answers and pace a test decides."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import grpc
import pytest
import structlog
from structlog.testing import CapturingLogger

from phonoscope.common.grpc_server import bind
from phonoscope.common.health import set_ready
from phonoscope.emotion import build
from phonoscope.emotion.events import Event, QueueMoved
from phonoscope.emotion.settings import EmotionSettings
from phonoscope.emotion.telemetry.pipeline import Telemetry, build_telemetry
from phonoscope.emotion.types import Estimate, Sentence, estimate_from_weights
from phonoscope.protos.emotion.v1 import emotion_pb2_grpc

GENEROUS_SECONDS = 30.0


class ScriptedModel:
    """Is happy about everything; waits for its gate in each batch, which it notes."""

    name = "scripted"
    languages: Sequence[str] = ("en", "zh")

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.is_working = threading.Event()
        self.batches: list[list[str]] = []

    def estimate(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        self.is_working.set()
        assert self.gate.wait(GENEROUS_SECONDS)
        self.batches.append([one.text for one in sentences])
        return [estimate_from_weights({"happy": 3.0, "neutral": 1.0}, 0.75) for _ in sentences]


class Service:
    """A running service, and a client of it."""

    def __init__(self) -> None:
        self._idle = asyncio.Event()

    def begin(self, target: str, rpc: build.Rpc, telemetry: Telemetry) -> None:
        self.target, self.rpc, self.telemetry = target, rpc, telemetry
        self.channel = grpc.aio.insecure_channel(target)
        self.stub = emotion_pb2_grpc.EmotionAnalysisStub(self.channel)

    def note(self, event: Event) -> None:
        if isinstance(event, QueueMoved):
            (self._idle.clear if event.calls else self._idle.set)()

    async def is_idle(self) -> None:
        async with asyncio.timeout(GENEROUS_SECONDS):
            await self._idle.wait()

    def value(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, labels)


Serve = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
def logger() -> CapturingLogger:
    structlog.contextvars.clear_contextvars()
    return CapturingLogger()


@pytest.fixture
def serve(model: ScriptedModel, logger: CapturingLogger) -> Serve:
    @asynccontextmanager
    async def served(*, is_loaded: bool = True, **settings: object) -> AsyncIterator[Service]:
        chosen = EmotionSettings(host="127.0.0.1", port=0, **settings)
        service = Service()
        telemetry = build_telemetry(chosen, logger, build.served_methods())
        telemetry = replace(telemetry, sinks=(*telemetry.sinks, service.note))
        rpc = build.build_rpc(chosen, telemetry)
        port = bind(rpc.server, chosen.host, chosen.port)
        await rpc.server.start()
        if is_loaded:
            rpc.analysis.begin(build.build_analyzer(model, chosen, telemetry))
            await set_ready(rpc.health, build.SERVICES, is_serving=True)
        service.begin(f"127.0.0.1:{port}", rpc, telemetry)
        try:
            yield service
        finally:
            model.gate.set()
            await service.channel.close()
            await rpc.server.stop(None)

    return served
