"""A real grpc.aio server on a port of its own, with the interceptors around methods that each test makes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from phonoscope.common.call_events import CallEnded, CallEvent, CallStarted
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import CallObserver, ErrorMapper

SERVICE = "test.v1.Test"
KINDS = ("unary_unary", "stream_unary", "unary_stream", "stream_stream")


class Served:
    """A server of `SERVICE`, a channel to it, and the events of its interceptors."""

    def __init__(self, sink: Callable[[CallEvent], None]) -> None:
        self._sink = sink
        self.events: list[CallEvent] = []
        self.unexpected: list[tuple[str, BaseException]] = []
        self.channel: grpc.aio.Channel
        self.server = build_server(
            [CallObserver(self._take), ErrorMapper(lambda path, error: self.unexpected.append((path, error)))]
        )
        self._told = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    def _take(self, event: CallEvent) -> None:
        self._sink(event)
        self.events.append(event)
        self._tasks.append(asyncio.get_running_loop().create_task(self._wake()))

    async def _wake(self) -> None:
        async with self._told:
            self._told.notify_all()

    @property
    def ends(self) -> list[CallEnded]:
        return [event for event in self.events if isinstance(event, CallEnded)]

    @property
    def starts(self) -> list[CallStarted]:
        return [event for event in self.events if isinstance(event, CallStarted)]

    async def end(self) -> CallEnded:
        """Returns the end of the one call that was made, once it has come."""
        await self.until(lambda: bool(self.ends))
        (end,) = self.ends
        return end

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until events make it so."""
        async with asyncio.timeout(5), self._told:
            await self._told.wait_for(is_so)

    def method(self, kind: str, name: str = "Say", *, is_raw: bool = False) -> Any:
        """Returns the client's side of a method, of bytes as they are when `is_raw`."""
        coders = {} if is_raw else _client_coders()
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}", **coders)

    async def call(self, kind: str, *texts: str, name: str = "Say", seconds: float | None = 5) -> list[str]:
        """Calls a method of any shape and returns its replies."""
        requests = [StringValue(value=text) for text in texts]
        call = self.method(kind, name)(iter(requests) if kind.startswith("stream") else requests[0], timeout=seconds)
        return [reply.value for reply in ([reply async for reply in call] if "_stream" in kind else [await call])]


def _client_coders() -> dict[str, Any]:
    return {"request_serializer": StringValue.SerializeToString, "response_deserializer": StringValue.FromString}


def _ignore(_event: CallEvent) -> None:
    """Most tests look at the events afterwards."""


class Serve(Protocol):
    def __call__(
        self, methods: Mapping[str, tuple[str, Any]], sink: Callable[[CallEvent], None] = _ignore
    ) -> Awaitable[Served]: ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server of methods by name, each with its shape; when it stops, every call must have ended once."""
    async with AsyncExitStack() as stack:

        async def start(methods: Mapping[str, tuple[str, Any]], sink: Callable[[CallEvent], None] = _ignore) -> Served:
            served = Served(sink)
            handlers = {
                name: getattr(grpc, f"{kind}_rpc_method_handler")(
                    behaviour,
                    request_deserializer=StringValue.FromString,
                    response_serializer=StringValue.SerializeToString,
                )
                for name, (kind, behaviour) in methods.items()
            }
            served.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
            port = bind(served.server, "127.0.0.1", 0)
            await served.server.start()
            stack.push_async_callback(_stop, served)
            served.channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
            return served

        yield start


async def _stop(served: Served) -> None:
    await served.server.stop(None)
    await served.until(lambda: len(served.ends) >= len(served.starts))  # a caller may know of the end before we do
    await asyncio.gather(*served._tasks)
    assert sorted((event.call, event.method.name) for event in served.starts) == sorted(
        (event.call, event.method.name) for event in served.ends
    )
    assert len({event.call for event in served.starts}) == len(served.starts)
