"""grpc.health.v1 that tells the truth: every service is NOT_SERVING until it is said to serve.

Built by `__main__`, served by `grpc_server.py`. The stock aio servicer reports "" as SERVING from birth and lets an
open Watch hold up the stop; this one does neither. Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
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
    """Serves grpc.health.v1 on that server."""
    health_pb2_grpc.add_HealthServicer_to_server(health, server)


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpcio-health-checking has no types
    """The health of this server's services.

    Args:
        services: their names, "" for the server as a whole; more are not known.
        on_change: told each service's name and whether it serves, at once and at every change.
    """

    def __init__(self, services: Iterable[str], on_change: Callable[[str, bool], None]) -> None:
        self._on_change = on_change
        self._statuses = dict.fromkeys(services, Status.NOT_SERVING)
        self._changed = asyncio.Condition()
        self._is_ending = False
        for service in self._statuses:
            on_change(service, False)  # noqa: FBT003  the callback takes it by position

    async def set(self, service: str, *, is_serving: bool) -> None:
        """Sets one service's health and tells every watcher."""
        status = Status.SERVING if is_serving else Status.NOT_SERVING
        if self._statuses[service] == status:
            return
        async with self._changed:
            self._statuses[service] = status
            self._changed.notify_all()
        self._on_change(service, is_serving)

    async def end_watches(self) -> None:
        """Ends every open Watch, and those to come, after their next status: a stop need not wait for them."""
        async with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Answers once; an unknown service is NOT_FOUND, as the protocol has it."""
        if (status := self._statuses.get(request.service)) is None:
            known = ", ".join(repr(name) for name in self._statuses)
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here; services: {known}")
        return Status(status=status)

    async def List(self, request: health_pb2.HealthListRequest, context: Context) -> health_pb2.HealthListResponse:
        """Answers with every service and its status."""
        return health_pb2.HealthListResponse(
            statuses={name: Status(status=status) for name, status in self._statuses.items()}
        )

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Answers at once and at every change; an unknown service is SERVICE_UNKNOWN, as the protocol has it."""
        told: int | None = None
        while True:
            async with self._changed:
                while (status := self._watched(request.service)) == told and not self._is_ending:
                    await self._changed.wait()
            if status == told:
                return  # nothing new to tell, so it is the end
            told = status
            yield Status(status=status)

    def _watched(self, service: str) -> int:
        return int(self._statuses.get(service, Status.SERVICE_UNKNOWN))
