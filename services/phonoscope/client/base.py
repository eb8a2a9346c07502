"""What Client and AsyncClient share: their settings, and the rules for deadlines, retries and errors of a call.

blocking.py and aio.py add the calls, each with its own channel and its own way to wait.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from phonoscope.client.channel import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_SECONDS,
    ChannelOptions,
    LoadBalancing,
    channel_credentials,
    channel_options,
)
from phonoscope.client.errors import from_rpc_error
from phonoscope.client.retries import Attempts
from phonoscope.client.tracing import call_tracer

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class BaseClient(ABC):
    """Settings of a client of one server.

    Every method raises PhonoscopeClientError when its call fails, and accepts `timeout_seconds` in place of the
    client's own. The first call opens the connection.

    A busy server refuses a call with RESOURCE_EXHAUSTED and a delay (RetryInfo). The client waits and retries, as long
    as no part of the reply has arrived and the delay ends before the deadline of the call; otherwise it raises
    ResourceExhausted at once. The delay doubles on each further refusal, up to 30 s, plus a random part of up to 25 %.
    Health checks are not retried.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        tls: bool = False,
        root_certificates: Path | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tracer_provider: "TracerProvider | None" = None,
        load_balancing: LoadBalancing = "pick_first",
        read_ahead_bytes: int | None = None,
        waits_when_busy: bool = True,
    ) -> None:
        """Prepares the channel.

        Args:
            target: host:port, or any gRPC name.
            timeout_seconds: deadline of each call.
            tls: whether to use TLS; implied by `root_certificates` and `credentials`.
            root_certificates: PEM file of the certificate authorities to trust; defaults to gRPC's own.
            credentials: credentials of the channel, in place of the two above.
            tracer_provider: of OpenTelemetry; each call but health checks gets a CLIENT span, and the server's span
                becomes its child.
            load_balancing: "round_robin" spreads the calls over all addresses of a name, such as dns:///speech:50051.
            read_ahead_bytes: maximum that gRPC buffers of a stream before it is read.
            waits_when_busy: whether to retry when the server is busy; otherwise its refusal is raised.
        """
        self.target = target
        self.timeout_seconds = timeout_seconds
        self._tracer = call_tracer(tracer_provider, target)
        self._waits_when_busy = waits_when_busy
        self._connect(
            channel_credentials(credentials, tls=tls, root_certificates=root_certificates),
            channel_options(load_balancing, read_ahead_bytes),
        )

    @abstractmethod
    def _connect(self, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> None:
        """Creates the channel, insecure without credentials, and its stubs."""

    def _wait_after(self, error: grpc.RpcError, attempts: Attempts) -> float:
        """Returns the seconds until the next attempt; raises the typed error when there is none."""
        failure = from_rpc_error(error, self.target)
        wait_seconds = attempts.wait_after(failure)
        if wait_seconds is None:
            raise failure from None
        return wait_seconds

    def _attempts(self, timeout_seconds: float | None, is_repeatable: Callable[[], bool] = lambda: True) -> Attempts:
        timeout = self._timeout(timeout_seconds)
        return Attempts(timeout, waits_when_busy=self._waits_when_busy, is_repeatable=is_repeatable)

    def _single_attempt(self, timeout_seconds: float | None) -> Attempts:
        return Attempts(self._timeout(timeout_seconds), waits_when_busy=False)

    def _timeout(self, timeout_seconds: float | None) -> float:
        return self.timeout_seconds if timeout_seconds is None else timeout_seconds
