"""Builds, serves and drains a grpc.aio server. The one place where its options and the order of interceptors are set.

Called by the services' `__main__`.
"""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection

from phonoscope.common.errors import PortTaken

MEBIBYTE: Final = 2**20

# Requests are text: a megabyte is a hundred times the longest that is served. Replies hold at most 4 MiB of audio.
# A client may ping every 10 s, also between calls, so that its keepalive finds dead connections; the server pings
# after a minute of silence, so that dead clients do not hold streams. Connections end after half an hour, with two
# minutes for calls in flight: clients come back through the load balancer and find new replicas.
OPTIONS: Final[Sequence[tuple[str, int]]] = (
    ("grpc.max_receive_message_length", MEBIBYTE),
    ("grpc.max_send_message_length", 4 * MEBIBYTE + 64 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 2 * 60_000),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls unseen
)


def build_server(interceptors: Sequence["grpc.aio.ServerInterceptor[Any, Any]"]) -> grpc.aio.Server:
    """Returns a server; `interceptors` run in the order given, the outermost first."""
    return grpc.aio.server(interceptors=list(interceptors), options=list(OPTIONS))


def enable_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Lets tools such as grpcurl list and describe these services."""
    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)


def bind(server: grpc.aio.Server, host: str, port: int) -> int:
    """Binds the server and returns its port, chosen by the system when `port` is 0.

    Raises:
        PortTaken: the address is in use, or not ours to bind.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        _check_free(host, port)
        return server.add_insecure_port(address)
    except (OSError, RuntimeError, UnicodeError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise PortTaken(
            f"cannot listen on {address}: {why}; stop what holds it, or choose another with --host and --port"
        ) from None


def _check_free(host: str, port: int) -> None:
    """Binds and lets go of the address, since gRPC would say why it cannot on standard error and not to its caller.

    A name may mean several addresses, as localhost does. gRPC is content with one of them; so are we, unless another
    program holds one: it would get some of our calls.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refusals = []
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            refusals.append(error)
    in_use = [error for error in refusals if error.errno == errno.EADDRINUSE]
    if in_use or len(refusals) == len(found):
        raise (in_use or refusals)[0]
