"""Whether a call's deadline has passed. Used by `interceptors.py` and by the services."""

from typing import Final

# gRPC rounds a timeout up by up to 1 % when it sends it, so the client's deadline passes before the server's.
ROUNDED_TIMEOUT: Final = 0.01
CLOCK_SECONDS: Final = 0.01


def has_passed(timeout_seconds: float, remaining_seconds: float) -> bool:
    """Returns whether the deadline of a call with this timeout has passed for its client."""
    return remaining_seconds <= ROUNDED_TIMEOUT * timeout_seconds + CLOCK_SECONDS
