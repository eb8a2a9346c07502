"""The rules of all calls: deadlines, retries, waits for a busy server, TLS. test_aio.py has them for asyncio."""

import itertools
import shutil
import subprocess
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, SimpleNamespace

import grpc
import pytest

from phonoscope.client import Cancelled, Client, DeadlineExceeded, ResourceExhausted, Unavailable, retries


@pytest.fixture
def client(server):
    with Client(server.target) as client:
        yield client


def test_every_call_has_a_deadline_that_a_call_can_override(client, server):
    client.synthesize("Hello.")
    list(client.stream("Hello."))
    client.voices()
    client.synthesize("Hello.", timeout_seconds=5)
    list(client.stream("Hello.", timeout_seconds=5))
    # gRPC rounds a timeout up on its way.
    seconds_left = [call.seconds_left for call in server.calls]
    assert all(50 < left < 62 for left in seconds_left[:3])
    assert all(0 < left < 6 for left in seconds_left[3:])


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: list(c.stream("x"))])
def test_what_takes_too_long_raises_deadline_exceeded_and_ends_on_the_server(server, call):
    server.then_speak(then=server.hold)
    with Client(server.target, timeout_seconds=0.2) as client, pytest.raises(DeadlineExceeded) as caught:
        call(client)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.cancelled.wait(10)


@pytest.mark.parametrize(
    "call", [lambda c: c.synthesize("x").audio, lambda c: b"".join(k.audio for k in c.stream("x"))]
)
def test_unavailable_is_retried_on_the_same_connection(client, server, plain_audio, call):
    for _ in range(2):
        server.then_fail(grpc.StatusCode.UNAVAILABLE, "draining")
    assert call(client) == plain_audio
    assert len(server.calls) == 3
    assert [seen.metadata.get("grpc-previous-rpc-attempts") for seen in server.calls] == [None, "1", "2"]
    assert len({seen.peer for seen in server.calls}) == 1


def test_unavailable_is_raised_after_four_attempts(client, server):
    for _ in range(5):
        server.then_fail(grpc.StatusCode.UNAVAILABLE, "draining")
    with pytest.raises(Unavailable):
        client.synthesize("Hello.")
    assert len(server.calls) == 4


@pytest.mark.parametrize(
    "code", [c for c in grpc.StatusCode if c not in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}]
)
def test_no_other_status_is_retried(client, server, code):
    server.then_fail(code, "no")
    with pytest.raises(Exception, match="no"):
        client.synthesize("Hello.")
    assert len(server.calls) == 1


def test_a_stream_that_has_begun_is_not_retried(client, server):
    server.then_speak(b"\0\0", then=server.failure(grpc.StatusCode.UNAVAILABLE, "draining"))
    chunks = client.stream("Hello.")
    assert next(chunks).audio == b"\0\0"
    with pytest.raises(Unavailable, match="draining"):
        next(chunks)
    assert len(server.calls) == 1


ALL_CALLS = pytest.mark.parametrize(
    "call",
    [
        lambda c, **options: c.synthesize("x", **options).audio,
        lambda c, **options: b"".join(chunk.audio for chunk in c.stream("x", **options)),
        lambda c, **options: b"".join(chunk.audio for chunk in c.stream_pieces([], **options)),
        lambda c, **options: c.voices(**options),
    ],
    ids=["synthesize", "stream", "stream_pieces", "voices"],
)


BUSY_SECONDS = 0.002


@ALL_CALLS
def test_a_busy_server_is_called_again_after_the_delay(client, server, call):
    served = call(client)
    for _ in range(2):
        server.then_refuse(BUSY_SECONDS)
    assert call(client) == served
    assert len(server.calls) == 4


@ALL_CALLS
def test_a_client_that_does_not_wait_raises_the_refusal_at_once(server, call):
    server.then_refuse(BUSY_SECONDS)
    with Client(server.target, waits_when_busy=False) as client, pytest.raises(ResourceExhausted) as caught:
        call(client)
    assert caught.value.retry_after_seconds == BUSY_SECONDS
    assert caught.value.__suppress_context__
    assert len(server.calls) == 1


@ALL_CALLS
def test_a_delay_beyond_the_deadline_is_raised_at_once(client, server, call):
    server.then_refuse(BUSY_SECONDS)
    server.then_refuse(30.0)
    with pytest.raises(ResourceExhausted) as caught:
        call(client, timeout_seconds=20)
    assert caught.value.retry_after_seconds == 30.0
    assert len(server.calls) == 2


@ALL_CALLS
def test_a_refusal_without_a_delay_is_raised_at_once(client, server, call):
    server.then_refuse(None)
    with pytest.raises(ResourceExhausted):
        call(client)
    assert len(server.calls) == 1


@ALL_CALLS
def test_each_attempt_has_what_is_left_of_the_timeout(client, server, monkeypatch, call):
    clock = itertools.count(0.0, 10.0)  # ten seconds pass whenever it is read
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    server.then_refuse(BUSY_SECONDS)
    call(client, timeout_seconds=60)
    first, second = [seen.seconds_left for seen in server.calls]
    assert 40 < first < 52
    assert 20 < second < 32


def test_a_stream_that_has_begun_is_not_repeated_when_the_server_gets_busy(client, server):
    server.then_speak(b"\0\0", then=server.refusal(BUSY_SECONDS))
    chunks = client.stream("Hello.")
    assert next(chunks).audio == b"\0\0"
    with pytest.raises(ResourceExhausted):
        next(chunks)
    assert len(server.calls) == 1


def test_health_does_not_wait_for_a_busy_server(busy_health_server):
    with Client(busy_health_server.target) as client, pytest.raises(ResourceExhausted):
        client.health()
    assert len(busy_health_server.checks) == 1


def in_wait(frame: FrameType | None) -> bool:
    return any(within.f_code is Client._wait.__code__ for within, _ in traceback.walk_stack(frame))


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: next(c.stream("x"))])
def test_ctrl_c_ends_the_wait_for_a_busy_server(client, server, call, interrupted_when):
    server.then_refuse(50.0)
    with interrupted_when(in_wait), pytest.raises(KeyboardInterrupt):
        call(client)
    assert len(server.calls) == 1


def test_closing_the_client_ends_the_wait_for_a_busy_server(server, monkeypatch):
    server.then_refuse(50.0)
    client = Client(server.target)
    waits, wait = threading.Event(), client._wait
    monkeypatch.setattr(client, "_wait", lambda seconds: (waits.set(), wait(seconds)))
    with ThreadPoolExecutor(1) as thread:
        speech = thread.submit(client.synthesize, "Hello.")
        assert waits.wait(10)
        client.close()
        with pytest.raises(Cancelled, match="closed while it waited"):
            speech.result(10)
    assert len(server.calls) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(pem)]
    subprocess.run([openssl, *command.split(), *names], check=True, capture_output=True)
    return pem, key


@pytest.fixture
def secure_server(server_class, certificate):
    pem, key = certificate
    server = server_class(grpc.ssl_server_credentials([(key.read_bytes(), pem.read_bytes())]))
    yield server
    server.close()


def test_root_certificates_ask_for_tls(secure_server, certificate, plain_audio):
    with Client(secure_server.target, root_certificates=certificate[0]) as client:
        assert client.synthesize("Hello.").audio == plain_audio


def test_tls_refuses_a_server_that_it_does_not_trust(secure_server):
    with Client(secure_server.target, tls=True) as client, pytest.raises(Unavailable):
        client.health()
