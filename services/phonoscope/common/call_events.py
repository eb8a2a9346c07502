"""What happens to calls, as frozen records: `interceptors.py` emits them for sinks, which count, trace and log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

OTHER: Final = "_OTHER"

# The stubs of grpc type handlers for synchronous servers only.
Handler = Any

# By whether requests and replies are streams; the values of the label grpc_type.
CALL_KINDS: Final = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method, named as in metrics."""

    service: str
    name: str
    kind: str  # unary, client_stream, server_stream or bidi_stream

    @classmethod
    def of(cls, path: str, handler: Handler) -> "Method":
        """Returns the method of a call's path; all unknown methods are OTHER."""
        if handler is None:
            return cls(OTHER, OTHER, "unary")
        service, _, name = path.lstrip("/").rpartition("/")
        return cls(service, name, CALL_KINDS[bool(handler.request_streaming), bool(handler.response_streaming)])


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call was received.

    Attributes:
        call: the call's number, unique in this process; sinks relate its events by it.
        metadata: the client's metadata: keys in lower case, values as text, or bytes if the key ends in -bin.
    """

    call: int
    method: Method
    metadata: Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A request message was received."""

    method: Method
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A reply message is sent."""

    method: Method
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call ended with `code`, as the client sees it."""

    call: int
    method: Method
    code: grpc.StatusCode
    seconds: float
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int


CallEvent = CallStarted | MessageReceived | MessageSent | CallEnded
