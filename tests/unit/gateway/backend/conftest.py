"""A backend connected to the scripted gRPC server of ../../client."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from phonoscope.gateway.backend.grpc import GrpcBackend

_SPEC = importlib.util.spec_from_file_location(
    "scripted_server", Path(__file__).parents[2] / "client" / "scripted_server.py"
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
async def backend(server: Any) -> AsyncIterator[GrpcBackend]:
    async with GrpcBackend.connect(server.target) as backend:
        yield backend
