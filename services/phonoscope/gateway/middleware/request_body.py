"""Reads the JSON body of a request within limits of size and time. Called by limits.py."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from phonoscope.gateway.problems import Problem, ProblemError


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be, and how long it may take to arrive."""

    max_bytes: int
    max_seconds: float


async def read_json_body(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    """Returns the whole body, which is UTF-8.

    Raises:
        ProblemError: it is too large, too late, not UTF-8, or has another Content-Type than JSON.
    """
    _check_headers(Headers(scope=scope), limits)
    try:
        async with asyncio.timeout(limits.max_seconds):
            body = await _read(receive, limits)
    except TimeoutError:
        raise _body_late(limits) from None
    _check_utf8(body)
    return body


def _check_headers(headers: Headers, limits: BodyLimits) -> None:
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.max_bytes:
        raise _body_too_large(limits)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _content_type_unknown()


async def _read(receive: Receive, limits: BodyLimits) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    has_more = True
    while has_more:
        message = await receive()
        parts.append(message.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > limits.max_bytes:
            raise _body_too_large(limits)
        has_more = message.get("more_body", False)
    return b"".join(parts)


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        detail = f"the request body is not valid UTF-8: {error.reason} at byte {error.start}; send JSON in UTF-8"
        raise ProblemError(Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", detail)) from None


def _body_late(limits: BodyLimits) -> ProblemError:
    detail = f"the request body was not complete after {limits.max_seconds:g} s; send it without delay"
    return ProblemError(Problem(HTTPStatus.REQUEST_TIMEOUT, "BODY_LATE", detail))


def _body_too_large(limits: BodyLimits) -> ProblemError:
    detail = (
        f"the request body is larger than {limits.max_bytes} bytes; send less text, or use WebSocket /v1/speech/stream"
    )
    return ProblemError(Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", detail))


def _content_type_unknown() -> ProblemError:
    detail = "the request body must be JSON; send it with Content-Type: application/json"
    return ProblemError(Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "CONTENT_TYPE_UNKNOWN", detail))
