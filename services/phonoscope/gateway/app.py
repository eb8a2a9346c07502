"""The story of a request: the middleware around it, and the routes that serve it. Built by `__main__`.

A request passes AbsoluteTargetMiddleware, TelemetryMiddleware, CORS, HeadMiddleware, ApiKeyMiddleware and
LimitsMiddleware (middleware/), which reads its body.
FastAPI then finds its route; the route calls the speech server through the backend and returns a SpeechResponse, which
sends audio while the rest is being synthesized. Exceptions become problems by one table (problems.py).
"""

from typing import Final

from fastapi import FastAPI, WebSocket
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from phonoscope import __version__
from phonoscope.common.exposition import Exposition
from phonoscope.gateway.backend.base import Backend
from phonoscope.gateway.body_schemas import BODY_SCHEMAS
from phonoscope.gateway.error_handlers import add_error_handlers
from phonoscope.gateway.events import OTHER
from phonoscope.gateway.middleware.api_keys import ApiKeyMiddleware
from phonoscope.gateway.middleware.http_semantics import AbsoluteTargetMiddleware, HeadMiddleware
from phonoscope.gateway.middleware.limits import LimitsMiddleware
from phonoscope.gateway.middleware.request_body import BodyLimits
from phonoscope.gateway.middleware.telemetry import TelemetryMiddleware
from phonoscope.gateway.openai_routes import IGNORED_HEADER, MODEL_PATH, OpenAiRoutes
from phonoscope.gateway.openapi import STATUSES, document_of
from phonoscope.gateway.page_routes import PAGE, page_routes
from phonoscope.gateway.probe_routes import ProbeRoutes
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.request_outcome import CLIENT_CLOSED_REQUEST, SWITCHING_PROTOCOLS
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.speech_routes import SpeechRoutes
from phonoscope.gateway.speech_socket import SpeechSocket
from phonoscope.gateway.telemetry import Telemetry

SOCKET_PATH: Final = "/v1/speech/stream"
LISTS: Final = ("/v1/voices", "/v1/models", MODEL_PATH, "/v1/audio/voices", "/v1/audio/models")
DOCUMENTS: Final = ("/openapi.json", *PAGE)
EXPOSED_HEADERS: Final = (
    "X-Request-Id",
    "X-Voice",
    "X-Sample-Rate",
    "X-Seed",
    "X-Trace-Id",
    "X-Emotion-Fallback",
    "Retry-After",
    IGNORED_HEADER,
)


def build_app(settings: GatewaySettings, backend: Backend, readiness: Readiness, telemetry: Telemetry) -> ASGIApp:
    """Returns the whole application: middleware around routes."""
    api = _build_api(settings, backend, readiness, telemetry)
    app: ASGIApp = LimitsMiddleware(
        api,
        max_requests=settings.max_requests,
        body_limits=body_limits(settings),
        body_schemas=BODY_SCHEMAS,
    )
    if settings.keys:  # before a body is read
        app = ApiKeyMiddleware(app, settings.keys)
    app = HeadMiddleware(app)
    if settings.origins:  # outside the others, so that pages of other origins can read every error
        app = CORSMiddleware(
            app,
            allow_origins=settings.origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],  # OpenAI's package sends a family of its own; which origins may call is the limit
            expose_headers=EXPOSED_HEADERS,
        )
    return AbsoluteTargetMiddleware(TelemetryMiddleware(app, telemetry, _route_of))


def body_limits(settings: GatewaySettings) -> BodyLimits:
    """Returns the limits of request bodies and of WebSocket messages."""
    return BodyLimits(settings.max_body_bytes, settings.idle_seconds, settings.max_recording_bytes)


def _route_of(path: str) -> str:
    """Returns the route of a path, OTHER for paths without one, so that metrics have a bounded number of routes."""
    if path.startswith(MODEL_PATH.partition("{")[0]):
        return MODEL_PATH
    return path if path in ROUTES else OTHER


def endings() -> list[tuple[str, str, int]]:
    """Returns each (method, route, status) that a request can end with."""
    speech = [("POST", path) for path in BODY_SCHEMAS] + [("GET", path) for path in LISTS]
    return [
        *((method, route, status) for method, route in speech for status in (*STATUSES, CLIENT_CLOSED_REQUEST)),
        *(("GET", SOCKET_PATH, status) for status in (SWITCHING_PROTOCOLS, 400, 401, 408, 429, 500, 501, 503, 504)),
        *((method, "/readyz", status) for method in ("GET", "HEAD") for status in (200, 503)),
        *((method, route, 200) for method in ("GET", "HEAD") for route in ("/healthz", "/metrics", *DOCUMENTS)),
        *((method, OTHER, 404) for method in ("GET", "HEAD", "POST")),
    ]


ROUTES: Final = frozenset(route for _, route, _ in endings()) - {OTHER}


def _build_api(settings: GatewaySettings, backend: Backend, readiness: Readiness, telemetry: Telemetry) -> FastAPI:
    api = FastAPI(
        title="Phonoscope",
        version=__version__,
        summary="Text to speech over HTTP. Errors are problem+json (RFC 9457), with a stable `reason`.",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    max_seconds = settings.timeout_seconds
    speech = SpeechRoutes(backend, telemetry.emit, max_seconds)
    openai = OpenAiRoutes(
        backend,
        telemetry.emit,
        max_seconds,
        models=settings.models,
        voices=settings.voice_aliases,
        is_strict=settings.openai_strict,
    )
    probes = ProbeRoutes(readiness, Exposition(telemetry.registry, telemetry.logger))
    for router in (speech.router(), openai.router(), probes.router(), page_routes(settings.trace_url)):
        api.include_router(router)
    _add_socket(api, settings, backend, telemetry)
    add_error_handlers(api, telemetry.logger)
    api.openapi = document_of(api)  # type: ignore[method-assign]  # FastAPI's own way to change the document
    return api


def _add_socket(api: FastAPI, settings: GatewaySettings, backend: Backend, telemetry: Telemetry) -> None:
    @api.websocket(SOCKET_PATH)
    async def stream(socket: WebSocket) -> None:
        await SpeechSocket(
            socket,
            backend,
            telemetry.emit,
            idle_seconds=settings.idle_seconds,
            max_timeout_seconds=settings.timeout_seconds,
        ).serve()
