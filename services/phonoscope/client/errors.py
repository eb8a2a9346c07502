"""Why a call failed, as typed exceptions; blocking.py and aio.py raise them, programs catch them.

    PhonoscopeError                      (phonoscope.common.errors)
    └── PhonoscopeClientError            any call that failed
        ├── InvalidArgument              change the request; `violations` says which field, and how
        ├── NotFound                     no such thing on this server
        ├── AccessDenied                 the server, or a proxy before it, wants other credentials
        ├── Unimplemented                this server does not serve that feature, or not that method
        ├── ResourceExhausted            too much is asked at once; come back after `retry_after_seconds`
        ├── Unavailable                  no server answers (`reason` is ""), or it warms up or drains
        ├── DeadlineExceeded             not done within the call's timeout
        ├── Cancelled                    cancelled by another thread, or by the server
        └── ServerError                  the server's fault, or a status that has no meaning here

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
        violations: the fields that were refused, and why.
        retry_after_seconds: when the server asks to come back; None when it does not say.
        metadata: what else ErrorInfo told.
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
    """The request cannot be served as it is; each of `violations` names a field and the way out."""


class NotFound(PhonoscopeClientError):
    """The server knows no such thing."""


class AccessDenied(PhonoscopeClientError):
    """The server, or a proxy before it, wants other credentials."""


class Unimplemented(PhonoscopeClientError):
    """The server does not serve that feature, or not that method."""


class ResourceExhausted(PhonoscopeClientError):
    """More is asked than the server may hold, or the reply is larger than the client takes.

    With `retry_after_seconds` it is raised after the client's own waits (`waits_when_busy`).
    """


class Unavailable(PhonoscopeClientError):
    """No server answers (`reason` is ""), or it is warming up or draining; raised after the channel's retries."""


class DeadlineExceeded(PhonoscopeClientError):
    """The call was not done within its timeout."""


class Cancelled(PhonoscopeClientError):
    """The call was cancelled by another thread of this process, or by the server.

    The server does so when its audio is left unread for too long (`reason` "STREAM_NOT_READ").
    """


class ServerError(PhonoscopeClientError):
    """The server's fault; its log has the traceback."""


LOST_STATUS: Final = "Internal error from Core"
"""Details that grpc.aio puts in place of the server's, if a write of a stream fails before it has seen those."""
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
"""Status code to exception; every other code is a ServerError."""


def from_rpc_error(error: grpc.RpcError, target: str) -> PhonoscopeClientError:
    """Returns the exception that says what `error`, which ended a call to `target`, says; details parsed."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in rich_status(error).details:
        for message in (info, bad_request, retry):
            detail.Unpack(message)
    return ERROR_OF_CODE.get(error.code(), ServerError)(
        said_by(error),
        code=error.code(),
        target=target,
        reason=info.reason,
        violations=tuple(FieldViolation(v.field, v.description) for v in bad_request.field_violations),
        retry_after_seconds=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        metadata=MappingProxyType(dict(info.metadata)),
    )


def said_by(error: grpc.RpcError) -> str:
    """Returns the details of `error` in words that help."""
    details = error.details() or "the server gave no details"
    if details != LOST_STATUS:
        return details
    return (
        "the server ended the call while text was still being sent to it, and gRPC lost the reason; call again, or "
        "see the server's log (a race of grpc.aio: https://github.com/grpc/grpc/issues/36066)"
    )


def rich_status(error: grpc.RpcError) -> status_pb2.Status:
    """Returns the google.rpc.Status that came with `error`; an empty one where none came, or a broken one."""
    try:
        return rpc_status.from_call(cast("grpc.Call", error)) or status_pb2.Status()
    except (ValueError, DecodeError):
        return status_pb2.Status()
