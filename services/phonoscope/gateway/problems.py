"""Errors as HTTP responses: the one table of statuses, and problem+json (RFC 9457) or OpenAI's format.

reason      the stable name of the cause: the speech server's, or one of REASONS below; also in `type`
errors      the fields that are not valid, each with how to fix it
retry_after seconds after which the same request can succeed; also in the header Retry-After
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from phonoscope.common.errors import FieldViolation, PhonoscopeError
from phonoscope.gateway.backend.base import BackendError, Code
from phonoscope.gateway.field_names import FieldNames, field_names

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1.0

REASONS: Final = (
    "BODY_INVALID",
    "BODY_TOO_LARGE",
    "BODY_LATE",
    "CONTENT_TYPE_UNKNOWN",
    "KEY_MISSING",
    "TIMEOUT_INVALID",
    "MODEL_UNKNOWN",
    "PATH_UNKNOWN",
    "METHOD_UNKNOWN",
    "MESSAGE_OUT_OF_TURN",
    "SOCKET_IDLE",
    "GATEWAY_FULL",
    "GATEWAY_FAILED",
)

STATUS_OF: Final[Mapping[Code, HTTPStatus]] = {
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "OUT_OF_RANGE": HTTPStatus.BAD_REQUEST,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "UNIMPLEMENTED": HTTPStatus.NOT_IMPLEMENTED,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "CANCELLED": HTTPStatus.SERVICE_UNAVAILABLE,
    "DEADLINE_EXCEEDED": HTTPStatus.GATEWAY_TIMEOUT,
    # The speech server, or a proxy before it, rejects the gateway itself: the caller cannot fix that.
    "UNAUTHENTICATED": HTTPStatus.BAD_GATEWAY,
    "PERMISSION_DENIED": HTTPStatus.BAD_GATEWAY,
}
"""The speech server's error code to HTTP status; every other code is 500."""

RETRYABLE: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# In place of the transport's messages.
_TRANSPORT_DETAILS: Final = {
    HTTPStatus.SERVICE_UNAVAILABLE: "the speech server is not available; try again shortly",
    HTTPStatus.GATEWAY_TIMEOUT: "the deadline was exceeded; send less text, or a larger X-Timeout-Seconds",
    HTTPStatus.BAD_GATEWAY: "the speech server rejected the gateway's credentials; see the gateway's log",
    HTTPStatus.NOT_IMPLEMENTED: "the speech server does not implement this method; upgrade the speech server",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request failed, for programs and for people; `allow` is for the header of a 405."""

    status: HTTPStatus
    reason: str
    detail: str
    errors: Sequence[FieldViolation] = ()
    retry_after_seconds: float | None = None
    allow: str = ""

    def body(self) -> dict[str, object]:
        """Returns the members of problem+json."""
        members: dict[str, object] = {
            "type": f"urn:phonoscope:reason:{self.reason}" if self.reason else "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "reason": self.reason,
        }
        if self.errors:
            members["errors"] = [{"field": error.field, "detail": error.description} for error in self.errors]
        if self.retry_after_seconds is not None:
            members["retry_after"] = self.retry_after_seconds
        return members

    def openai_body(self) -> dict[str, object]:
        """Returns the error in OpenAI's format."""
        kind = "invalid_request_error" if self.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        field = self.errors[0].field if self.errors else None
        return {"error": {"message": self.detail, "type": kind, "param": field, "code": self.reason or None}}

    def headers(self) -> dict[str, str]:
        """Returns the header that the status requires; Retry-After is in whole seconds."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": "Bearer"}
        if self.allow:
            return {"Allow": self.allow}
        if self.retry_after_seconds is None:
            return {}
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_seconds)))}


class ProblemError(PhonoscopeError):
    """The gateway rejects a request; the response is `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def field_error(field: str, description: str, *, reason: str = "BODY_INVALID") -> ProblemError:
    """Returns the error for one field."""
    violation = FieldViolation(field, description)
    return ProblemError(Problem(HTTPStatus.BAD_REQUEST, reason, f"{field}: {description}", (violation,)))


def problem_from_error(error: BackendError, path: str = "") -> Problem:
    """Returns the problem that a failed call to the speech server is for a client of `path`."""
    status, names = STATUS_OF.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR), field_names(path)
    violations = [FieldViolation(names.member(v.field), names.reworded(v.description)) for v in error.violations]
    retry = error.retry_after_seconds
    if retry is None and status in RETRYABLE:
        retry = RETRY_SECONDS
    return Problem(
        status,
        error.reason or error.code,
        _detail(error, status, violations, names),
        violations,
        retry,
    )


def _detail(error: BackendError, status: HTTPStatus, violations: Sequence[FieldViolation], names: FieldNames) -> str:
    """Returns the server's message; ours if the transport failed, whose message has internal addresses."""
    if violations:
        return "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    if error.reason:
        return names.reworded(error.message)
    return _TRANSPORT_DETAILS.get(status) or f"the speech server failed ({error.code}); see its log"


def problem_response(problem: Problem, path: str) -> Response:
    """Returns the response to a request for `path`: problem+json, or OpenAI's format on its routes."""
    is_openai = path.startswith(("/v1/audio/", "/v1/models"))
    body, media_type = (problem.openai_body(), "application/json") if is_openai else (problem.body(), MEDIA_TYPE)
    return Response(json.dumps(body), int(problem.status), problem.headers(), media_type)
