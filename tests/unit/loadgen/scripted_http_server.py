"""A real HTTP server on a free port that speaks as a test scripts it; the conftests here and in ../cli load it.

Without a script it serves both contracts: a second of silence as WAV, or as samples where `response_format` says pcm.
"""

import http.server
import io
import json
import threading
import wave
from collections import deque
from collections.abc import Callable
from typing import Any

SAMPLE_RATE_HZ = 22_050
LONGEST_WAIT_SECONDS = 20.0


def wav_of(seconds: float, rate: int = SAMPLE_RATE_HZ) -> bytes:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, rate, 0, "NONE", ""))
            writer.writeframes(bytes(2 * round(seconds * rate)))
        return file.getvalue()


class ScriptedHttpServer:
    """Answers by script, and remembers what it was asked: (path, headers by lower-case name, body as JSON)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.released = threading.Event()
        self._script: deque[Callable[[Any], None]] = deque()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.reply(outer.status, b"{}")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                act = outer._script.popleft() if outer._script else plain(body)
                act(self)

            def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that has gone is no news."""

        self._httpd = Server(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._httpd.server_port}"

    def then_reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self._script.append(lambda handler: handler.reply(status, body, headers))

    def then_send(self, *pieces: bytes | Callable[[], None], headers: dict[str, str] | None = None) -> None:
        """Sends a streamed body piece by piece; what can be called is called in its turn."""

        def act(handler: Any) -> None:
            handler.send_response(200)
            for name, value in ({"Transfer-Encoding": "chunked"} | (headers or {})).items():
                handler.send_header(name, value)
            handler.end_headers()
            for piece in pieces:
                if callable(piece):
                    piece()
                else:
                    handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")

        self._script.append(act)

    def then_break_off(self, body: bytes, *, promised_bytes: int) -> None:
        """Promises more than it sends, and closes the connection."""

        def act(handler: Any) -> None:
            handler.reply(200, body, {"Content-Length": str(promised_bytes)})
            handler.close_connection = True

        self._script.append(act)

    def hold(self) -> None:
        """For `then_send`: sends nothing more until `released` is set."""
        self.released.wait(LONGEST_WAIT_SECONDS)

    def close(self) -> None:
        self.released.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()


def plain(body: dict[str, Any]) -> Callable[[Any], None]:
    if body.get("response_format") == "pcm":
        return lambda handler: handler.reply(200, bytes(2 * 24_000))
    return lambda handler: handler.reply(200, wav_of(1.0))
