"""How a request ended, for the telemetry middleware, where the status that was sent does not show it.

Inner layers write to `scope["state"]`, which middleware/telemetry.py creates and reads.
"""

from typing import Final

from starlette.types import Scope

STARTED_AT: Final = "started_at"
OUTCOME: Final = "outcome"
SWITCHING_PROTOCOLS: Final = 101
CLIENT_CLOSED_REQUEST: Final = 499
"""The client closed the connection before the response was complete. Source: nginx."""


def record_outcome(scope: Scope, status: int, reason: str = "") -> None:
    """Records status and reason of a request, in place of the status that was sent."""
    scope["state"][OUTCOME] = (status, reason)
