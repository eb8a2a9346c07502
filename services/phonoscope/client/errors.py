"""The exceptions of the client: one class for each kind of failed call.

    PhonoscopeError                      (phonoscope.common.errors)
    └── PhonoscopeClientError            any call that failed
        ├── InvalidArgument              the request is invalid; `violations` names the fields and the fix
        ├── NotFound                     the server has no such resource
        ├── AccessDenied                 the server, or a proxy in front of it, refuses the credentials
        ├── Unimplemented                the server does not support the feature or the method
        ├── ResourceExhausted            the server is busy; retry after `retry_after_seconds`
        ├── Unavailable                  no server is reachable (`reason` is ""), or it is starting or draining
        ├── DeadlineExceeded             the call did not end within its timeout
        ├── Cancelled                    cancelled by another thread, or by the server
        └── ServerError                  an internal error of the server, or another status

The details follow google/rpc/error_details.proto: ErrorInfo, BadRequest and RetryInfo.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from phonoscope.common.errors import FieldViolation, PhonoscopeError


class PhonoscopeClientError(PhonoscopeError):
    """A call failed.

    Attributes:
        code: gRPC status code.
        reason: stable name of the cause, such as "VOICE_UNKNOWN"; "" when gRPC itself failed the call.
        message: what happened and what to do, for people.
        violations: the invalid fields, and why they are invalid.
        retry_after_seconds: delay that the server requests; None when it requests none.
        metadata: the metadata of ErrorInfo.
        target: address of the server.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        target: str,
        reason: str = "",
        violations: tuple[FieldViolation, ...] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        named = f"{code.name} {reason}".rstrip()
        super().__init__(f"{named} from {target}: {message}")
        self.message = message
        self.code = code
        self.target = target
        self.reason = reason
        self.violations = violations
        self.retry_after_seconds = retry_after_seconds
        self.metadata = metadata


class InvalidArgument(PhonoscopeClientError):
    """The request is invalid; each of `violations` names a field and the fix."""


class NotFound(PhonoscopeClientError):
    """The server has no such resource."""


class AccessDenied(PhonoscopeClientError):
    """The server, or a proxy in front of it, refuses the credentials."""


class Unimplemented(PhonoscopeClientError):
    """The server does not support the feature or the method."""


class ResourceExhausted(PhonoscopeClientError):
    """The server is busy, or the reply exceeds the client's message limit.

    With `retry_after_seconds` it is raised after the client's own retries (`waits_when_busy`).
    """


class Unavailable(PhonoscopeClientError):
    """No server is reachable (`reason` is ""), or it is starting or draining; raised after the channel's retries."""


class DeadlineExceeded(PhonoscopeClientError):
    """The call did not end within its timeout."""


class Cancelled(PhonoscopeClientError):
    """The call was cancelled by another thread of this process, or by the server.

    The server cancels a stream that is not read for too long (`reason` "STREAM_NOT_READ").
    """


class ServerError(PhonoscopeClientError):
    """An internal error of the server; its log has the traceback."""


LOST_STATUS: Final = "Internal error from Core"
"""Details that grpc.aio reports in place of the server's when writing to a stream fails before it has read those."""
ERROR_OF_CODE: Final[Mapping[grpc.StatusCode, type[PhonoscopeClientError]]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
        grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
        grpc.StatusCode.NOT_FOUND: NotFound,
        grpc.StatusCode.UNAUTHENTICATED: AccessDenied,
        grpc.StatusCode.PERMISSION_DENIED: AccessDenied,
        grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
        grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
        grpc.StatusCode.UNAVAILABLE: Unavailable,
        grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
        grpc.StatusCode.CANCELLED: Cancelled,
        grpc.StatusCode.ABORTED: Cancelled,
    }
)
"""Exception of each status code; every other code is a ServerError."""


def from_rpc_error(error: grpc.RpcError, target: str) -> PhonoscopeClientError:
    """Returns the typed exception for `error`, which ended a call to `target`, with its details parsed."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in rich_status(error).details:
        for message in (info, bad_request, retry):
            detail.Unpack(message)
    return ERROR_OF_CODE.get(error.code(), ServerError)(
        message_of(error),
        code=error.code(),
        target=target,
        reason=info.reason,
        violations=tuple(FieldViolation(v.field, v.description) for v in bad_request.field_violations),
        retry_after_seconds=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        metadata=MappingProxyType(dict(info.metadata)),
    )


def message_of(error: grpc.RpcError) -> str:
    """Returns the details of `error`, or an explanation where they are missing or lost."""
    details = error.details() or "the server gave no details"
    if details != LOST_STATUS:
        return details
    return (
        "the server ended the call while text was still being sent, and gRPC lost the reason; retry, or see the "
        "server's log (a race condition in grpc.aio: https://github.com/grpc/grpc/issues/36066)"
    )


def rich_status(error: grpc.RpcError) -> status_pb2.Status:
    """Returns the google.rpc.Status of `error`; an empty one when it is absent or malformed."""
    try:
        return rpc_status.from_call(cast("grpc.Call", error)) or status_pb2.Status()
    except (ValueError, DecodeError):
        return status_pb2.Status()
