"""Serves a registry of metrics over HTTP, on threads of its own: what Prometheus scrapes, and a liveness check.

Used by the services' `__main__`: `with serving_metrics(registry, host, port, logger) as port: …`.

    GET /metrics   the registry: Prometheus text 0.0.4 or 1.0.0, or OpenMetrics (with exemplars), as Accept asks; gzip
    GET /healthz   200 "ok": the process lives and this endpoint answers. Readiness is told by grpc.health.v1.

A scraper that is slow, or connects and says nothing, holds up a thread of its own, and that for a bounded time. What
`/metrics` says comes from common/exposition.py. The HTTP is the standard library's, as in prometheus_client's server.
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

PATIENCE_SECONDS: Final = 10.0  # what Prometheus waits for a scrape, by default
_PLAIN: Final = "text/plain; charset=utf-8"
_NOT_FOUND: Final = b"there is nothing here; /metrics has the metrics, /healthz says that the process lives\n"
Logger = structlog.typing.FilteringBoundLogger


@contextlib.contextmanager
def serving_metrics(registry: CollectorRegistry, host: str, port: int, logger: Logger) -> Iterator[int]:
    """Serves /metrics and /healthz, and yields the port, chosen by the system when `port` is 0.

    Raises:
        PortTaken: the address is in use, or not ours to bind.
    """
    try:
        server = _Server(host, port, logger)
    except (OSError, UnicodeError) as error:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        why = (isinstance(error, OSError) and error.strerror) or error
        raise PortTaken(
            f"cannot serve metrics on {address}: {why}; stop the other process or choose another with --metrics-port"
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
        """Renders for one scraper at a time: several would take the interpreter's lock from speech several times."""
        if not self._rendering.acquire(timeout=PATIENCE_SECONDS):
            return _Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"a scrape before this one has not ended\n")
        try:
            page = self._exposition.page(accept, accept_encoding)
        finally:
            self._rendering.release()
        headers = (("Content-Encoding", "gzip"),) if page.is_gzip else ()
        return _Reply(HTTPStatus.OK, page.body, page.content_type, headers)


class _Connection(WSGIRequestHandler):
    """One request, without an access log; a scraper that falls silent for `timeout` seconds is dropped."""

    timeout = PATIENCE_SECONDS

    def log_message(self, *args: Any) -> None:  # noqa: ANN401  the base's signature
        """Writes nothing."""

    def get_stderr(self) -> io.StringIO:
        """Returns where wsgiref tells of scrapers that left before the end: nowhere."""
        return io.StringIO()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each connection, which the process's end does not wait for."""

    daemon_threads = True
    request_queue_size = 128  # with the base's 5, a burst of connections makes the next one wait for seconds

    def __init__(self, host: str, port: int, logger: Logger) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _kind, _protocol, _name, address = found[0]
        self._logger = logger
        super().__init__(address, _Connection)  # type: ignore[arg-type]  # an IPv6 address has four parts

    def server_bind(self) -> None:
        """Binds, and asks no name server for our name, as the base would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002  the base's signature
        """Notes a connection that broke; that is its scraper's affair, and could be had a thousand times a second."""
        self._logger.debug("metrics_connection_failed", error=repr(sys.exception()))

    def stop(self) -> None:
        """Accepts no more; wakes the thread that accepts, which else looks up twice a second only."""
        with contextlib.suppress(OSError):  # not every system lets a listening socket be shut down
            self.socket.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()
