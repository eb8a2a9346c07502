"""What happens in the gateway, as frozen records for the sinks; without text, addresses or raw paths."""

from collections.abc import Callable
from dataclasses import dataclass

OTHER = "_OTHER"
"""The route of requests that match no route, and the method of requests with a method that is not HTTP's."""


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """A request, or a WebSocket, was received."""

    method: str


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """A request ended. `status` is 499 if the client disconnected first, and 101 for an accepted WebSocket."""

    method: str
    route: str
    status: int
    seconds: float
    sent_bytes: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first audio of a request was sent, `seconds` after the request was received."""

    route: str
    seconds: float


Event = RequestStarted | RequestEnded | FirstAudio
Emit = Callable[[Event], None]
