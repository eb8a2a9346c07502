"""An emotion service that does what a test tells it, and a client of it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from phonoscope.protos.emotion.v1 import emotion_pb2, emotion_pb2_grpc
from phonoscope.server.emotion_analysis.client import EmotionClient
from phonoscope.server.events import Event

HAPPY = emotion_pb2.AnalyzeResponse(emotions=[emotion_pb2.Emotion(happy=0.75, neutral=0.25, confidence=0.75)])


class ScriptedService(emotion_pb2_grpc.EmotionAnalysisServicer):
    """Answers HAPPY, or what `reply` is; fails first with each of `codes`; waits for `gate`."""

    def __init__(self) -> None:
        self.reply = HAPPY
        self.codes: list[grpc.StatusCode] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.texts: list[tuple[str, str]] = []
        self.metadata: list[dict[str, str]] = []
        self.has_call = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def Analyze(self, request, context):  # noqa: N802  gRPC names it
        self.texts += ((one.text, one.language) for one in request.texts)
        self.metadata.append(dict(context.invocation_metadata()))
        self.has_call.set()
        if self.codes:
            await context.abort(self.codes.pop(0), "scripted")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        return self.reply


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
async def target(service: ScriptedService) -> AsyncIterator[str]:
    server = grpc.aio.server()
    emotion_pb2_grpc.add_EmotionAnalysisServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    service.gate.set()
    await server.stop(None)


@pytest.fixture
async def client(target: str, events: list[Event]) -> AsyncIterator[EmotionClient]:
    client = EmotionClient(target, events.append)
    yield client
    await client.close()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
async def traced(target: str, events: list[Event], provider: TracerProvider) -> AsyncIterator[EmotionClient]:
    client = EmotionClient(target, events.append, provider)
    yield client
    await client.close()
