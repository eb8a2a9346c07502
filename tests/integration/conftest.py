"""A real gRPC server on port 0, in this process, with the tone engine; one for each test."""

import asyncio
import io
import json
import logging
import math
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from phonoscope.common.call_events import CallEnded, CallEvent
from phonoscope.common.grpc_server import bind, build_server, enable_reflection
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.logs import configure_logs
from phonoscope.protos.legacy import tts_service_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2_grpc
from phonoscope.server.build import MAX_REQUEST_BYTES, SERVICES, build_scheduler, served_methods
from phonoscope.server.emotion_analysis.base import EmotionAnalysis
from phonoscope.server.engines.base import Job, Step, StepResult
from phonoscope.server.engines.tone import RENDER, ToneEngine, tone_voice
from phonoscope.server.events import Event, HealthChanged, QueueMoved, RequestFinished
from phonoscope.server.rpc import legacy, servicer
from phonoscope.server.rpc.legacy import LegacyServicer
from phonoscope.server.rpc.readiness import Speech
from phonoscope.server.rpc.servicer import TextToSpeechServicer
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Limits, Synthesizer
from phonoscope.server.telemetry.pipeline import Telemetry, build_telemetry
from phonoscope.server.text.front_end import Reading, Sentence, TextFrontEnd
from phonoscope.server.text.lexicon import Lexicon
from phonoscope.server.text.lexicon_files import LexiconFiles
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import PhonemeScheme, Utterance

GENEROUS_SECONDS = 60.0
TON = tone_voice("ton", language="de-DE", sample_rate_hz=16_000, speakers=("eins", "zwei"))
VOICES = (tone_voice("tone"), replace(TON, emotion_rendering="none", gender="female", grade="B"))


class GatedEngine:
    """A ToneEngine that renders while its gate is open; it closes by itself after so many windows."""

    name, device, precision, step_kinds = "tone", "cpu", "float32", ToneEngine.step_kinds

    def __init__(self) -> None:
        self._tone = ToneEngine(VOICES, sizes=(16, 32, 64), max_batch=4)
        self.voices, self.tuning = self._tone.voices, self._tone.tuning
        self.gate = threading.Event()
        self.gate.set()
        self.is_rendering = threading.Event()
        self.windows_rendered = 0
        self.closes_after = math.inf
        self.is_broken = False

    def warm_up(self) -> None:
        self._tone.warm_up()

    def idle_work(self) -> int:
        return 0

    def open(self, utterance: Utterance) -> Job:
        return self._tone.open(utterance)

    def close(self, job: Job) -> None:
        self._tone.close(job)

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        if steps[0].kind == RENDER:
            self._wait_at_the_gate(len(steps))
        return self._tone.run(steps)

    def _wait_at_the_gate(self, windows: int) -> None:
        self.is_rendering.set()
        assert self.gate.wait(GENEROUS_SECONDS)
        if self.is_broken:
            raise RuntimeError("out of tune")
        self.windows_rendered += windows
        if self.windows_rendered >= self.closes_after:
            self.gate.clear()


class StumblingFrontEnd(TextFrontEnd):
    """Fails, as a defect would, on texts with the word "unreadable"."""

    def read(
        self, passage: Passage, scheme: PhonemeScheme, lexicon: Lexicon, reading: Reading, *, is_aligned: bool
    ) -> Iterator[Sentence]:
        if "unreadable" in passage.text:
            raise OSError("the dictionary is gone")
        return super().read(passage, scheme, lexicon, reading, is_aligned=is_aligned)


@dataclass
class TestServer:
    """The server and its events."""

    __test__ = False

    engine: GatedEngine = field(default_factory=GatedEngine)
    speech: Speech = field(default_factory=Speech)
    events: list[Event] = field(default_factory=list)
    calls: list[CallEvent] = field(default_factory=list)
    unexpected: list[tuple[str, BaseException]] = field(default_factory=list)
    happened: threading.Condition = field(default_factory=threading.Condition)
    health: Health = field(init=False)
    scheduler: Scheduler = field(init=False)
    target: str = field(init=False)

    def tell(self, event: Event) -> None:
        with self.happened:
            self.events.append(event)
            self.happened.notify_all()

    def observe(self, event: CallEvent) -> None:
        with self.happened:
            self.calls.append(event)
            self.happened.notify_all()

    def fail(self, method: str, error: BaseException) -> None:
        self.unexpected.append((method, error))

    def wait_for(self, is_so: Callable[["TestServer"], bool]) -> bool:
        """Waits, on a thread that is not the event loop's, until events make it so."""
        with self.happened:
            return self.happened.wait_for(lambda: is_so(self), GENEROUS_SECONDS)

    def finished(self) -> list[RequestFinished]:
        return [event for event in self.events if isinstance(event, RequestFinished)]

    def ended(self) -> list[CallEnded]:
        return [call for call in self.calls if isinstance(call, CallEnded)]

    def is_idle(self) -> bool:
        moves = [event for event in self.events if isinstance(event, QueueMoved)]
        return not moves or moves[-1] == QueueMoved(0, 0)


