"""Limits on open requests, and which requests have their body read."""

import asyncio

import pytest

from phonoscope.gateway.middleware.limits import MAX_LARGE_BODIES, LimitsMiddleware
from phonoscope.gateway.middleware.request_body import BodyLimits
from phonoscope.gateway.schemas import SpeechBody

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def limited():
    def limited(app, max_requests=2):
        return LimitsMiddleware(
            app, max_requests=max_requests, body_limits=BodyLimits(64, 20.0), body_schemas={"/v1/speech": SpeechBody}
        )

    return limited


async def test_a_body_is_read_whole_and_passed_on(inner, limited, client_of):
    async def parts():
        yield b'{"text": '
        yield b'"Hello."}'

    reply = await client_of(limited(inner)).post("/v1/speech", content=parts(), headers=JSON)
    assert reply.content == b'{"text": "Hello."}'


async def test_an_invalid_body_is_rejected_before_the_application(inner, limited, client_of):
    reply = await client_of(limited(inner)).post("/v1/speech", content=b"x" * 65, headers=JSON)
    assert (reply.status_code, reply.json()["reason"], inner.bodies) == (413, "BODY_TOO_LARGE", [])


async def test_openais_routes_get_openais_format_of_errors(inner, client_of):
    app = LimitsMiddleware(
        inner, max_requests=1, body_limits=BodyLimits(64, 20.0), body_schemas={"/v1/audio/speech": SpeechBody}
    )
    reply = await client_of(app).post("/v1/audio/speech", content=b"x" * 65, headers=JSON)
    assert reply.json()["error"]["code"] == "BODY_TOO_LARGE"


async def test_requests_beyond_the_maximum_are_rejected_until_one_ends(limited, client_of):
    opened, may_end = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        opened.set()
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    http = client_of(limited(slow, max_requests=1))
    first = asyncio.create_task(http.get("/v1/voices"))
    await opened.wait()
    reply = await http.get("/v1/voices")
    assert (reply.status_code, reply.json()["reason"], reply.headers["retry-after"]) == (503, "GATEWAY_FULL", "1")
    may_end.set()
    assert (await first).status_code == 200
    assert (await http.get("/v1/voices")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200


async def test_a_request_that_fails_is_no_longer_open(limited, client_of):
    async def failing(scope, receive, send):
        raise RuntimeError("a defect")

    http = client_of(limited(failing, max_requests=1))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await http.get("/v1/voices")


async def test_only_so_many_large_bodies_are_held_at_once(client_of):
    may_end, held = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(scope, receive, send):
        held.release()
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limits = BodyLimits(8, 20.0, max_recording_bytes=64)
    app = LimitsMiddleware(slow, max_requests=100, body_limits=limits, body_schemas={"/v1/speech": SpeechBody})
    http = client_of(app)

    def posted(body):
        return http.post("/v1/speech", content=body, headers=JSON)

    large = b'{"reference": {}}'
    first = [asyncio.create_task(posted(large)) for _ in range(MAX_LARGE_BODIES)]
    for _ in first:
        await held.acquire()
    reply = await posted(large)
    assert (reply.status_code, reply.json()["reason"]) == (503, "GATEWAY_FULL")
    small = asyncio.create_task(posted(b"{}"))
    await held.acquire()
    may_end.set()
    assert {reply.status_code for reply in await asyncio.gather(*first, small)} == {200}
    assert (await posted(large)).status_code == 200
