"""Errors as gRPC statuses: the one table, and the google.rpc details that go with a status.

Used by `interceptors.py`. Details follow https://google.aip.dev/193: ErrorInfo always, BadRequest for fields at fault,
RetryInfo where the same call can succeed later.
"""

from collections.abc import Mapping
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
    InvalidRequest,
    NotReady,
    NotServed,
    Overloaded,
    ServiceError,
)

STATUS_OF: Final[Mapping[type[ServiceError], grpc.StatusCode]] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotServed: grpc.StatusCode.UNIMPLEMENTED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotReady: grpc.StatusCode.UNAVAILABLE,
    DeadlineUnreachable: grpc.StatusCode.DEADLINE_EXCEEDED,
    EngineFailed: grpc.StatusCode.INTERNAL,
}


def status_details(error: ServiceError, code: grpc.StatusCode) -> status_pb2.Status:
    """Returns the google.rpc.Status of an error: ErrorInfo always, BadRequest and RetryInfo where they apply."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)]
    if isinstance(error, InvalidRequest):
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in error.violations
                ]
            )
        )
    if isinstance(error, Overloaded | NotReady):
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=str(error))
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status
