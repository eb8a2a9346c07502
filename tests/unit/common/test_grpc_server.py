"""The gRPC server's address and its options."""

import socket
from collections.abc import Iterator

import grpc
import pytest

from phonoscope.common.errors import PortTaken
from phonoscope.common.grpc_server import MEBIBYTE, OPTIONS, bind, build_server, enable_reflection


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


async def test_port_0_lets_the_system_choose_and_calls_arrive_there() -> None:
    server = build_server([])
    enable_reflection(server, [])
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/no/Such")(b"", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(None)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
async def test_a_busy_port_is_refused_in_one_line_that_names_it(
    host: str, taken: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PortTaken) as caught:
        bind(build_server([]), host, taken)
    assert str(caught.value) == (
        f"cannot listen on {host}:{taken}: Address already in use; stop the other process, or choose another "
        "address with --host and --port"
    )
    told = capfd.readouterr().err.splitlines()  # where gRPC may still talk of the connections of earlier tests
    assert [line for line in told if str(taken) in line] == []


async def test_two_servers_cannot_share_a_port() -> None:
    first = build_server([])
    port = bind(first, "127.0.0.1", 0)
    await first.start()
    with pytest.raises(PortTaken, match="in use"):
        bind(build_server([]), "127.0.0.1", port)
    await first.stop(None)


async def test_two_servers_cannot_share_a_port_that_was_free_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_server([])
    port = bind(first, "127.0.0.1", 0)
    await first.start()
    monkeypatch.setattr("phonoscope.common.grpc_server._check_free", lambda host, port: None)
    with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1:{port}"):
        bind(build_server([]), "127.0.0.1", port)
    await first.stop(None)


@pytest.mark.parametrize("port", [0, 50051])
@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("192.0.2.1", "Cannot assign requested address"),  # TEST-NET-1, RFC 5737: never this machine
        ("no-such-host.invalid", ""),
        ("a..b", ""),
        ("", ""),
    ],
)
async def test_an_address_that_is_not_of_this_machine_is_refused(host: str, why: str, port: int) -> None:
    with pytest.raises(PortTaken) as caught:
        bind(build_server([]), host, port)
    assert str(caught.value).startswith(f"cannot listen on {host}:{port}: {why}")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_is_written_in_brackets() -> None:
    server = build_server([])
    port = bind(server, "::1", 0)
    await server.start()
    with pytest.raises(PortTaken, match=rf"cannot listen on \[::1\]:{port}: Address already in use"):
        bind(build_server([]), "::1", port)
    await server.stop(None)


async def test_a_name_with_an_address_that_is_not_there_still_serves_its_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = socket.getaddrinfo("127.0.0.1", 0, type=socket.SOCK_STREAM)
    elsewhere = [(*found[0][:4], ("192.0.2.1", 0))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: [*elsewhere, *found])
    server = build_server([])
    assert bind(server, "127.0.0.1", 0) > 0
    await server.stop(None)


def test_a_reply_of_4_mib_is_sent() -> None:
    options = dict(OPTIONS)
    assert options["grpc.max_send_message_length"] >= 4 * MEBIBYTE


async def test_the_options_reach_the_server() -> None:
    async def echo(request: bytes, context: object) -> bytes:
        return request

    server = build_server([])
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/test/Echo")
        assert len(await call(b"x" * MEBIBYTE, timeout=5)) == MEBIBYTE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"x" * (MEBIBYTE + 1), timeout=5)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await server.stop(None)
