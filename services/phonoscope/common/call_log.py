"""The access log: a line for each call, and one for each defect. A sink of the call events, built by the services."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from phonoscope.common.call_events import CallEnded, CallEvent
from phonoscope.common.errors import DeadlineUnreachable, NotReady, Overloaded
from phonoscope.common.sampling import OncePerSecond
from phonoscope.common.statuses import STATUS_OF

# Calls refused for lack of capacity or time: at most one line per second for each code.
REFUSAL_CODES: Final = frozenset(STATUS_OF[error] for error in (Overloaded, NotReady, DeadlineUnreachable))
Logger = structlog.typing.FilteringBoundLogger


class CallLog:
    """Logs calls and defects; the services' log sinks extend it by their own events.

    Args:
        logger: receives the lines.
        clock: seconds, monotonic; tests supply their own.
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._refused = OncePerSecond(clock)

    def call(self, event: CallEvent) -> None:
        """Handles an event of the RPC layer: the access log, at debug level for health and reflection."""
        if isinstance(event, CallEnded):
            left_out: dict[str, int] = {}
            if event.code in REFUSAL_CODES and not event.bytes_sent:
                count = self._refused.take(event.code.name)
                if count is None:
                    return
                left_out = {"left_out": count} if count else {}
            write = self._logger.debug if event.method.service.startswith("grpc.") else self._logger.info
            write(
                "call_ended",
                service=event.method.service,
                method=event.method.name,
                code=event.code.name,
                seconds=round(event.seconds, 4),
                bytes_received=event.bytes_received,
                bytes_sent=event.bytes_sent,
                **left_out,
            )

    def unexpected(self, method: str, error: BaseException) -> None:
        """Logs an error outside the error tree: a defect."""
        self._logger.error("call_failed_unexpectedly", method=method, exc_info=error)
