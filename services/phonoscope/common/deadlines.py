"""When a call's deadline has passed. Used by `interceptors.py` and by the services."""

from typing import Final

# A timeout is rounded up on the wire, by up to a hundredth, so a caller at its deadline hangs up before ours.
ROUNDED_TIMEOUT: Final = 0.01
CLOCK_SECONDS: Final = 0.01


def has_passed(timeout_seconds: float, remaining_seconds: float) -> bool:
    """Whether a caller that allowed so long has stopped waiting, by what we see as remaining."""
    return remaining_seconds <= ROUNDED_TIMEOUT * timeout_seconds + CLOCK_SECONDS
