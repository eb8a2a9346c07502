"""Errors as gRPC statuses: the one table, and the google.rpc details that go with a status.

Used by `interceptors.py`. Details follow https://google.aip.dev/193: ErrorInfo always, BadRequest for fields that are
not valid, RetryInfo if the same call can succeed later. Many clients reject trailers of more than 8 KiB, and then get
neither code nor message: long texts are truncated, so that a message and its details stay below that.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from phonoscope.common.errors import (
    ERROR_DOMAIN,
    DeadlineUnreachable,
    EngineFailed,
    FieldViolation,
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    ServiceError,
    StreamNotRead,
)

DETAILS_KEY: Final = "grpc-status-details-bin"
# The message is sent twice: percent-encoded, up to three times as long, and in the details, which base64 makes a third
# longer: 3 × 768 + 4/3 × (768 + 2400 + overhead) is about 7 KB.
MAX_MESSAGE_BYTES: Final = 768
MAX_VIOLATIONS_BYTES: Final = 2400

STATUS_OF: Final[Mapping[type[ServiceError], grpc.StatusCode]] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotServed: grpc.StatusCode.UNIMPLEMENTED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotReady: grpc.StatusCode.UNAVAILABLE,
    StreamNotRead: grpc.StatusCode.ABORTED,
    DeadlineUnreachable: grpc.StatusCode.DEADLINE_EXCEEDED,
    EngineFailed: grpc.StatusCode.INTERNAL,
}


def status_details(error: ServiceError, code: grpc.StatusCode) -> status_pb2.Status:
    """Returns the google.rpc.Status of an error: ErrorInfo always, BadRequest and RetryInfo if they apply."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)]
    if isinstance(error, InvalidRequest):
        details.append(_bad_request(error.violations))
    if isinstance(error, Overloaded | NotReady):
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=status_message(error))
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def status_message(error: ServiceError) -> str:
    """Returns the error's message, truncated to fit in trailers."""
    return _truncated(str(error), MAX_MESSAGE_BYTES)


def _bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """Returns the violations, each with an equal share of MAX_VIOLATIONS_BYTES."""
    share = MAX_VIOLATIONS_BYTES // max(1, len(violations))
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=_truncated(violation.description, share - len(violation.field))
            )
            for violation in violations
        ]
    )


def _truncated(text: str, max_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max(0, max_bytes - 3)].decode(errors="ignore") + "…"
