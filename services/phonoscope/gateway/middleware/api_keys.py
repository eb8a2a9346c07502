"""API keys: a request without a valid one is rejected before its body is read. Built by app.py, if keys are set."""

import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from phonoscope.gateway.middleware.base import is_api_request, send_problem
from phonoscope.gateway.problems import Problem

KEY_PROTOCOL_PREFIX: Final = "key."
KEY_MISSING: Final = Problem(
    HTTPStatus.UNAUTHORIZED,
    "KEY_MISSING",
    'the API key is missing or not valid; send it as "Authorization: Bearer KEY"',
)


class ApiKeyMiddleware:
    """Passes API requests with a valid key; the page, probes and metrics need none.

    Browsers cannot set headers of a WebSocket: there the key is the subprotocol "key.KEY".
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request (ASGI)."""
        if is_api_request(scope) and not self._is_valid_key(_api_key(scope)):
            await send_problem(KEY_MISSING, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_valid_key(self, key: bytes) -> bool:
        matches = [hmac.compare_digest(key, valid) for valid in self._keys]  # all of them: takes the same time
        return any(matches)


def _api_key(scope: Scope) -> bytes:
    headers = Headers(scope=scope)
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip().encode("latin-1")
    protocols = [protocol.strip() for protocol in headers.get("sec-websocket-protocol", "").split(",")]
    keys = [protocol for protocol in protocols if protocol.startswith(KEY_PROTOCOL_PREFIX)]
    return keys[0].removeprefix(KEY_PROTOCOL_PREFIX).encode() if keys else b""
