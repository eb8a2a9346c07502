"""The gateway's application, called without a port, with a fake backend."""

from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from starlette.types import ASGIApp

from phonoscope.client.timings import MarkTiming, PhonemeTiming, VisemeTiming, WordTiming
from phonoscope.gateway.app import build_app, endings
from phonoscope.gateway.backend.base import AudioChunk, Encoding, Timings, Voice
from phonoscope.gateway.backend.fake import FakeBackend
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import build_telemetry

TIMINGS = (
    Timings(
        words=(WordTiming("Hello", 0.01, 0.08, (0, 5)),),
        phonemes=(PhonemeTiming("ˈɑː", 0.01, 0.05),),
        visemes=(VisemeTiming("sil", 0.0, 0.01), VisemeTiming("pp", 0.01, 0.05)),
    ),
    Timings(marks=(MarkTiming("here", 0.12),)),
    Timings(words=(WordTiming("there", 0.15, 0.16, (6, 11)),)),
)
FIRST = AudioChunk(
    b"\x01\x00" * 1600,
    16_000,
    Encoding.LINEAR16,
    0.1,
    0,
    seed=42,
    request_id="made-by-server",
    voice="en_US-joe-medium",
    text_span=(0, 6),
    timings=TIMINGS[0],
)
CHUNKS = (
    FIRST,
    AudioChunk(b"\x02\x00" * 800, 16_000, Encoding.LINEAR16, 0.05, 1, text_span=(6, 11), timings=TIMINGS[1]),
    AudioChunk(b"\x03\x00" * 160, 16_000, Encoding.LINEAR16, 0.01, 2, text_span=(11, 11), timings=TIMINGS[2]),
)
VOICES = (
    Voice("en_US-joe-medium", "en-US", 22_050, (), True, "vits", "medium", "bfloat16", "prosody"),
    Voice("de_DE-mls-medium", "de-DE", 22_050, ("anna", "bert"), False, "vits", "medium", gender="female", grade="C+"),
)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend(CHUNKS, VOICES)


@pytest.fixture
def plain_audio() -> bytes:
    return b"".join(chunk.audio for chunk in CHUNKS)


@pytest.fixture
def chunks() -> tuple[AudioChunk, ...]:
    return CHUNKS


@pytest.fixture
def readiness(backend: FakeBackend) -> Readiness:
    return Readiness(backend)


@pytest.fixture
def logger() -> structlog.testing.CapturingLogger:
    return structlog.testing.CapturingLogger()


@pytest.fixture
async def app(
    backend: FakeBackend, readiness: Readiness, logger: structlog.testing.CapturingLogger
) -> AsyncIterator[ASGIApp]:
    settings = GatewaySettings()
    telemetry = build_telemetry(settings, logger, endings())
    yield build_app(settings, backend, readiness, telemetry)
    telemetry.tracing.shutdown(1.0)


@pytest.fixture
async def http(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield http
