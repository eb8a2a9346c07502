"""The time limit of a request: the header X-Timeout-Seconds, up to the gateway's own limit. Called by the routes."""

import math
from typing import Final

from starlette.datastructures import Headers

from phonoscope.gateway.problems import ProblemError, field_error

TIMEOUT_HEADER: Final = "X-Timeout-Seconds"


def request_timeout_seconds(headers: Headers, max_seconds: float) -> float:
    """Returns the seconds that a request may take.

    Raises:
        ProblemError: the header is not a positive number.
    """
    stated = headers.get(TIMEOUT_HEADER)
    if stated is None:
        return max_seconds
    try:
        seconds = float(stated)
    except ValueError:
        seconds = math.nan
    if not (seconds > 0 and math.isfinite(seconds)):
        raise _invalid_timeout(stated)
    return min(seconds, max_seconds)


def _invalid_timeout(stated: str) -> ProblemError:
    return field_error(
        TIMEOUT_HEADER,
        f"{stated[:32]!r} is not a positive number of seconds; send a value such as 10",
        reason="TIMEOUT_INVALID",
    )
