"""A real HTTP server on this machine that serves files with ranges, and can fail on demand."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Answer = Callable[["Request"], None]


class Web(ThreadingHTTPServer):
    """A web server of `files`; `script` holds answers that come first, in turn, before the honest one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files: dict[str, bytes] = {}
        self.tag = '"one"'
        self.script: dict[str, list[Answer]] = defaultdict(list)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hub"

    def requests_for(self, path: str) -> list[dict[str, str]]:
        return [headers for seen, headers in self.seen if seen == path]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked = unquote(self.path).removeprefix("/hub/")
        self.server.seen.append((self.asked, dict(self.headers)))
        answers = self.server.script[self.asked]
        (answers.pop(0) if answers else honest)(self)

    def reply(self, status: int, body: bytes = b"", *, sent: int | None = None, **headers: str) -> None:
        """Sends `status` and `body`, or only the first `sent` bytes of it before the connection is cut."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True


def honest(request: Request, *, sent: int | None = None) -> None:
    body = request.server.files.get(request.asked)
    if body is None:
        request.reply(404)
        return
    tag = request.server.tag
    wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
    if wanted is None or (condition is not None and condition != tag):
        request.reply(200, body, sent=sent, ETag=tag)
        return
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if start >= len(body):
        request.reply(416)
        return
    request.reply(206, body[start:], sent=sent, ETag=tag, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")


def cut_after(sent: int) -> Answer:
    return lambda request: honest(request, sent=sent)


def status(code: int, **headers: str) -> Answer:
    return lambda request: request.reply(code, **headers)


def body(content: bytes) -> Answer:
    return lambda request: request.reply(200, content)


@contextmanager
def running() -> Iterator[Web]:
    """Yields a server without files, and stops it."""
    with Web() as server:
        loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        loop.start()
        yield server
        server.shutdown()
        loop.join()
