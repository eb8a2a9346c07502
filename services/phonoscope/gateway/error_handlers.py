"""Exceptions of routes as responses: each becomes a problem. Registered by app.py."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from phonoscope.gateway.backend.base import BackendError
from phonoscope.gateway.body_schemas import BODY_SCHEMAS
from phonoscope.gateway.disconnects import ClientDisconnected
from phonoscope.gateway.logs import Logger
from phonoscope.gateway.problems import Problem, ProblemError, problem_from_error, problem_response
from phonoscope.gateway.request_outcome import CLIENT_CLOSED_REQUEST, record_outcome
from phonoscope.gateway.validation_errors import problem_from_validation

GATEWAY_FAILED: Final = Problem(
    HTTPStatus.INTERNAL_SERVER_ERROR, "GATEWAY_FAILED", "internal error in the gateway; its log has the traceback"
)


def add_error_handlers(api: FastAPI, logger: Logger) -> None:
    """Registers a handler for every exception that a route can raise."""

    async def handle_defect(request: Request, error: Exception) -> Response:
        logger.error("gateway_failed", route=getattr(request.scope.get("route"), "path", ""), exc_info=error)
        return problem_response(GATEWAY_FAILED, request.url.path)

    for expected in (RequestValidationError, ProblemError, BackendError, HTTPException):
        api.add_exception_handler(expected, _handle_expected)
    api.add_exception_handler(ClientDisconnected, _handle_disconnect)
    api.add_exception_handler(Exception, handle_defect)


async def _handle_expected(request: Request, error: Exception) -> Response:
    problem = _problem(error, request.url.path)
    record_outcome(request.scope, int(problem.status), problem.reason)
    return problem_response(problem, request.url.path)


async def _handle_disconnect(request: Request, _error: Exception) -> Response:
    record_outcome(request.scope, CLIENT_CLOSED_REQUEST)
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # nobody receives it


def _problem(error: Exception, path: str) -> Problem:
    match error:
        case ProblemError():
            return error.problem
        case BackendError():
            return problem_from_error(error, path)
        case RequestValidationError():
            return problem_from_validation(error.errors(), BODY_SCHEMAS.get(path))
        case HTTPException():
            return _http_problem(error, path)
        case _:
            raise error


def _http_problem(error: HTTPException, path: str) -> Problem:
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return Problem(status, "PATH_UNKNOWN", f"path {path[:100]!r} does not exist; /openapi.json lists all paths")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem(
            status,
            "METHOD_UNKNOWN",
            "this path does not support the method; the header Allow lists those that it supports",
            allow=_allowed_methods(error.headers or {}),
        )
    return Problem(status, "BODY_INVALID", str(error.detail))


def _allowed_methods(headers: Mapping[str, str]) -> str:
    """Returns the methods that the routes name, and HEAD beside GET: middleware/http_semantics.py serves that."""
    allowed = headers.get("Allow", "").split(", ")
    return ", ".join([*allowed, "HEAD"] if "GET" in allowed else allowed)
