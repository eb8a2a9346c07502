"""The metrics endpoint over real sockets: its paths, bad scrapers, and its end."""

import contextlib
import gzip
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phonoscope.common import metrics_endpoint
from phonoscope.common.errors import PortTaken
from phonoscope.common.metrics_endpoint import serving_metrics

HOST = "127.0.0.1"


class Stuck(Collector):
    """A collector that does not return until it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        self.asked.set()
        assert self.may_answer.wait(10)
        yield GaugeMetricFamily("stuck", "It was not.", value=1.0)


@pytest.fixture(autouse=True)
def _nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr().err == ""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    monkeypatch.setattr("prometheus_client.metrics._use_created", False)  # as the server does, for the process
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc(3)
    return registry


@pytest.fixture
def logger() -> Any:
    return structlog.testing.CapturingLogger()


@pytest.fixture
def port(registry: CollectorRegistry, logger: Any) -> Iterator[int]:
    with serving_metrics(registry, HOST, 0, logger) as port:
        yield port


def ask(port: int, path: str, method: str = "GET", host: str = HOST, **headers: str) -> tuple[Any, bytes]:
    """Sends a request and returns the response and its body."""
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()


def test_metrics_are_served_as_text_to_those_who_do_not_say(port: int) -> None:
    response, body = ask(port, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Content-Length"] == str(len(body))
    assert b"calls_total 3.0\n" in body


def test_what_accept_and_accept_encoding_ask_for_comes(port: int) -> None:
    response, body = ask(
        port, "/metrics", **{"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    )
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).endswith(b"calls_total 3.0\n# EOF\n")


def test_metrics_are_of_the_moment(port: int, registry: CollectorRegistry) -> None:
    ask(port, "/metrics")
    Counter("later", "Later.", registry=registry).inc()
    assert b"later_total 1.0" in ask(port, "/metrics")[1]


def test_healthz_says_ok(port: int) -> None:
    response, body = ask(port, "/healthz")
    assert (response.status, body) == (200, b"ok\n")


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_head_says_what_get_would_without_the_body(port: int, path: str) -> None:
    got, body = ask(port, path)
    headed, _nothing = ask(port, path, "HEAD")
    assert headed.status == 200
    assert headed.headers["Content-Length"] == str(len(body))
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]
    with socket.create_connection((HOST, port), timeout=10) as plain:
        plain.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        assert b"".join(iter(lambda: plain.recv(4096), b"")).endswith(b"\r\n\r\n")


def test_a_query_changes_nothing(port: int) -> None:
    assert ask(port, "/metrics?x=1")[1] == ask(port, "/metrics")[1]


@pytest.mark.parametrize("path", ["/", "/metric", "/metrics/", "/favicon.ico", "/%2e"])
def test_an_unknown_path_lists_the_existing_ones(port: int, path: str) -> None:
    response, body = ask(port, path)
    assert response.status == 404
    assert b"/metrics" in body
    assert b"/healthz" in body
    assert body.count(b"\n") == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_an_unsupported_method_lists_the_allowed_ones(port: int, path: str, method: str) -> None:
    response, _body = ask(port, path, method)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_a_collector_that_raises_leaves_the_others_and_a_line_in_the_log(
    port: int, registry: CollectorRegistry, logger: Any
) -> None:
    class Broken(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            raise ValueError

    registry.register(Broken())
    for _ in range(3):
        response, body = ask(port, "/metrics")
        assert response.status == 200
        assert b"calls_total 3.0" in body
    assert [call.args for call in logger.calls] == [("metrics_collector_failed",)]


def test_scrapers_that_say_nothing_hold_up_nobody_and_not_the_end(registry: CollectorRegistry, logger: Any) -> None:
    with contextlib.ExitStack() as stack:
        with serving_metrics(registry, HOST, 0, logger) as port:
            silent = [stack.enter_context(socket.create_connection((HOST, port), timeout=10)) for _ in range(20)]
            assert ask(port, "/metrics")[0].status == 200
        assert "metrics" not in {thread.name for thread in threading.enumerate()}
        for connection in silent:  # they are held still: the end has not waited for them
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)


def test_a_scraper_that_falls_silent_is_dropped(port: int, logger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics_endpoint._Connection.timeout == metrics_endpoint.PATIENCE_SECONDS
    monkeypatch.setattr(metrics_endpoint._Connection, "timeout", 0.01)
    for said in (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"):
        with socket.create_connection((HOST, port), timeout=10) as silent:
            silent.sendall(said)
            assert silent.recv(1) == b""
    assert {call.method_name for call in logger.calls} == {"debug"}


def test_a_scraper_that_does_not_read_on_is_dropped(
    port: int, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped, shutdown_request = threading.Event(), metrics_endpoint._Server.shutdown_request

    def drop(server: Any, request: Any) -> None:
        shutdown_request(server, request)
        dropped.set()

    monkeypatch.setattr(metrics_endpoint._Server, "shutdown_request", drop)
    monkeypatch.setattr(metrics_endpoint._Connection, "timeout", 0.01)
    much = 16 * 2**20
    Counter("much", "x" * much, registry=registry)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(10)
        lazy.connect((HOST, port))
        lazy.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert dropped.wait(10)
        read = 0
        with contextlib.suppress(ConnectionResetError):
            while got := len(lazy.recv(2**16)):
                read += got
    assert 0 < read < much


def test_a_scraper_that_leaves_before_the_end_is_no_trouble(port: int, registry: CollectorRegistry) -> None:
    stuck = Stuck()
    registry.register(stuck)
    with socket.create_connection((HOST, port), timeout=10) as hasty:
        hasty.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert stuck.asked.wait(10)
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # leaves by reset
    stuck.may_answer.set()
    assert b"stuck 1.0" in ask(port, "/metrics")[1]


def test_garbage_is_refused(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=10) as odd:
        odd.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what TLS says first\r\n\r\n")
        assert b"400" in odd.recv(1000)
    assert ask(port, "/healthz")[0].status == 200


def test_a_collector_that_is_stuck_blocks_scrapes_for_a_bounded_time_and_neither_health_nor_the_end(
    registry: CollectorRegistry, logger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_endpoint, "PATIENCE_SECONDS", 0.01)
    stuck = Stuck()
    registry.register(stuck)
    with serving_metrics(registry, HOST, 0, logger) as port, socket.create_connection((HOST, port)) as first:
        first.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert stuck.asked.wait(10)
        response, body = ask(port, "/metrics")
        assert (response.status, body) == (503, b"the previous scrape has not ended\n")
        assert ask(port, "/healthz")[0].status == 200
    stuck.may_answer.set()


def test_after_the_end_the_port_is_free(registry: CollectorRegistry, logger: Any) -> None:
    with serving_metrics(registry, HOST, 0, logger) as port:
        assert ask(port, "/healthz")[0].status == 200
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/healthz")
    with serving_metrics(registry, HOST, port, logger) as again:
        assert again == port


def test_the_end_does_not_wait_for_the_next_look_at_the_clock(
    registry: CollectorRegistry, logger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard library looks twice a second whether it should stop; here it would be once in ten minutes."""
    serve = metrics_endpoint._Server.serve_forever
    monkeypatch.setattr(metrics_endpoint._Server, "serve_forever", lambda server: serve(server, poll_interval=600))

    def serve_once() -> None:
        with serving_metrics(registry, HOST, 0, logger) as port:
            assert ask(port, "/healthz")[0].status == 200

    whole_life = threading.Thread(target=serve_once, daemon=True)
    whole_life.start()
    whole_life.join(10)
    assert not whole_life.is_alive()


