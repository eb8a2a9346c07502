"""CLIENT spans by OpenTelemetry, and the W3C trace context that the server's spans join. Loaded by tracing.py.

SpanTracer and CallSpan have the shape of tracing.py's protocols, CallTracer and CallTrace, and import neither.

Follows OpenTelemetry's semantic conventions for gRPC (names in common/span_attributes.py): a client's span is in error
for every code but OK. Never the text.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

import grpc
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import phonoscope
from phonoscope.client.errors import PhonoscopeClientError
from phonoscope.common import span_attributes as names
from phonoscope.protos.tts.v1 import tts_pb2

SERVICE: Final[str] = tts_pb2.DESCRIPTOR.services_by_name["TextToSpeech"].full_name
W3C: Final = TraceContextTextMapPropagator()


class SpanTracer:
    """Starts a CLIENT span for each call, as a child of the caller's current span."""

    def __init__(self, tracer_provider: TracerProvider, target: str) -> None:
        self._tracer = tracer_provider.get_tracer(__name__, phonoscope.__version__, names.SCHEMA_URL)
        self._server = server_attributes(target)

    def call(self, method: str) -> "CallSpan":
        """Returns a span of a call to `method`, which starts now."""
        path = f"{SERVICE}/{method}"
        attributes = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: path, **self._server}
        return CallSpan(self._tracer.start_span(path, kind=SpanKind.CLIENT, attributes=attributes))


class CallSpan:
    """One call's span; leaving it ends the span, with the code of the error that it is left by."""

    def __init__(self, span: Span) -> None:
        carrier: dict[str, str] = {}
        W3C.inject(carrier, set_span_in_context(span))
        self.metadata: tuple[tuple[str, str], ...] | None = tuple(carrier.items())
        self._span = span
        self._has_sounded = False

    def audio_came(self) -> None:
        """Marks the first audio on the span."""
        if not self._has_sounded:
            self._has_sounded = True
            self._span.add_event(names.FIRST_AUDIO_EVENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        code = code_of(error)
        self._span.set_attribute(names.RPC_STATUS_CODE, code.name)
        if code is not grpc.StatusCode.OK:
            self._span.set_attribute(names.ERROR_TYPE, code.name)
            reason = error.reason if isinstance(error, PhonoscopeClientError) else ""
            self._span.set_status(Status(StatusCode.ERROR, reason or code.name))
        self._span.end()


def code_of(error: BaseException | None) -> grpc.StatusCode:
    """Returns how a call ended that was left by `error`: who stops listening, or is interrupted, cancels it."""
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, PhonoscopeClientError):
        return error.code
    if isinstance(error, GeneratorExit | asyncio.CancelledError | KeyboardInterrupt):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def server_attributes(target: str) -> dict[str, str | int]:
    """Returns address and port of a target "host:port"; any other gRPC name is an address as it is."""
    address, _, port = target.rpartition(":")
    if not (address and port.isdecimal()):
        return {"server.address": target}
    return {"server.address": address, "server.port": int(port)}
