"""Reads the body of a request as JSON, within limits of size and time. Called by limits.py."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from phonoscope.gateway.middleware.multipart import json_of_multipart
from phonoscope.gateway.problems import Problem, ProblemError
from phonoscope.gateway.schemas import RECORDINGS, RequestModel


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be, and how long it may take to arrive.

    Attributes:
        max_bytes: of a body without recordings.
        max_recording_bytes: of the recordings in a body, in addition.
    """

    max_bytes: int
    max_seconds: float
    max_recording_bytes: int = 0

    @property
    def max_json_bytes(self) -> int:
        """Maximum size of a JSON body or message, with its recordings in base64."""
        return self.max_bytes + (self.max_recording_bytes + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads the body of one request.

    Attributes:
        schema: of its JSON.
        on_large: called when it turns out to be larger than bodies without recordings; may raise ProblemError.
    """

    limits: BodyLimits
    schema: type[RequestModel]
    on_large: Callable[[], None]

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Returns the whole body as JSON in UTF-8; that of a form too, whose scope then has the type of JSON.

        Raises:
            ProblemError: it is too large, too late, not UTF-8, or has another Content-Type.
        """
        headers = Headers(scope=scope)
        content_type = headers.get("content-type", "")
        max_bytes = self._max_bytes(content_type.partition(";")[0].strip().lower())
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > max_bytes:
            raise _body_too_large(self.limits)
        try:
            async with asyncio.timeout(self.limits.max_seconds):
                body = await self._read(receive, max_bytes)
        except TimeoutError:
            raise _body_late(self.limits) from None
        if content_type.lower().startswith("multipart/"):
            body = await asyncio.to_thread(json_of_multipart, body, content_type, self.schema)
            others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            scope["headers"] = [*others, (b"content-type", b"application/json")]
            return body
        if len(body) > self.limits.max_bytes and not any(f'"{name}"'.encode() in body for name in RECORDINGS):
            raise _body_too_large(self.limits)
        _check_utf8(body)
        return body

    def _max_bytes(self, content_type: str) -> int:
        """Returns the maximum size of a body of this type."""
        takes_recordings = not set(RECORDINGS).isdisjoint(self.schema.model_fields)
        match content_type:
            case "application/json":
                return self.limits.max_json_bytes if takes_recordings else self.limits.max_bytes
            case "multipart/form-data" if takes_recordings:
                return self.limits.max_bytes + self.limits.max_recording_bytes
        raise _content_type_unknown(takes_recordings=takes_recordings)

    async def _read(self, receive: Receive, max_bytes: int) -> bytes:
        parts: list[bytes] = []
        size_bytes, has_more, is_large = 0, True, False
        while has_more:
            message = await receive()
            parts.append(message.get("body", b""))
            size_bytes += len(parts[-1])
            if size_bytes > max_bytes:
                raise _body_too_large(self.limits)
            if size_bytes > self.limits.max_bytes and not is_large:
                is_large = True
                self.on_large()
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
    recordings = (
        f" besides up to {limits.max_recording_bytes} bytes of recordings" if limits.max_recording_bytes else ""
    )
    detail = (
        f"the request body is larger than {limits.max_bytes} bytes{recordings}; send less text, or use WebSocket "
        "/v1/speech/stream"
    )
    return ProblemError(Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", detail))


def _content_type_unknown(*, takes_recordings: bool) -> ProblemError:
    form = ", or a form with Content-Type: multipart/form-data" if takes_recordings else ""
    detail = f"the request body must be JSON; send it with Content-Type: application/json{form}"
    return ProblemError(Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "CONTENT_TYPE_UNKNOWN", detail))