def test_the_end_comes_also_when_the_caller_raises(registry: CollectorRegistry, logger: Any) -> None:
    with pytest.raises(RuntimeError), serving_metrics(registry, HOST, 0, logger) as port:
        raise RuntimeError
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/healthz")


def test_a_busy_port_is_refused_in_one_line_that_names_it(registry: CollectorRegistry, logger: Any) -> None:
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught, serving_metrics(registry, HOST, taken, logger):
            pass
    assert str(caught.value) == (
        f"cannot serve metrics on {HOST}:{taken}: Address already in use; "
        "stop the other process, or choose another port with --metrics-port"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_an_address_that_is_not_of_this_machine_is_refused(
    registry: CollectorRegistry, logger: Any, host: str
) -> None:
    with (
        pytest.raises(PortTaken, match=rf"cannot serve metrics on {host}:0: \S"),
        serving_metrics(registry, host, 0, logger),
    ):
        pass


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_is_served_and_written_in_brackets(registry: CollectorRegistry, logger: Any) -> None:
    with serving_metrics(registry, "::1", 0, logger) as port:
        assert ask(port, "/healthz", host="::1")[0].status == 200
        with (
            pytest.raises(PortTaken, match=rf"cannot serve metrics on \[::1\]:{port}: Address already in use"),
            serving_metrics(registry, "::1", port, logger),
        ):
            pass


def test_a_name_is_served_without_asking_what_it_is_called(
    registry: CollectorRegistry, logger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_a_name_server(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr("socket.getfqdn", ask_a_name_server)
    with serving_metrics(registry, "localhost", 0, logger) as port:
        assert ask(port, "/healthz", host="localhost")[0].status == 200