class Telling:
    """Tells a test's server, and whatever else listens, of events."""

    def __init__(self, *sinks: Callable[[Any], None]) -> None:
        self._sinks = sinks

    def __call__(self, event: Any) -> None:
        for sink in self._sinks:
            sink(event)


@asynccontextmanager
async def running(
    emit: Callable[[Event], None] = lambda _event: None,
    observe: Callable[[CallEvent], None] = lambda _event: None,
    fail: Callable[[str, BaseException], None] = lambda _method, _error: None,
    lexicons: Sequence[Path] = (),
    emotions: EmotionAnalysis | None = None,
) -> AsyncIterator[TestServer]:
    """A server that is ready, in the order in which `__main__` builds one; its events go to those sinks first."""
    server = TestServer()
    tell, engine, speech = Telling(emit, server.tell), server.engine, server.speech
    interceptors = [CallObserver(Telling(observe, server.observe)), ErrorMapper(both(fail, server.fail))]
    grpc_server = build_server(interceptors, MAX_REQUEST_BYTES)
    server.health = Health((*SERVICES, LIVENESS), lambda name, serving: tell(HealthChanged(name, serving)))
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(speech), grpc_server)
    tts_service_pb2_grpc.add_TTSServiceServicer_to_server(LegacyServicer(speech), grpc_server)
    add_health(server.health, grpc_server)
    enable_reflection(grpc_server, [servicer.SERVICE_NAME, legacy.SERVICE_NAME, "grpc.health.v1.Health"])
    server.target = f"127.0.0.1:{bind(grpc_server, '127.0.0.1', 0)}"
    settings = ServerSettings(max_requests=40, max_audio_seconds_owed=10_000)
    server.scheduler = build_scheduler([engine], tell, settings)
    front_end = StumblingFrontEnd(Letters())
    synthesizer = Synthesizer(
        server.scheduler,
        front_end,
        engine.voices,
        tell,
        limits=Limits(max_characters=5000, max_reply_bytes=2**20),
        lexicons=LexiconFiles(lexicons, tell),
        emotions=emotions,
    )
    await grpc_server.start()
    await server.scheduler.start()
    speech.begin(synthesizer)
    for service in (*SERVICES, LIVENESS):
        await server.health.set(service, is_serving=True)
    yield server
    engine.gate.set()
    await server.health.end_watches()
    await grpc_server.stop(None)
    await server.scheduler.drain(0)
    synthesizer.close()
    assert server.is_idle()


def both(
    first: Callable[[str, BaseException], None], second: Callable[[str, BaseException], None]
) -> Callable[[str, BaseException], None]:
    def fail(method: str, error: BaseException) -> None:
        first(method, error)
        second(method, error)

    return fail


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[TestServer]]:
    """Starts a server that is set in another way than `server` is."""
    return running


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """A server that is ready; `begin` in its Speech was called, health is SERVING."""
    async with running() as server:
        yield server


@pytest.fixture
async def channel(server: TestServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield channel


# --- everything that watches, as `__main__` has it -------------------------------------------------------------


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    """An OTLP collector and its endpoint."""
    collector, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@dataclass(frozen=True)
class Watched:
    """A server with all its sinks, and what they wrote."""

    server: TestServer
    telemetry: Telemetry
    collector: Collector
    written: io.StringIO

    def value(self, name: str, **labels: str) -> float:
        value = self.telemetry.registry.get_sample_value(name, labels)
        assert value is not None, f"{name} {labels} does not exist"
        return value

    def series(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
        }

    def log(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the log, each of which must be JSON, or those of one event."""
        lines = [json.loads(line) for line in self.written.getvalue().splitlines()]
        return [line for line in lines if not event or line["event"] == event]

    async def ends(self, count: int = 1) -> list[CallEnded]:
        """Waits until so many calls have ended, and returns them all."""
        assert await asyncio.to_thread(self.server.wait_for, lambda it: len(it.ended()) >= count)
        return self.server.ended()

    async def spans(self) -> list[Any]:
        """Sends what is left, and returns every span that the collector has; once, at a test's end."""
        await asyncio.to_thread(self.telemetry.tracing.shutdown, GENEROUS_SECONDS)
        return self.collector.spans()


@pytest.fixture
def trace_sample_ratio() -> float:
    """For tests to set otherwise, as a parameter."""
    return 1.0


@pytest.fixture
async def watched(
    collector: tuple[Collector, str], trace_sample_ratio: float, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    """A server whose metrics, spans and log are those of `build_telemetry`."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    logger = configure_logs("json", "debug")
    kept, endpoint = collector
    settings = ServerSettings(otlp_endpoint=endpoint, trace_sample_ratio=trace_sample_ratio)
    telemetry = build_telemetry(settings, logger, served_methods())
    telemetry.metrics.make_voice_series({voice.id: ToneEngine.step_kinds for voice in VOICES})
    async with running(telemetry.emit, telemetry.observe, telemetry.log.unexpected) as server:
        yield Watched(server, telemetry, kept, written)
    await asyncio.to_thread(telemetry.tracing.shutdown, GENEROUS_SECONDS)
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def watched_channel(watched: Watched) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(watched.server.target) as channel:
        yield channel
