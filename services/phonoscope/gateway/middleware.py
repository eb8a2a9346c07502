"""What surrounds every request: a span, metrics and a line of the log; bounds on bodies and on how much is open; keys.

Plain ASGI, outermost first: TelemetryMiddleware, ApiKeyMiddleware, LimitsMiddleware, then the application.
`scope["state"]` carries what inner parts tell outer ones.
"""

import asyncio
import hmac
import time
from collections.abc import Container, Sequence
from http import HTTPStatus
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phonoscope.common import span_attributes as names
from phonoscope.gateway.events import OTHER, RequestEnded, RequestStarted
from phonoscope.gateway.problems import Problem, ProblemError, problem_response
from phonoscope.gateway.telemetry import Telemetry

STARTED_AT: Final = "arrived"
OUTCOME: Final = "ending"
CLIENT_CLOSED_REQUEST: Final = 499
METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")
SWITCHING_PROTOCOLS: Final = 101
TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
API_PREFIXES: Final = ("/v1/", "/api/")
KEY_PROTOCOL_PREFIX: Final = "key."


def record_outcome(scope: Scope, status: int, reason: str = "") -> None:
    """Notes how a request ends, where the status that was sent does not say it."""
    scope["state"][OUTCOME] = (status, reason)


class TelemetryMiddleware:
    """Gives every request its span, whose context calls to the speech server join, its metrics and its log line.

    `routes` are the paths that are served, none of which has parameters: any other is OTHER in metrics and spans.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, routes: Container[str]) -> None:
        self._app = app
        self._telemetry = telemetry
        self._routes = routes
        self._tracer = telemetry.tracing.tracer(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        scope.setdefault("state", {})[STARTED_AT] = began
        method = scope.get("method", "GET") if scope.get("method", "GET") in METHODS else OTHER
        sent = _ResponseRecorder(send)
        self._telemetry.emit(RequestStarted(method))
        parent = TRACE_CONTEXT.extract(dict(Headers(scope=scope)))
        span = self._tracer.start_span(method, parent, SpanKind.SERVER)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                await self._app(scope, receive, sent)
            finally:
                self._end(scope, method, sent, time.perf_counter() - began, span)

    def _end(self, scope: Scope, method: str, sent: "_ResponseRecorder", seconds: float, span: Span) -> None:
        route = scope["path"] if scope["path"] in self._routes else OTHER
        status, reason = scope["state"].get(OUTCOME, (sent.status, ""))
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {names.HTTP_METHOD: method, names.HTTP_ROUTE: route, names.HTTP_STATUS: status, names.REASON: reason}
        )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR, reason))
        self._telemetry.emit(RequestEnded(method, route, status, seconds, sent.sent_bytes, reason))


class _ResponseRecorder:
    """Passes an answer on, and remembers its status and size."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = CLIENT_CLOSED_REQUEST
        self.sent_bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
        elif message["type"] == "websocket.accept":
            self.status = SWITCHING_PROTOCOLS
        elif message["type"] == "websocket.close" and self.status != SWITCHING_PROTOCOLS:
            self.status = HTTPStatus.FORBIDDEN
        self.sent_bytes += len(message.get("body") or message.get("bytes") or b"")
        await self._send(message)


class LimitsMiddleware:
    """Refuses what would be too much: requests beyond so many at once, bodies beyond so many bytes or seconds.

    Bodies are JSON, and are read here, on the paths that take one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_requests: int,
        max_body_bytes: int,
        body_seconds: float,
        body_paths: Container[str],
    ) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._body_paths = body_paths
        self._max_requests = max_requests
        self._max_body_bytes = max_body_bytes
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(API_PREFIXES):
            await self._app(scope, receive, send)
            return
        if self._open >= self._max_requests:
            await send_problem(GATEWAY_FULL, scope, receive, send)
            return
        self._open += 1
        try:
            if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._body_paths:
                receive = await self._read(scope, receive)
            await self._app(scope, receive, send)
        except ProblemError as refusal:
            await send_problem(refusal.problem, scope, receive, send)
        finally:
            self._open -= 1

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """Reads a body of JSON, which is all that routes take, and returns a `receive` that gives it, then the rest.

        Raises:
            RequestRefused: it is too large, stated or sent, or no JSON by its type or its bytes.
        """
        headers, parts, taken = Headers(scope=scope), [], 0
        stated = headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self._max_body_bytes:
            raise self._body_too_large()
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _CONTENT_TYPE_UNKNOWN
        more = True
        try:
            async with asyncio.timeout(self._body_seconds):
                while more:
                    message = await receive()
                    parts.append(message.get("body", b""))
                    taken += len(parts[-1])
                    if taken > self._max_body_bytes:
                        raise self._body_too_large()
                    more = message.get("more_body", False)
        except TimeoutError:
            raise self._body_late() from None
        return _replay(_require_utf8(b"".join(parts)), receive)

    def _body_late(self) -> ProblemError:
        detail = f"the body was not all there after {self._body_seconds:g} s; send it at once"
        return ProblemError(Problem(HTTPStatus.REQUEST_TIMEOUT, "BODY_LATE", detail))

    def _body_too_large(self) -> ProblemError:
        return ProblemError(
            Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "BODY_TOO_LARGE",
                f"the body is larger than {self._max_body_bytes} bytes; send less text, or pieces by WebSocket",
            )
        )


def _require_utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        detail = f"the body is no UTF-8: {error.reason} at byte {error.start}; send JSON in UTF-8"
        raise ProblemError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", detail)) from None
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that gives a body, and then what the connection has to say."""
    waiting = [body]

    async def given() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return given


_CONTENT_TYPE_UNKNOWN: Final = ProblemError(
    Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "CONTENT_TYPE_UNKNOWN",
        "the body has to be JSON; send Content-Type: application/json",
    )
)
GATEWAY_FULL: Final = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "GATEWAY_FULL",
    "the gateway holds as many requests as it may; try again shortly",
    retry_after_seconds=1.0,
)
KEY_MISSING: Final = Problem(
    HTTPStatus.UNAUTHORIZED, "KEY_MISSING", 'send one of the gateway\'s keys as "Authorization: Bearer KEY"'
)


class ApiKeyMiddleware:
    """Lets callers with a key through; the page, probes and metrics need none.

    A browser cannot give a WebSocket headers, so there a subprotocol "key.KEY" does it.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        is_open = scope["type"] == "lifespan" or not scope["path"].startswith(API_PREFIXES)
        if is_open or self._is_valid_key(_api_key(scope)):
            await self._app(scope, receive, send)
        else:
            await send_problem(KEY_MISSING, scope, receive, send)

    def _is_valid_key(self, key: bytes) -> bool:
        matches = [hmac.compare_digest(key, known) for known in self._keys]  # every one, in the same time
        return any(matches)


def _api_key(scope: Scope) -> bytes:
    headers = Headers(scope=scope)
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip().encode("latin-1")
    offered = [protocol.strip() for protocol in headers.get("sec-websocket-protocol", "").split(",")]
    return next(
        (o.removeprefix(KEY_PROTOCOL_PREFIX) for o in offered if o.startswith(KEY_PROTOCOL_PREFIX)), ""
    ).encode()


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with a problem; a WebSocket is not accepted, and says why where the server can (ASGI's extension)."""
    record_outcome(scope, int(problem.status), problem.reason)
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        closing: dict[str, Any] = {"type": "websocket.close", "code": 1008, "reason": problem.reason}
        await send(closing)
        return
    await problem_response(problem, scope["path"])(scope, receive, send)
