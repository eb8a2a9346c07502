"""A real gRPC server on port 0, in this process, with the tone engine; one for each test."""

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.grpc_server import bind, build_server, enable_reflection
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallEvent, CallObserver, ErrorMapper
from phonoscope.protos.legacy import tts_service_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2_grpc
from phonoscope.server import legacy, servicer
from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import Event, QueueMoved, RequestFinished
from phonoscope.server.legacy import LegacyServicer
from phonoscope.server.scheduler import Scheduler
from phonoscope.server.servicer import Speech, TextToSpeechServicer
from phonoscope.server.synthesizer import Synthesizer
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import Utterance

GENEROUS_SECONDS = 60.0
VOICES = (tone_voice("tone"), tone_voice("ton", language="de-DE", sample_rate_hz=16_000, speakers=("eins", "zwei")))


class GatedEngine:
    """A ToneEngine that renders while its gate is open."""

    name, device = "tone", "cpu"

    def __init__(self) -> None:
        self._tone = ToneEngine(VOICES, tuning=Tuning(8, 4, 16, 64))
        self.voices, self.tuning = self._tone.voices, self._tone.tuning
        self.gate = threading.Event()
        self.gate.set()
        self.is_rendering = threading.Event()
        self.windows_rendered = 0
        self.is_broken = False

    def warm_up(self) -> None:
        self._tone.warm_up()

    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        return self._tone.prepare(batch)

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        self.is_rendering.set()
        assert self.gate.wait(GENEROUS_SECONDS)
        if self.is_broken:
            raise RuntimeError("out of tune")
        self.windows_rendered += len(windows)
        return self._tone.render(windows)


@dataclass
class TestServer:
    """The server and what it told of itself."""

    __test__ = False

    engine: GatedEngine
    speech: Speech
    health: Health
    scheduler: Scheduler
    target: str
    events: list[Event]
    calls: list[CallEvent]
    unexpected: list[tuple[str, Exception]]
    happened: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, event: Event) -> None:
        with self.happened:
            self.events.append(event)
            self.happened.notify_all()

    def wait_for(self, is_so: Callable[["TestServer"], bool]) -> bool:
        """Waits, on a thread that is not the event loop's, until events make it so."""
        with self.happened:
            return self.happened.wait_for(lambda: is_so(self), GENEROUS_SECONDS)

    def finished(self) -> list[RequestFinished]:
        return [event for event in self.events if isinstance(event, RequestFinished)]

    def is_idle(self) -> bool:
        moves = [event for event in self.events if isinstance(event, QueueMoved)]
        return not moves or moves[-1] == QueueMoved(0, 0)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """A server that is ready; `begin` in its Speech was called, health is SERVING."""
    engine, speech, calls, unexpected = GatedEngine(), Speech(), [], []
    events: list[Event] = []
    health = Health(("", servicer.SERVICE_NAME, legacy.SERVICE_NAME, LIVENESS), lambda _name, _serving: None)
    grpc_server = build_server(
        [CallObserver(calls.append), ErrorMapper(lambda method, error: unexpected.append((method, error)))]
    )
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), grpc_server)
    tts_service_pb2_grpc.add_TTSServiceServicer_to_server(LegacyServicer(speech), grpc_server)
    add_health(health, grpc_server)
    enable_reflection(grpc_server, [servicer.SERVICE_NAME, legacy.SERVICE_NAME, "grpc.health.v1.Health"])
    target = f"127.0.0.1:{bind(grpc_server, '127.0.0.1', 0)}"

    def tell(event: Event) -> None:
        server.tell(event)

    scheduler = Scheduler(engine, tell, most_requests=40, most_audio_seconds=10_000)
    server = TestServer(engine, speech, health, scheduler, target, events, calls, unexpected)
    synthesizer = Synthesizer(
        scheduler, TextFrontEnd(Letters()), engine.voices, tell, most_characters=5000, most_reply_bytes=2**20
    )
    await grpc_server.start()
    await scheduler.start()
    speech.begin(synthesizer)
    for service in ("", servicer.SERVICE_NAME, legacy.SERVICE_NAME, LIVENESS):
        await health.set(service, is_serving=True)
    yield server
    engine.gate.set()
    await health.end_watches()
    await grpc_server.stop(None)
    await scheduler.drain(0)
    synthesizer.close()
    assert server.is_idle()


@pytest.fixture
async def channel(server: TestServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield channel
