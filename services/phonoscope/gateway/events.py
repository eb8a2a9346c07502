"""What happens in the gateway, as frozen records that the sinks are told. Never text, addresses or raw paths."""

from collections.abc import Callable
from dataclasses import dataclass

OTHER = "_OTHER"
"""The route of requests that match none, and the method of those that HTTP does not define."""


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """A request, or a WebSocket, came in."""

    method: str


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """It ended. `status` is 499 where the caller left first; of a WebSocket 101, or what refused it."""

    method: str
    route: str
    status: int
    seconds: float
    sent_bytes: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first audio of a request was handed to HTTP, so long after the request had come in."""

    route: str
    seconds: float


Event = RequestStarted | RequestEnded | FirstAudio
Emit = Callable[[Event], None]
