"""Spans of the client's calls, where its owner gave a tracer provider; blocking.py and aio.py enter one for each call.

A span starts before its call and ends once, with the code that the caller sees. It is never the current span: a
stream is suspended between its chunks, and what its reader does there is not part of the call. Health checks have
none.

opentelemetry-instrumentation-grpc was tried (0.66b2) and does not fit: under its interceptors a stream cannot be
cancelled, its span stays current between chunks and ends with code 0 when closed early; a unary call whose task is
cancelled never ends its span, nor reaches the server. So the calls themselves say when they begin and end; no
interceptor is needed. OpenTelemetry is imported in spans.py alone, which loads on the first use of a provider.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class CallTrace(Protocol):
    """One call, as tracing sees it: a context, entered before the call and left when it has ended."""

    metadata: tuple[tuple[str, str], ...] | None
    """What to send along, so that the server's span is a child of this one."""

    def audio_came(self) -> None:
        """Takes note of a chunk; the first one is the span's event."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class CallTracer(Protocol):
    """Starts the traces of one client's calls."""

    def call(self, method: str) -> CallTrace:
        """Returns the trace of a call to `method` of the speech service, to be entered."""


class Untraced:
    """Tracer and trace of a client without a tracer provider: does nothing."""

    metadata: tuple[tuple[str, str], ...] | None = None

    def call(self, method: str) -> CallTrace:  # noqa: ARG002 - any method is untraced
        """Returns itself."""
        return self

    def audio_came(self) -> None:
        """Does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def call_tracer(tracer_provider: "TracerProvider | None", target: str) -> CallTracer:
    """Returns what traces the calls to `target`; raises ImportError where OpenTelemetry is not installed."""
    if tracer_provider is None:
        return Untraced()
    try:
        from phonoscope.client.spans import SpanTracer  # noqa: PLC0415 - OpenTelemetry is an extra, and slow to load
    except ImportError as error:
        raise ImportError(f"tracing needs OpenTelemetry ({error}): pip install 'phonoscope[tracing]'") from error
    return SpanTracer(tracer_provider, target)
