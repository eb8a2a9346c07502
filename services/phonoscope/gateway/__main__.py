"""The composition root of the gateway: every object is built here, in order; then it serves, then it drains.

Run by `phonoscope gateway` and by `python -m phonoscope.gateway`.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import uvicorn

from phonoscope import __version__
from phonoscope.common.errors import PortTaken, StartupError
from phonoscope.common.logs import configure_logs
from phonoscope.gateway.app import build_app, endings
from phonoscope.gateway.backend.base import Backend
from phonoscope.gateway.backend.grpc import GrpcBackend
from phonoscope.gateway.logs import Logger
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import Telemetry, build_telemetry

BACKLOG: Final = 2048
FLUSH_SECONDS: Final = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the gateway until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = GatewaySettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(serve(settings))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope gateway: {line}", file=sys.stderr)  # noqa: T201  the one line that a user reads
        return 1
    return 0


async def serve(settings: GatewaySettings) -> None:
    """Builds everything, serves until told to stop, drains.

    Raises:
        StartupError: the gateway cannot start.
    """
    logger = configure_logs(settings.log_format, settings.log_level)
    _quiet_uvicorn()
    telemetry = build_telemetry(settings, logger, endings())
    provider = telemetry.tracing.provider if telemetry.tracing.is_on else None
    with _listening(settings) as listener:
        async with GrpcBackend.connect(settings.server, provider) as backend:
            readiness = Readiness(backend)
            server = Server(uvicorn_config(settings, backend, readiness, telemetry))
            _on_signals(server, readiness, settings, logger)
            port = listener.getsockname()[1]
            logger.info("listening", host=settings.host, port=port, server=settings.server, version=__version__)
            await server.serve([listener])
            logger.info("stopped")
    await asyncio.to_thread(telemetry.tracing.shutdown, FLUSH_SECONDS)


def uvicorn_config(
    settings: GatewaySettings, backend: Backend, readiness: Readiness, telemetry: Telemetry
) -> uvicorn.Config:
    """Returns how uvicorn serves the application."""
    return uvicorn.Config(
        build_app(settings, backend, readiness, telemetry),
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,  # audio does not shrink
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.stop_seconds),
    )


class Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours: a drain comes before the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def _on_signals(server: Server, readiness: Readiness, settings: GatewaySettings, logger: Logger) -> None:
    """Has SIGTERM and SIGINT drain: /readyz says so for a while, then open requests end; a second one ends at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    def drain() -> None:
        if readiness.is_draining:
            server.force_exit = True
            stop()
            return
        logger.info("draining", drain_seconds=settings.drain_seconds, stop_seconds=settings.stop_seconds)
        readiness.is_draining = True
        loop.call_later(settings.drain_seconds, stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain)


@contextlib.contextmanager
def _listening(settings: GatewaySettings) -> Iterator[socket.socket]:
    """Yields a socket that listens. PortTaken where it cannot be had."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno and error.errno > 0 else error
        raise PortTaken(
            f"cannot listen on {settings.host}:{settings.port}: {why}; stop the other process or choose another with "
            "--port"
        ) from None
    with listener:
        yield listener


def _quiet_uvicorn() -> None:
    """Keeps out what uvicorn says of answers that were cut short on purpose: our own line of the request says why."""
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)


def _is_unexpected(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__name__ != "CutShort"


if __name__ == "__main__":
    sys.exit(main())
