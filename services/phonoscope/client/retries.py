"""When to retry a call that a busy server refused; base.py consults it after each refusal.

The server refuses under overload with RESOURCE_EXHAUSTED and a delay: RetryInfo of google/rpc/error_details.proto,
whose comment describes the algorithm: wait for the delay, and longer after each further refusal. RESOURCE_EXHAUSTED
without a delay is a local limit of gRPC, such as a message that is too large: another attempt would fail in the
same way. UNAVAILABLE is retried by gRPC itself (channel.py).
"""

import random
import time
from collections.abc import Callable
from typing import Final

import grpc

from phonoscope.client.errors import Cancelled, PhonoscopeClientError, ResourceExhausted

MIN_DELAY_SECONDS: Final = 0.01
"""Minimum delay, also if RetryInfo is shorter: a client never retries in a busy loop."""
MAX_BACKOFF_SECONDS: Final = 30.0
"""Maximum delay that doubling reaches; a server may request a longer one."""
MAX_DOUBLINGS: Final = 12  # from the minimum beyond the maximum
JITTER_RATIO: Final = 0.25


def wait_seconds(error: PhonoscopeClientError, refusals: int, seconds_left: float, jitter: float) -> float | None:
    """Returns the wait before the next attempt, or None to give up.

    Args:
        error: error of the last attempt.
        refusals: number of earlier attempts of the call that were refused.
        seconds_left: time until the deadline of the call.
        jitter: fraction of the maximum jitter to add, 0 to 1. The wait ends before the deadline in any case.
    """
    if not isinstance(error, ResourceExhausted) or error.retry_after_seconds is None:
        return None
    asked = max(MIN_DELAY_SECONDS, error.retry_after_seconds)
    delay = max(asked, min(asked * 2.0 ** min(refusals, MAX_DOUBLINGS), MAX_BACKOFF_SECONDS))
    if delay >= seconds_left:
        return None
    return delay + jitter * min(delay * JITTER_RATIO, seconds_left - delay)


class Attempts:
    """The attempts of one call and its deadline, which starts with this object.

    Args:
        timeout_seconds: deadline of all attempts and the waits between them.
        waits_when_busy: whether there may be more than one attempt.
        is_repeatable: called before each wait; False gives up.
    """

    def __init__(
        self, timeout_seconds: float, *, waits_when_busy: bool, is_repeatable: Callable[[], bool] = lambda: True
    ) -> None:
        self._ends_at = time.monotonic() + timeout_seconds
        self._may_wait = waits_when_busy
        self._is_repeatable = is_repeatable
        self._refusals = 0

    def seconds_left(self) -> float:
        """Returns the timeout of an attempt that starts now."""
        return self._ends_at - time.monotonic()

    def commit(self) -> None:
        """Makes the current attempt the last one, because part of its reply was delivered."""
        self._may_wait = False

    def wait_after(self, error: PhonoscopeClientError) -> float | None:
        """Returns the seconds until the next attempt after `error`; None when there is no next attempt."""
        if not self._may_wait:
            return None
        jitter = random.random()  # noqa: S311 - spreads callers, keeps no secret
        wait = wait_seconds(error, self._refusals, self.seconds_left(), jitter)
        self._refusals += 1
        return wait if wait is not None and self._is_repeatable() else None


def closed_while_waiting(target: str) -> Cancelled:
    """Returns the error of a call whose client was closed between two attempts."""
    message = "the client was closed while it waited for a busy server"
    return Cancelled(message, code=grpc.StatusCode.CANCELLED, target=target)
