"""When a call that a busy server refused is made again; blocking.py and aio.py ask after each refusal.

The server refuses under overload with RESOURCE_EXHAUSTED and a delay: RetryInfo of google/rpc/error_details.proto,
whose comment asks for what is done here: wait for the delay, and longer on each further refusal. RESOURCE_EXHAUSTED
without a delay is a local limit of gRPC, such as a message that is too large: another attempt would end in the same
way. UNAVAILABLE is retried by gRPC itself (channel.py).
"""

import random
import time
from collections.abc import Callable
from typing import Final

import grpc

from phonoscope.client.errors import Cancelled, PhonoscopeClientError, ResourceExhausted

MIN_DELAY_SECONDS: Final = 0.01
"""In place of a shorter RetryInfo, so that a client never calls in a busy loop."""
MAX_BACKOFF_SECONDS: Final = 30.0
"""Up to which the delay doubles; a server may ask for more."""
MAX_DOUBLINGS: Final = 12  # from the minimum beyond the maximum
JITTER_RATIO: Final = 0.25


def wait_seconds(error: PhonoscopeClientError, refusals: int, seconds_left: float, jitter: float) -> float | None:
    """Returns how long to wait before the next attempt, or None to give up.

    Args:
        error: ended the last attempt.
        refusals: attempts of the call that were refused before it.
        seconds_left: until the deadline of the call.
        jitter: from 0 to 1, excluded: which part of the jitter to add. The wait ends before the deadline all the same.
    """
    if not isinstance(error, ResourceExhausted) or error.retry_after_seconds is None:
        return None
    asked = max(MIN_DELAY_SECONDS, error.retry_after_seconds)
    delay = max(asked, min(asked * 2.0 ** min(refusals, MAX_DOUBLINGS), MAX_BACKOFF_SECONDS))
    if delay >= seconds_left:
        return None
    return delay + jitter * min(delay * JITTER_RATIO, seconds_left - delay)


class Attempts:
    """The attempts of one call, within its one deadline, which begins to run here.

    Args:
        timeout_seconds: for all attempts and the waits between them.
        waits_when_busy: whether there may be more than one.
        is_repeatable: asked last, before a wait; False gives up.
    """

    def __init__(
        self, timeout_seconds: float, *, waits_when_busy: bool, is_repeatable: Callable[[], bool] = lambda: True
    ) -> None:
        self._ends_at = time.monotonic() + timeout_seconds
        self._may_wait = waits_when_busy
        self._is_repeatable = is_repeatable
        self._refusals = 0

    def seconds_left(self) -> float:
        """Returns the timeout of an attempt that begins now."""
        return self._ends_at - time.monotonic()

    def commit(self) -> None:
        """Makes the current attempt the last one: its caller has received something."""
        self._may_wait = False

    def wait_after(self, error: PhonoscopeClientError) -> float | None:
        """Returns the seconds to wait before the next attempt; None to raise `error`, which ended the current one."""
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
