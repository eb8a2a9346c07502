"""Tracing of calls: blocking.py and aio.py enter a CallTrace for each call; without a tracer provider it is a no-op.

A span starts before its call and ends once, with the code that the caller sees. It is never the current span: a
stream is suspended between its chunks, and what its reader does there is not part of the call. Health checks have
no span.

opentelemetry-instrumentation-grpc (0.66b2) does not fit: with its interceptors a stream cannot be cancelled, its span
stays current between chunks and ends with code 0 when closed early; a unary call whose task is cancelled neither ends
its span nor is cancelled on the server. So the calls themselves mark their start and end. Only spans.py imports
OpenTelemetry; it is loaded when a provider is given.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class CallTrace(Protocol):
    """Trace of one call: a context manager, entered before the call and exited when it has ended."""

    metadata: tuple[tuple[str, str], ...] | None
    """Metadata of the call that makes the server's span a child of this one."""

    def record_audio(self) -> None:
        """Records that a chunk has arrived; the first one becomes an event of the span."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class CallTracer(Protocol):
    """Creates the traces of one client's calls."""

    def call(self, method: str) -> CallTrace:
        """Returns the trace of a call to `method` of the speech service."""


class Untraced:
    """Tracer and trace of a client without a tracer provider: a no-op."""

    metadata: tuple[tuple[str, str], ...] | None = None

    def call(self, method: str) -> CallTrace:  # noqa: ARG002 - any method is untraced
        """Returns itself."""
        return self

    def record_audio(self) -> None:
        """Does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def call_tracer(tracer_provider: "TracerProvider | None", target: str) -> CallTracer:
    """Returns the tracer of calls to `target`; raises ImportError when OpenTelemetry is not installed."""
    if tracer_provider is None:
        return Untraced()
    try:
        from phonoscope.client.spans import SpanTracer  # noqa: PLC0415 - OpenTelemetry is an extra, and slow to load
    except ImportError as error:
        raise ImportError(f"tracing needs OpenTelemetry ({error}): pip install 'phonoscope[tracing]'") from error
    return SpanTracer(tracer_provider, target)
