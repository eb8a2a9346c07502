"""Errors as HTTP answers: the one table, and problem+json (RFC 9457). OpenAI's routes dress them otherwise.

reason      the stable name of the cause, the speech server's or one of REASONS below; also in `type`
errors      the fields at fault, each with what to do
retry_after seconds, where the same request can succeed later; also the header Retry-After
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from phonoscope.common.errors import FieldViolation, PhonoscopeError
from phonoscope.gateway.backend.base import BackendError, Code

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
    # The speech server, or a proxy before it, refuses the gateway itself: nothing that the caller could mend.
    "UNAUTHENTICATED": HTTPStatus.BAD_GATEWAY,
    "PERMISSION_DENIED": HTTPStatus.BAD_GATEWAY,
}
"""The speech server's error code to HTTP status; every other code is 500."""

RETRYABLE: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request, for programs and for people."""

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
        """Returns the error as OpenAI's API has it, which its clients parse."""
        kind = "invalid_request_error" if self.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        field = self.errors[0].field if self.errors else None
        return {"error": {"message": self.detail, "type": kind, "param": field, "code": self.reason or None}}

    def headers(self) -> dict[str, str]:
        """Returns the header that the status asks for; Retry-After in whole seconds, as it wants them."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": "Bearer"}
        if self.allow:
            return {"Allow": self.allow}
        if self.retry_after_seconds is None:
            return {}
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_seconds)))}


class ProblemError(PhonoscopeError):
    """The gateway itself refuses a request; the edge answers with `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def field_error(field: str, description: str, *, reason: str = "BODY_INVALID") -> ProblemError:
    """Returns the refusal of one field."""
    violation = FieldViolation(field, description)
    return ProblemError(Problem(HTTPStatus.BAD_REQUEST, reason, f"{field}: {description}", (violation,)))


def problem_from_error(error: BackendError) -> Problem:
    """Returns what a failed call to the speech server means to the caller."""
    status = STATUS_OF.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    violations = [FieldViolation(_body_field(v.field), v.description) for v in error.violations]
    retry = error.retry_after_seconds
    if retry is None and status in RETRYABLE:
        retry = RETRY_SECONDS
    return Problem(
        status,
        error.reason or error.code,
        _detail(error, status, violations),
        violations,
        retry,
    )


# Options that have another name in the body.
_BODY_FIELDS: Final = {"timing_types": "timings"}


def _body_field(name: str) -> str:
    """Returns the name of an option in the body; pronunciations[0] is pronunciations.0."""
    return _BODY_FIELDS.get(name) or _INDEX.sub(r".\1", name)


_INDEX: Final = re.compile(r"\[(\d+)\]")


_WORDS: Final = {
    HTTPStatus.SERVICE_UNAVAILABLE: "the speech server does not answer; try again shortly",
    HTTPStatus.GATEWAY_TIMEOUT: "the speech was not made in time; send less text, or more time in X-Timeout-Seconds",
    HTTPStatus.BAD_GATEWAY: "the speech server refuses the gateway's credentials; see the gateway's log",
    HTTPStatus.NOT_IMPLEMENTED: "the speech server is older than this gateway and lacks that method",
}


def _detail(error: BackendError, status: HTTPStatus, violations: Sequence[FieldViolation]) -> str:
    """Returns the server's words; ours where gRPC itself speaks, of sockets and of inner addresses."""
    if violations:
        return "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    if error.reason:
        return error.message
    return _WORDS.get(status) or f"the speech server failed ({error.code}); its log says why"


def problem_response(problem: Problem, path: str) -> Response:
    """Returns the answer to a request for `path`: problem+json, or OpenAI's form on its routes."""
    is_openai = path.startswith(("/v1/audio/", "/v1/models"))
    body, media_type = (problem.openai_body(), "application/json") if is_openai else (problem.body(), MEDIA_TYPE)
    return Response(json.dumps(body), int(problem.status), problem.headers(), media_type)
