"""Serves a metrics registry over HTTP, on threads of its own: /metrics for Prometheus, and a liveness check.

Used by the services' `__main__`: `with serving_metrics(registry, host, port, logger) as port: …`.

    GET /metrics   the registry: Prometheus text 0.0.4 or 1.0.0, or OpenMetrics (with exemplars), by Accept; gzip
    GET /healthz   200 "ok": the process responds. grpc.health.v1 reports readiness.

A scraper that is slow, or sends nothing, blocks only a thread of its own, for a bounded time. common/exposition.py
renders the metrics. The HTTP server is the standard library's, as in prometheus_client.
"""

import contextlib
import io
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry

from phonoscope.common.errors import PortTaken
from phonoscope.common.exposition import Exposition

PATIENCE_SECONDS: Final = 10.0  # Prometheus' default scrape timeout
_PLAIN: Final = "text/plain; charset=utf-8"
_NOT_FOUND: Final = b"not found; the paths are /metrics and /healthz\n"
Logger = structlog.typing.FilteringBoundLogger


@contextlib.contextmanager
def serving_metrics(registry: CollectorRegistry, host: str, port: int, logger: Logger) -> Iterator[int]:
    """Serves /metrics and /healthz, and yields the port, which the system selects if `port` is 0.

    Raises:
        PortTaken: the address is in use or cannot be bound.
    """
    try:
        server = _Server(host, port, logger)
    except (OSError, UnicodeError) as error:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        cause = (isinstance(error, OSError) and error.strerror) or error
        raise PortTaken(
            f"cannot serve metrics on {address}: {cause}; stop the other process, or choose another port with "
            "--metrics-port"
        ) from None
    server.set_app(_Application(Exposition(registry, logger)))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.stop()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Reply:
    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[str, str], ...] = ()


class _Application:
    """The two paths, as a WSGI application (PEP 3333)."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._rendering = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reply = self._reply(environ)
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *reply.headers]
        start_response(f"{reply.status.value} {reply.status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _reply(self, environ: WSGIEnvironment) -> _Reply:
        if environ["PATH_INFO"] not in {"/metrics", "/healthz"}:
            return _Reply(HTTPStatus.NOT_FOUND, _NOT_FOUND)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _Reply(HTTPStatus.METHOD_NOT_ALLOWED, b"GET or HEAD\n", headers=(("Allow", "GET, HEAD"),))
        if environ["PATH_INFO"] == "/healthz":
            return _Reply(HTTPStatus.OK, b"ok\n")
        return self._metrics(environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))

    def _metrics(self, accept: str, accept_encoding: str) -> _Reply:
        """Renders for one scraper at a time: several would compete with synthesis for the GIL."""
        if not self._rendering.acquire(timeout=PATIENCE_SECONDS):
            return _Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"the previous scrape has not ended\n")
        try:
            page = self._exposition.page(accept, accept_encoding)
        finally:
            self._rendering.release()
        headers = (("Content-Encoding", "gzip"),) if page.is_gzip else ()
        return _Reply(HTTPStatus.OK, page.body, page.content_type, headers)


class _Connection(WSGIRequestHandler):
    """One request, without an access log; a scraper that sends nothing for `timeout` seconds is disconnected."""

    timeout = PATIENCE_SECONDS

    def log_message(self, *args: Any) -> None:  # noqa: ANN401  the base's signature
        """Writes nothing."""

    def get_stderr(self) -> io.StringIO:
        """Returns a buffer that is dropped: wsgiref writes there about scrapers that disconnected."""
        return io.StringIO()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A daemon thread for each connection."""

    daemon_threads = True
    request_queue_size = 128  # with the default of 5, a burst of connections delays the next one by seconds

    def __init__(self, host: str, port: int, logger: Logger) -> None:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _kind, _protocol, _name, address = addresses[0]
        self._logger = logger
        super().__init__(address, _Connection)  # type: ignore[arg-type]  # an IPv6 address has four parts

    def server_bind(self) -> None:
        """Binds, without the DNS lookup of the base class."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002  the base's signature
        """Logs a broken connection at level debug: a client could cause thousands of them per second."""
        self._logger.debug("metrics_connection_failed", error=repr(sys.exception()))

    def stop(self) -> None:
        """Stops accepting; wakes the accepting thread, which polls only twice a second."""
        with contextlib.suppress(OSError):  # some systems cannot shut down a listening socket
            self.socket.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()
