"""What SIGTERM and SIGINT do in a service's process. Used by the services' `__main__`."""

import asyncio
import os
import signal
from collections.abc import Callable

import structlog

Logger = structlog.typing.FilteringBoundLogger


def on_signals(act: Callable[[int], None]) -> None:
    """Makes SIGTERM and SIGINT call `act` with their number from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, act, number)


def leave(number: int, logger: Logger) -> None:
    """Ends a process that is not ready yet, immediately and with the exit status that shells expect.

    No request was accepted, and the thread that loads voices, or downloads them for minutes, cannot be interrupted;
    the next start resumes a partial download.
    """
    logger.info("stopped_before_ready")
    os._exit(128 + number)
