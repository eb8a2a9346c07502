"""The bytes of HTTP that clients really send, to the gateway on a socket: upgrades, HTTP/1.0, HEAD, broken syntax."""

import asyncio
import contextlib
import json
import logging
import socket

import h11
import pytest

from phonoscope.gateway.__main__ import Server, _is_unexpected, _listening, uvicorn_config
from phonoscope.gateway.app import endings
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import build_telemetry

GENEROUS_SECONDS = 60.0
BODY = json.dumps({"text": "Hello there."}).encode()
CHUNKED_BODY = b"6\r\n" + BODY[:6] + b"\r\n%x\r\n" % len(BODY[6:]) + BODY[6:] + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# As JDK 17's java.net.http.HttpClient sends it: the head in one segment, the body in another.
JAVA = (
    b"POST /v1/speech HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n%sHost: localhost:8080\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
    b"User-Agent: Java-http-client/17.0.15\r\nContent-Type: application/json\r\n\r\n"
)
# As curl 7.88 sends it with --http2.
CURL = (
    b"POST /v1/speech HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    b"Content-Type: application/json\r\n%s\r\n"
)
OTHER = (
    b"POST /v1/speech HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\nUpgrade: TLS/1.0, IRC/6.9\r\n"
    b"Content-Type: application/json\r\n%s\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n"


class Connection:
    """A client's end of a connection, whose replies h11 reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._parser = h11.Connection(h11.CLIENT)
        self.writer = writer

    async def send(self, *segments: bytes) -> None:
        """Sends each part as a segment: the next one when the gateway's loop has run."""
        self.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            for _ in range(5):
                await asyncio.sleep(0)

    async def reply(self, method: str = "POST") -> tuple[h11.Response, bytes]:
        """Returns the next reply and its body; raises h11.RemoteProtocolError for one that is not valid HTTP."""
        if self._parser.our_state is h11.DONE:
            self._parser.start_next_cycle()
        self._parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        self._parser.send(h11.EndOfMessage())
        parts, response = [], None
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                match self._parser.next_event():
                    case h11.NEED_DATA:
                        self._parser.receive_data(await self._reader.read(2**16))
                    case h11.Response() as response:
                        pass
                    case h11.Data(data=data):
                        parts.append(bytes(data))
                    case h11.EndOfMessage():
                        return response, b"".join(parts)

    async def rest(self) -> bytes:
        """Returns what the gateway sends until it closes the connection."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            return await self._reader.read()


@pytest.fixture
async def port(backend, readiness, logger):
    settings = GatewaySettings(port=0)
    telemetry = build_telemetry(settings, logger, endings())
    with _listening(settings) as listener:
        server = Server(uvicorn_config(settings, backend, readiness, telemetry))
        serving = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving
    telemetry.tracing.shutdown(1.0)


@pytest.fixture
async def connection(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Connection(reader, writer)
    writer.close()


@pytest.mark.parametrize("head", [JAVA, CURL, OTHER], ids=["java", "curl", "other"])
@pytest.mark.parametrize(
    ("framing", "segments"),
    [
        (LENGTH, [BODY]),
        (LENGTH, [BODY[:1], BODY[1:]]),
        (LENGTH, [bytes([byte]) for byte in BODY]),
        (CHUNKED, [CHUNKED_BODY]),
        (CHUNKED, [bytes([byte]) for byte in CHUNKED_BODY]),
    ],
    ids=["length", "length in two", "length by bytes", "chunked", "chunked by bytes"],
)
@pytest.mark.parametrize("is_joined", [False, True], ids=["head apart", "head with body"])
async def test_the_body_of_a_request_whose_upgrade_is_declined_is_served(
    connection, backend, plain_audio, head, framing, segments, is_joined
):
    parts = [head % framing, *segments]
    await connection.send(*([parts[0] + parts[1], *parts[2:]] if is_joined else parts))
    response, audio = await connection.reply()
    assert (response.status_code, audio) == (200, plain_audio)
    assert [call.text for call in backend.calls] == ["Hello there."]


async def test_a_connection_serves_more_requests_after_a_declined_upgrade(connection, plain_audio):
    await connection.send(JAVA % LENGTH + BODY + JAVA % CHUNKED + CHUNKED_BODY + HEALTH % b"")
    for _ in range(2):
        assert (await connection.reply())[1] == plain_audio
    assert (await connection.reply())[1] == b"ok\n"


async def test_a_declined_upgrade_of_a_get_is_served(connection):
    await connection.send(HEALTH % b"Connection: Upgrade\r\nUpgrade: h2c\r\n")
    assert (await connection.reply())[1] == b"ok\n"


@pytest.mark.parametrize("connection_header", [b"", b"Connection: keep-alive\r\n"])
async def test_http_1_0_gets_audio_without_chunks_that_ends_with_the_connection(
    connection, plain_audio, connection_header
):
    head = b"POST /v1/speech HTTP/1.0\r\nContent-Type: application/json\r\n"
    await connection.send(head + connection_header + LENGTH + b"\r\n" + BODY)
    head, _, audio = (await connection.rest()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert audio == plain_audio


async def test_head_ends_with_its_headers_and_the_connection_goes_on(connection):
    await connection.send((HEALTH % b"").replace(b"GET", b"HEAD") + HEALTH % b"")
    response, body = await connection.reply("HEAD")
    assert (response.status_code, dict(response.headers)[b"content-length"], body) == (200, b"3", b"")
    assert (await connection.reply())[1] == b"ok\n"


async def test_the_absolute_form_that_proxies_receive_is_served(connection):
    await connection.send((HEALTH % b"").replace(b"/healthz", b"http://gateway.example/healthz"))
    assert (await connection.reply())[1] == b"ok\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",  # TLS
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header: 1\r\n\r\n",
        (JAVA % CHUNKED) + b"zz\r\n",
        (JAVA % LENGTH).replace(LENGTH, b"Content-Length: -1\r\n") + BODY,
    ],
    ids=["tls", "path", "header", "chunk", "length"],
)
async def test_what_is_no_http_is_a_400_and_closes_the_connection(connection, request_bytes):
    await connection.send(request_bytes)
    assert (await connection.reply())[0].status_code == 400


async def test_a_head_without_end_is_not_kept_but_closes_the_connection(connection):
    with contextlib.suppress(ConnectionError):  # what it has not read becomes a reset
        await connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000)
        assert (await connection.rest()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("record", "is_logged"),
    [
        (logging.makeLogRecord({"msg": "Unsupported upgrade request."}), False),
        (logging.makeLogRecord({"msg": "Invalid HTTP request received."}), True),
        (logging.makeLogRecord({"exc_info": (None, h11.LocalProtocolError("state=MUST_CLOSE"), None)}), False),
    ],
)
def test_uvicorns_lines_about_declined_upgrades_and_broken_requests_are_dropped(record, is_logged):
    assert _is_unexpected(record) is is_logged
