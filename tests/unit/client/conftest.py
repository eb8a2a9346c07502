"""A scripted server for each test."""

import contextlib
import importlib.util
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2


def load_sibling(name: str) -> ModuleType:
    """Imports a module next to this file, which pytest's importlib mode keeps off sys.path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scripted_server = load_sibling("scripted_server")


@pytest.fixture
def server() -> Iterator[Any]:
    server = scripted_server.ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def busy_health_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that refuses the first health check with a delay; `checks` has all of them."""
    checks: list[Any] = []

    def check(_: health.HealthServicer, request: Any, context: grpc.ServicerContext) -> Any:
        checks.append(request)
        if len(checks) == 1:
            server.refusal(0.001)(context)
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    monkeypatch.setattr(health.HealthServicer, "Check", check)
    server = scripted_server.ScriptedServer()
    server.checks = checks
    yield server
    server.close()


@pytest.fixture
def interrupted_when() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Returns a context that interrupts the main thread as Ctrl-C does, once it is at a certain place."""

    @contextlib.contextmanager
    def interrupted(is_there: Callable[[FrameType | None], bool]) -> Iterator[None]:
        """Interrupts the main thread at a certain place: a timer is the user, the frame tells where the thread is."""

        def interrupt(_: int, frame: FrameType | None) -> None:
            if is_there(frame):
                signal.setitimer(signal.ITIMER_REAL, 0)
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    return interrupted


@pytest.fixture
def plain_audio() -> bytes:
    """What the server speaks without a script: 0.16 s at 16 kHz."""
    return b"".join(scripted_server.PLAIN_PIECES)


@pytest.fixture
def server_class() -> type[Any]:
    return scripted_server.ScriptedServer  # type: ignore[no-any-return]
