"""Builds, serves and drains a grpc.aio server. The one place where its options and the order of interceptors are set.

Called by the services' `__main__`.
"""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from phonoscope.common.call_events import CALL_KINDS, Method
from phonoscope.common.errors import PortTaken
from phonoscope.common.reflection import add_reflection, v1_descriptor

HEALTH_SERVICE: Final = "grpc.health.v1.Health"
MEBIBYTE: Final = 2**20

# Replies have up to 4 MiB of audio. Clients may ping every 10 s, also between calls, so that their keepalive detects
# dead connections; the server pings after a minute without traffic, so that dead clients do not keep streams open.
# Connections end after half an hour, with two minutes for calls in flight: clients reconnect through the load balancer
# and find new replicas.
OPTIONS: Final[Sequence[tuple[str, int]]] = (
    ("grpc.max_send_message_length", 4 * MEBIBYTE + 64 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 2 * 60_000),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls unnoticed
)


def build_server(
    interceptors: Sequence["grpc.aio.ServerInterceptor[Any, Any]"], max_request_bytes: int = MEBIBYTE
) -> grpc.aio.Server:
    """Returns a server.

    Args:
        interceptors: run in this order, the outermost first.
        max_request_bytes: of a message; 1 MiB of text is a hundred times the maximum length.
    """
    options = [*OPTIONS, ("grpc.max_receive_message_length", max_request_bytes)]
    return grpc.aio.server(interceptors=list(interceptors), options=options)


def enable_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Enables reflection, so that tools such as grpcurl can list and describe these services."""
    add_reflection(server, services)


def methods_of(*own: FileDescriptor) -> list[Method]:
    """Returns the methods of a service's own files, of health and of reflection, as metrics name them."""
    return [
        Method(service.full_name, method.name, CALL_KINDS[method.client_streaming, method.server_streaming])
        for file in (*own, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR, v1_descriptor())
        for service in file.services_by_name.values()
        for method in service.methods
    ]


def bind(server: grpc.aio.Server, host: str, port: int) -> int:
    """Binds the server and returns its port, which the system selects if `port` is 0.

    Raises:
        PortTaken: the address is in use or cannot be bound.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        _check_free(host, port)
        return server.add_insecure_port(address)
    except (OSError, RuntimeError, UnicodeError) as error:
        cause = (isinstance(error, OSError) and error.strerror) or error
        raise PortTaken(
            f"cannot listen on {address}: {cause}; stop the other process, or choose another address with "
            "--host and --port"
        ) from None


def _check_free(host: str, port: int) -> None:
    """Binds and releases the address, because gRPC reports the cause of a failure on standard error only.

    A name can have several addresses, as localhost does. gRPC binds as many as it can. One is enough for this check
    too, unless another program has bound one of them: it would get some of our calls.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failures = []
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            failures.append(error)
    in_use = [error for error in failures if error.errno == errno.EADDRINUSE]
    if in_use or len(failures) == len(addresses):
        raise (in_use or failures)[0]
