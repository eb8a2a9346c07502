"""The telemetry of every request: its span, and its events for metrics and log. Built by app.py; outermost."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phonoscope.common import span_attributes as names
from phonoscope.gateway.events import OTHER, RequestEnded, RequestStarted
from phonoscope.gateway.request_outcome import CLIENT_CLOSED_REQUEST, OUTCOME, STARTED_AT, SWITCHING_PROTOCOLS
from phonoscope.gateway.telemetry import Telemetry

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")
TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


class TelemetryMiddleware:
    """Gives every request a span, which is the parent of its calls to the speech server, and emits its events.

    `route_of` returns the route of a path, of which there is a bounded number, for metrics and spans.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, route_of: Callable[[str], str]) -> None:
        self._app = app
        self._telemetry = telemetry
        self._route_of = route_of
        self._tracer = telemetry.tracing.tracer(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        started_at = time.perf_counter()
        scope.setdefault("state", {})[STARTED_AT] = started_at
        method = _method(scope)
        recorder = _ResponseRecorder(send)
        self._telemetry.emit(RequestStarted(method))
        span = self._start_span(scope, method)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                await self._app(scope, receive, recorder)
            finally:
                self._end(scope, method, recorder, time.perf_counter() - started_at, span)

    def _start_span(self, scope: Scope, method: str) -> Span:
        parent = TRACE_CONTEXT.extract(dict(Headers(scope=scope)))
        return self._tracer.start_span(method, parent, SpanKind.SERVER)

    def _end(self, scope: Scope, method: str, recorder: "_ResponseRecorder", seconds: float, span: Span) -> None:
        route = self._route_of(scope["path"])
        status, reason = scope["state"].get(OUTCOME, (recorder.status, ""))
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {names.HTTP_METHOD: method, names.HTTP_ROUTE: route, names.HTTP_STATUS: status, names.REASON: reason}
        )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR, reason))
        self._telemetry.emit(RequestEnded(method, route, status, seconds, recorder.sent_bytes, reason))


def _method(scope: Scope) -> str:
    method: str = scope.get("method", "GET")
    return method if method in METHODS else OTHER


class _ResponseRecorder:
    """Passes a response on, and records its status and size."""

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
