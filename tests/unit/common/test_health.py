"""grpc.health.v1 on a real server, and its Watch as clients see it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.health import LIVENESS, Health, add_health
from phonoscope.common.interceptors import CallObserver, ErrorMapper

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
SERVICES = ("", "speech", LIVENESS)


class Served:
    """A server with nothing but its health, and a channel to it."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, bool]] = []
        self.health = Health(SERVICES, lambda name, is_serving: self.changes.append((name, is_serving)))
        self.server = build_server([CallObserver(lambda event: None), ErrorMapper(lambda path, error: None)])
        self.stub: Any

    async def check(self, service: str) -> int:
        return (await self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status

    def watch(self, service: str) -> Any:
        return self.stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=60)


async def next_status(watch: Any) -> int:
    reply = await asyncio.wait_for(watch.read(), 5)
    assert reply is not grpc.aio.EOF
    return reply.status


async def has_ended(watch: Any) -> bool:
    return await asyncio.wait_for(watch.read(), 5) is grpc.aio.EOF


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    add_health(served.health, served.server)
    port = bind(served.server, "127.0.0.1", 0)
    await served.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        served.stub = health_pb2_grpc.HealthStub(channel)
        yield served
    await served.server.stop(None)


@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_serves_until_it_is_said_to(served: Served, service: str) -> None:
    assert await served.check(service) == NOT_SERVING
    await served.health.set(service, is_serving=True)
    assert await served.check(service) == SERVING
    for other in set(SERVICES) - {service}:
        assert await served.check(other) == NOT_SERVING
    await served.health.set(service, is_serving=False)
    assert await served.check(service) == NOT_SERVING


async def test_the_first_state_and_every_change_are_reported_once(served: Served) -> None:
    assert served.changes == [(service, False) for service in SERVICES]
    served.changes.clear()
    for is_serving in (False, True, True, False):
        await served.health.set("speech", is_serving=is_serving)
    assert served.changes == [("speech", True), ("speech", False)]


async def test_a_check_of_an_unknown_service_is_not_found_and_names_the_known_ones(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.check("song")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "unknown service 'song'; services: '', 'speech', 'liveness'"


async def test_a_list_has_every_service_with_its_status(served: Served) -> None:
    await served.health.set("speech", is_serving=True)
    listed = await served.stub.List(health_pb2.HealthListRequest(), timeout=5)
    statuses = {name: reply.status for name, reply in listed.statuses.items()}
    assert statuses == {"": NOT_SERVING, "speech": SERVING, LIVENESS: NOT_SERVING}


async def test_a_watch_tells_the_present_status_and_every_change(served: Served) -> None:
    watch, other = served.watch("speech"), served.watch("")
    assert await next_status(watch) == NOT_SERVING
    assert await next_status(other) == NOT_SERVING
    for is_serving in (True, False, True):
        await served.health.set("speech", is_serving=is_serving)
        assert await next_status(watch) == (SERVING if is_serving else NOT_SERVING)
    await served.health.set("", is_serving=True)
    assert await next_status(other) == SERVING, "the changes of another service were told"


async def test_a_watch_of_an_unknown_service_says_so_and_stays_open(served: Served) -> None:
    watch = served.watch("song")
    assert await next_status(watch) == SERVICE_UNKNOWN
    await served.health.set("speech", is_serving=True)
    await served.check("speech")
    assert not watch.done()
    await served.health.end_watches()
    assert await has_ended(watch)


async def test_ending_watches_tells_what_is_left_to_tell_and_ends_those_to_come(served: Served) -> None:
    watch = served.watch("speech")
    assert await next_status(watch) == NOT_SERVING
    await served.health.set("speech", is_serving=True)
    await served.health.end_watches()
    assert await next_status(watch) == SERVING
    assert await has_ended(watch)
    assert await watch.code() is grpc.StatusCode.OK
    late = served.watch("speech")
    assert await next_status(late) == SERVING
    assert await has_ended(late)


async def test_an_open_watch_does_not_hold_up_a_stop(served: Served) -> None:
    watch = served.watch("")
    assert await next_status(watch) == NOT_SERVING
    await served.health.end_watches()
    await asyncio.wait_for(served.server.stop(600), 5)
    assert await watch.code() is grpc.StatusCode.OK


async def test_a_caller_that_leaves_its_watch_leaves_nothing_waiting(served: Served) -> None:
    watch = served.watch("")
    assert await next_status(watch) == NOT_SERVING
    watch.cancel()
    async with asyncio.timeout(5):
        while served.health._changed._waiters:
            await served.check("")  # a round trip, in which the server takes note of the cancel
