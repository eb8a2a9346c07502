"""The gateway's story: what answers which path, and what surrounds it. Built by `__main__`.

A request passes TelemetryMiddleware, CORS, ApiKeyMiddleware and LimitsMiddleware (middleware.py), which reads its
body, then FastAPI finds its route; the route asks the speech server through Backend and answers with
speech_response.py. Whatever fails becomes a problem by one table (problems.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from phonoscope import __version__
from phonoscope.common.exposition import Exposition
from phonoscope.gateway.backend.base import Backend, BackendError
from phonoscope.gateway.disconnects import ClientDisconnected
from phonoscope.gateway.events import OTHER
from phonoscope.gateway.middleware import (
    CLIENT_CLOSED_REQUEST,
    SWITCHING_PROTOCOLS,
    ApiKeyMiddleware,
    LimitsMiddleware,
    TelemetryMiddleware,
    record_outcome,
)
from phonoscope.gateway.openai_routes import openai_routes
from phonoscope.gateway.openapi import STATUSES
from phonoscope.gateway.problems import Problem, ProblemError, problem_from_error, problem_response
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.request_timeout import TIMEOUT_HEADER
from phonoscope.gateway.schemas import LegacyBody, OpenAiBody, SpeechBody
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.speech_routes import speech_routes
from phonoscope.gateway.speech_socket import SpeechSocket
from phonoscope.gateway.telemetry import Telemetry
from phonoscope.gateway.validation_errors import SchemaClass, problem_from_validation

SOCKET_PATH: Final = "/v1/speech/stream"
BODY_SCHEMAS: Final[Mapping[str, SchemaClass]] = {
    "/v1/speech": SpeechBody,
    "/v1/audio/speech": OpenAiBody,
    "/api/tts": LegacyBody,
}
EXPOSED_HEADERS: Final = ("X-Request-Id", "X-Voice", "X-Sample-Rate", "X-Seed", "X-Trace-Id", "Retry-After")
PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/speech.js": ("speech.js", "text/javascript; charset=utf-8"),
    "/reading.js": ("reading.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def build_app(settings: GatewaySettings, backend: Backend, readiness: Readiness, telemetry: Telemetry) -> ASGIApp:
    """Returns the whole application, watched and bounded."""
    api = FastAPI(
        title="Phonoscope",
        version=__version__,
        summary="Text to speech over HTTP. Errors are problem+json (RFC 9457), with a stable `reason`.",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    api.include_router(speech_routes(backend, telemetry.emit, settings.timeout_seconds))
    api.include_router(
        openai_routes(
            backend,
            telemetry.emit,
            settings.timeout_seconds,
            models=settings.models,
            voices=settings.voice_aliases,
        )
    )
    _add_websocket(api, backend, telemetry, settings)
    _add_probes(api, readiness, telemetry)
    _add_page(api, settings)
    _add_errors(api, telemetry)
    api.openapi = _document(api)  # type: ignore[method-assign]  # FastAPI's own way to change the document
    app: ASGIApp = LimitsMiddleware(
        api,
        max_requests=settings.max_requests,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.idle_seconds,
        body_paths=BODY_SCHEMAS,
    )
    if settings.keys:  # before a body is read
        app = ApiKeyMiddleware(app, settings.keys)
    if settings.origins:  # around every refusal, or a page from elsewhere could not read it
        app = CORSMiddleware(
            app,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Traceparent", TIMEOUT_HEADER],
            expose_headers=EXPOSED_HEADERS,
        )
    return TelemetryMiddleware(app, telemetry, {route for _, route, _ in endings()} - {OTHER})


def endings() -> list[tuple[str, str, int]]:
    """Returns each (method, route, status) that can happen."""
    speech = [("POST", path) for path in BODY_SCHEMAS] + [("GET", "/v1/voices"), ("GET", "/v1/models")]
    return [
        *((method, route, status) for method, route in speech for status in (*STATUSES, CLIENT_CLOSED_REQUEST)),
        *(("GET", SOCKET_PATH, status) for status in (SWITCHING_PROTOCOLS, 400, 401, 408, 429, 500, 501, 503, 504)),
        *(("GET", route, status) for route in ("/readyz",) for status in (200, 503)),
        *(("GET", route, 200) for route in ("/healthz", "/metrics", "/openapi.json", *PAGE)),
        *((method, OTHER, 404) for method in ("GET", "POST")),
    ]


def _add_websocket(api: FastAPI, backend: Backend, telemetry: Telemetry, settings: GatewaySettings) -> None:
    @api.websocket(SOCKET_PATH)
    async def stream(socket: WebSocket) -> None:
        await SpeechSocket(
            socket,
            backend,
            telemetry.emit,
            idle_seconds=settings.idle_seconds,
            max_timeout_seconds=settings.timeout_seconds,
        ).serve()


def _add_probes(api: FastAPI, readiness: Readiness, telemetry: Telemetry) -> None:
    exposition = Exposition(telemetry.registry, telemetry.logger)

    @api.get("/healthz", response_class=PlainTextResponse, include_in_schema=False)
    async def alive() -> str:
        return "ok\n"

    @api.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        if await readiness.is_ready():
            return PlainTextResponse("ready\n")
        words = "this gateway is about to stop\n" if readiness.is_draining else "the speech server is not SERVING\n"
        return PlainTextResponse(words, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"})

    @api.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        accept, encoding = (request.headers.get(name, "") for name in ("accept", "accept-encoding"))
        page = await asyncio.to_thread(exposition.page, accept, encoding)
        headers = {"Content-Type": page.content_type} | ({"Content-Encoding": "gzip"} if page.is_gzip else {})
        return Response(page.body, headers=headers)


def _add_page(api: FastAPI, settings: GatewaySettings) -> None:
    folder = files("phonoscope.gateway").joinpath("page")

    def add(path: str, content: bytes, media_type: str) -> None:
        @api.get(path, include_in_schema=False)
        async def page() -> Response:
            return Response(content, headers=PAGE_HEADERS, media_type=media_type)

    for path, (name, media_type) in PAGE.items():
        content = folder.joinpath(name).read_bytes()
        if path == "/":
            content = content.replace(b"{{trace_url}}", _escaped(settings.trace_url).encode())
        add(path, content, media_type)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _add_errors(api: FastAPI, telemetry: Telemetry) -> None:
    def answering(make: Callable[[Any, str], Problem]) -> Callable[[Request, Any], Awaitable[Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            problem = make(error, request.url.path)
            record_outcome(request.scope, int(problem.status), problem.reason)
            return problem_response(problem, request.url.path)

        return handle

    async def left(request: Request, _error: Exception) -> Response:
        record_outcome(request.scope, CLIENT_CLOSED_REQUEST)
        return Response(status_code=CLIENT_CLOSED_REQUEST)  # to nobody

    async def failed(request: Request, error: Exception) -> Response:
        telemetry.logger.error("gateway_failed", route=getattr(request.scope.get("route"), "path", ""), exc_info=error)
        problem = Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "GATEWAY_FAILED", "the gateway failed; its log has the traceback"
        )
        return problem_response(problem, request.url.path)

    api.add_exception_handler(RequestValidationError, answering(_bad_body))
    api.add_exception_handler(ProblemError, answering(lambda error, _path: error.problem))
    api.add_exception_handler(BackendError, answering(lambda error, _path: problem_from_error(error)))
    api.add_exception_handler(HTTPException, answering(_http_problem))
    api.add_exception_handler(ClientDisconnected, left)
    api.add_exception_handler(Exception, failed)


def _bad_body(error: RequestValidationError, path: str) -> Problem:
    return problem_from_validation(error.errors(), BODY_SCHEMAS.get(path))


def _http_problem(error: HTTPException, path: str) -> Problem:
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return Problem(
            status, "PATH_UNKNOWN", f"there is nothing at {path[:100]!r}; /openapi.json lists what there is"
        )
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem(
            status,
            "METHOD_UNKNOWN",
            "that path has other methods; /openapi.json lists them",
            allow=(error.headers or {}).get("Allow", ""),
        )
    return Problem(status, "BODY_INVALID", str(error.detail))


def _document(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """Returns FastAPI's document without the 422 that it promises for every body: here that is a 400."""
    original = api.openapi

    def document() -> dict[str, Any]:
        made = original()
        for path in made["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            made.get("components", {}).get("schemas", {}).pop(name, None)
        return made

    return document
