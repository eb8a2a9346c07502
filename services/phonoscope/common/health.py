"""grpc.health.v1: every service is NOT_SERVING until `set` reports otherwise.

Built by `__main__`, served by `grpc_server.py`. grpcio-health-checking's aio servicer reports "" as SERVING
from the start, and an open Watch delays its stop; this one does neither. Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import grpc
from google.protobuf.message import Message
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2, health_pb2_grpc

LIVENESS: Final = "liveness"

Context = ServicerContext[Message, Message]
Status = health_pb2.HealthCheckResponse


def add_health(health: "Health", server: grpc.aio.Server) -> None:
    """Adds grpc.health.v1 to a server."""
    health_pb2_grpc.add_HealthServicer_to_server(health, server)


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpcio-health-checking has no types
    """The health of this server's services.

    Args:
        services: the names of all services, "" for the server as a whole.
        on_change: called with a service's name and whether it serves, at once and at every change.
    """

    def __init__(self, services: Iterable[str], on_change: Callable[[str, bool], None]) -> None:
        self._on_change = on_change
        self._statuses = dict.fromkeys(services, Status.NOT_SERVING)
        self._changed = asyncio.Condition()
        self._is_ending = False
        for service in self._statuses:
            on_change(service, False)  # noqa: FBT003  the callback takes it by position

    async def set(self, service: str, *, is_serving: bool) -> None:
        """Sets one service's health and notifies every watcher."""
        status = Status.SERVING if is_serving else Status.NOT_SERVING
        if self._statuses[service] == status:
            return
        async with self._changed:
            self._statuses[service] = status
            self._changed.notify_all()
        self._on_change(service, is_serving)

    async def end_watches(self) -> None:
        """Ends all open and later Watch calls after their next status, so that a stop does not wait for them."""
        async with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Returns a service's status; NOT_FOUND for an unknown service, by the protocol."""
        if (status := self._statuses.get(request.service)) is None:
            known = ", ".join(repr(name) for name in self._statuses)
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service!r}; services: {known}")
        return Status(status=status)

    async def List(self, request: health_pb2.HealthListRequest, context: Context) -> health_pb2.HealthListResponse:
        """Returns all services and their status."""
        return health_pb2.HealthListResponse(
            statuses={name: Status(status=status) for name, status in self._statuses.items()}
        )

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yields a service's status now and at every change; SERVICE_UNKNOWN for an unknown one, by the protocol."""
        sent: int | None = None
        while True:
            async with self._changed:
                while (status := self._watched(request.service)) == sent and not self._is_ending:
                    await self._changed.wait()
            if status == sent:
                return  # woken without a change: the watch ends
            sent = status
            yield Status(status=status)

    def _watched(self, service: str) -> int:
        return int(self._statuses.get(service, Status.SERVICE_UNKNOWN))


async def set_ready(health: Health, services: Iterable[str], *, is_serving: bool) -> None:
    """Sets the health of all services."""
    for service in services:
        await health.set(service, is_serving=is_serving)
