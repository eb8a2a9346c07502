"""An innermost application that records what it is called with, and a client for whatever is around it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send


class Inner:
    """Responds 200 with the first part of the request's body."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        if scope["method"] == "POST":
            body = (await receive())["body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def client_of() -> Callable[[ASGIApp], Any]:
    """Returns a client of an application; the telemetry middleware, which is not there, would make the state."""

    def client_of(app: ASGIApp) -> httpx.AsyncClient:
        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})
            await app(scope, receive, send)

        return httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://gateway")

    return client_of
