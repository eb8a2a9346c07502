"""The composition root of the gateway: startup, serve, drain, in that order on the page.

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

import h11
import uvicorn

from phonoscope import __version__
from phonoscope.common.errors import PortTaken, StartupError
from phonoscope.common.logs import configure_logs
from phonoscope.gateway.app import body_limits, build_app, endings
from phonoscope.gateway.backend.base import Backend
from phonoscope.gateway.backend.grpc import GrpcBackend
from phonoscope.gateway.logs import Logger
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.speech_response import ResponseTruncated
from phonoscope.gateway.telemetry import Telemetry, build_telemetry

BACKLOG: Final = 2048
FLUSH_SECONDS: Final = 3.0
DECLINED_UPGRADE: Final = "Unsupported upgrade request."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the gateway until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = GatewaySettings.from_arguments(sys.argv[1:] if arguments is None else arguments)
        asyncio.run(serve(settings))
    except StartupError as error:
        line = " ".join(str(error).split())
        print(f"phonoscope gateway: {line}", file=sys.stderr)  # noqa: T201  the only output to the user
        return 1
    return 0


async def serve(settings: GatewaySettings) -> None:
    """Builds all objects, serves until a signal, and drains.

    Raises:
        StartupError: the gateway cannot start.
    """
    logger = configure_logs(settings.log_format, settings.log_level)
    _filter_uvicorn_log()
    telemetry = build_telemetry(settings, logger, endings())
    provider = telemetry.tracing.provider if telemetry.tracing.is_on else None
    with _listening(settings) as listener:
        async with GrpcBackend.connect(settings.server, provider) as backend:
            readiness = Readiness(backend)
            server = Server(uvicorn_config(settings, backend, readiness, telemetry))
            _drain_on_signals(server, readiness, settings, logger)
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
        # httptools loses the body of a request that offers an upgrade, and sends chunks to clients of HTTP/1.0.
        http="h11",
        ws="websockets-sansio",
        ws_max_size=body_limits(settings).max_json_bytes,
        ws_per_message_deflate=False,  # audio does not compress
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.stop_seconds),
    )


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: `_drain_on_signals` installs ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures no signals."""
        yield


def _drain_on_signals(server: Server, readiness: Readiness, settings: GatewaySettings, logger: Logger) -> None:
    """Drains on SIGTERM and SIGINT: /readyz reports 503, then open requests end. A second signal stops at once."""
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
    """Yields a listening socket; raises PortTaken if the address cannot be bound."""
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = addresses[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        cause = os.strerror(error.errno) if isinstance(error, OSError) and error.errno and error.errno > 0 else error
        raise PortTaken(
            f"cannot listen on {settings.host}:{settings.port}: {cause}; stop the other process, or choose another "
            "port with --port"
        ) from None
    with listener:
        # Connections inherit it on Linux. asyncio sets it only on sockets that name TCP as protocol, and this one
        # names none. Without it, every response waits up to 40 ms for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _filter_uvicorn_log() -> None:
    """Drops uvicorn's lines about what is expected: the request's own log line has its outcome."""
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Returns whether a line of uvicorn's log reports a defect.

    Expected are a response that was truncated on purpose, one to a client that broke HTTP's syntax meanwhile, and the
    offer of an upgrade that is declined, such as that of HTTP/2 by Java's client.
    """
    if record.msg == DECLINED_UPGRADE:
        return False
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ResponseTruncated | h11.LocalProtocolError)


if __name__ == "__main__":
    sys.exit(main())
