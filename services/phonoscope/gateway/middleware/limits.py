"""Limits on open requests and on request bodies. Built by app.py; the innermost middleware."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phonoscope.gateway.middleware.base import is_api_request, send_problem
from phonoscope.gateway.middleware.request_body import BodyLimits, BodyReader
from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.schemas import RequestModel

# Requests at once whose bodies are larger than those without recordings: each is in memory until its response ends.
MAX_LARGE_BODIES: Final = 16
GATEWAY_FULL: Final = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "GATEWAY_FULL",
    "the gateway has reached its maximum number of open requests; try again shortly",
    retry_after_seconds=1.0,
)


class LimitsMiddleware:
    """Rejects API requests beyond `max_requests` open ones, and reads and checks the bodies of POST requests.

    `body_schemas` has the paths that take a body, and the schema of its JSON.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_requests: int,
        body_limits: BodyLimits,
        body_schemas: Mapping[str, type[RequestModel]],
    ) -> None:
        self._app = app
        self._max_requests = max_requests
        self._body_limits = body_limits
        self._body_schemas = body_schemas
        self._open_requests = 0
        self._large_bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request (ASGI)."""
        if not is_api_request(scope):
            await self._app(scope, receive, send)
        elif self._open_requests >= self._max_requests:
            await send_problem(GATEWAY_FULL, scope, receive, send)
        else:
            self._open_requests += 1
            try:
                await self._pass_on(scope, receive, send)
            finally:
                self._open_requests -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as held:
            try:
                schema = self._body_schemas.get(scope["path"])
                if scope["type"] == "http" and scope["method"] == "POST" and schema is not None:
                    reader = BodyReader(self._body_limits, schema, lambda: held.enter_context(self._large_body()))
                    receive = _replay(await reader.read(scope, receive), receive)
                await self._app(scope, receive, send)
            except ProblemError as error:
                await send_problem(error.problem, scope, receive, send)

    @contextmanager
    def _large_body(self) -> Iterator[None]:
        """Counts a large body; raises ProblemError if there are too many."""
        if self._large_bodies >= MAX_LARGE_BODIES:
            raise ProblemError(GATEWAY_FULL)
        self._large_bodies += 1
        try:
            yield
        finally:
            self._large_bodies -= 1


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that returns a body that was read, and then the connection's later messages."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay
