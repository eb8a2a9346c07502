"""The log's sink of the gateway: one line for each request that ended. Built by telemetry.py."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog

from phonoscope.gateway.events import Event, RequestEnded

Logger = structlog.typing.FilteringBoundLogger
# Requested by machines every few seconds: logged at level debug.
QUIET_ROUTES: Final = ("/healthz", "/readyz", "/metrics")


class LogSink:
    """Writes ended requests to the log: probes and scrapes at level debug, status 5xx as warnings, others as info."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {RequestEnded: self._log_request}

    def __call__(self, event: Event) -> None:
        """Handles an event; those without a handler are not logged."""
        if handler := self._handlers.get(type(event)):
            handler(event)

    def _log_request(self, event: RequestEnded) -> None:
        self._level(event)(
            "http_request",
            method=event.method,
            route=event.route,
            status=event.status,
            seconds=round(event.seconds, 4),
            sent_bytes=event.sent_bytes,
            reason=event.reason,
        )

    def _level(self, event: RequestEnded) -> Callable[..., None]:
        if event.route in QUIET_ROUTES:
            return self._logger.debug
        if event.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._logger.warning
        return self._logger.info
