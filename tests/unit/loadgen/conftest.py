"""An event loop whose time passes only while everything waits, and a server made of sleeps."""

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from phonoscope.loadgen.plan import CallResult, PlannedCall

_SPEC = importlib.util.spec_from_file_location(
    "scripted_server", Path(__file__).parents[1] / "client" / "scripted_server.py"
)
assert _SPEC
assert _SPEC.loader
scripted_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scripted_server)


_HTTP_SPEC = importlib.util.spec_from_file_location(
    "scripted_http_server", Path(__file__).with_name("scripted_http_server.py")
)
assert _HTTP_SPEC
assert _HTTP_SPEC.loader
scripted_http_server = importlib.util.module_from_spec(_HTTP_SPEC)
_HTTP_SPEC.loader.exec_module(scripted_http_server)


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """Skips to the next timer at once; a wait without one would be for ever, and fails."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        select = self._selector.select

        def skip(timeout: float | None = None) -> Any:
            assert timeout is not None, "everything waits, and nothing will ever happen"
            self._seconds += timeout
            return select(0)

        self._selector.select = skip

    def time(self) -> float:
        return self._seconds


@dataclass
class SimulatedServer:
    """Answers each call after `reply_seconds`, except while it is stalled or away."""

    address: str = "simulated:1"
    reply_seconds: float = 0.1
    audio_seconds: float = 1.0
    error: str = ""
    retry_after_seconds: float | None = None
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """Times from and to which nothing is answered."""
    away: list[tuple[float, float]] = field(default_factory=list)
    """Times from and to which there is no server."""
    started_at: list[float] = field(default_factory=list)
    calls: list[PlannedCall] = field(default_factory=list)
    max_at_once: int = 0
    at_once: int = 0

    async def status(self) -> str:
        return "UNAVAILABLE" if self._is_within(self.away) else "SERVING"

    async def make(self, call: PlannedCall, due: float) -> CallResult:
        now = asyncio.get_running_loop().time
        self.started_at.append(now())
        self.calls.append(call)
        self.at_once += 1
        self.max_at_once = max(self.at_once, self.max_at_once)
        try:
            await asyncio.sleep(self.reply_seconds)
            if stall := self._is_within(self.stalls):
                await asyncio.sleep(stall[1] - now())
        finally:
            self.at_once -= 1
        is_away = self._is_within(self.away) is not None
        error = "UNAVAILABLE" if is_away else self.error
        is_refused = call.is_bad or error.startswith("INVALID_ARGUMENT")
        if error or is_refused:
            return CallResult(
                call=call,
                seconds=now() - due,
                error=error or "INVALID_ARGUMENT TEXT_EMPTY",
                is_refused=is_refused,
                retry_after_seconds=self.retry_after_seconds,
                is_away=is_away,
            )
        return CallResult(
            call=call,
            seconds=now() - due,
            first_audio_seconds=now() - due,
            audio_seconds=self.audio_seconds,
            is_cancelled=call.cancellation is not None,
        )

    def _is_within(self, times: list[tuple[float, float]]) -> tuple[float, float] | None:
        now = asyncio.get_running_loop().time()
        return next((span for span in times if span[0] <= now < span[1]), None)


@pytest.fixture
def simulated_server() -> SimulatedServer:
    return SimulatedServer()


@pytest.fixture
def simulate() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine in simulated time, and returns what it does."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
            return runner.run(work)

    return run


@pytest.fixture
def server() -> Iterator[Any]:
    """A real gRPC server that answers by script."""
    server = scripted_server.ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def http_server() -> Iterator[Any]:
    """A real HTTP server that answers by script, in the contracts of OpenAI and of Piper."""
    server = scripted_http_server.ScriptedHttpServer()
    yield server
    server.close()


@pytest.fixture
def wav_of() -> Callable[..., bytes]:
    """Makes a WAV file of so many seconds."""
    return scripted_http_server.wav_of  # type: ignore[no-any-return]
