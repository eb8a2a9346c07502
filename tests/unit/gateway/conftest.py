"""The gateway's application, called without a port, before the scripted gRPC server of ../client."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.types import ASGIApp

from phonoscope.client import AsyncClient
from phonoscope.gateway.app import build_app, endings
from phonoscope.gateway.backend import Backend
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import build_telemetry

_SPEC = importlib.util.spec_from_file_location(
    "scripted_server", Path(__file__).parents[1] / "client" / "scripted_server.py"
)
assert _SPEC
assert _SPEC.loader
scripted_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_server)


@pytest.fixture
def server() -> Iterator[Any]:
    server = scripted_server.ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def plain_audio() -> bytes:
    return b"".join(scripted_server.PLAIN_PIECES)


@pytest.fixture
async def app(server: Any) -> AsyncIterator[ASGIApp]:
    settings = GatewaySettings(server=server.target)
    telemetry = build_telemetry(settings, structlog.testing.CapturingLogger(), endings())
    async with AsyncClient(server.target, waits_when_busy=False) as client:
        yield build_app(settings, Backend(client, settings.timeout_seconds), telemetry)
    telemetry.tracing.shutdown(1.0)


@pytest.fixture
async def http(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield http
