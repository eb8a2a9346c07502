"""CLIENT spans by OpenTelemetry, and the W3C trace context that the server's spans join. Loaded by tracing.py.

SpanTracer and CallSpan have the shape of tracing.py's protocols, CallTracer and CallTrace, and import neither.

Follows OpenTelemetry's semantic conventions for gRPC (names in common/span_attributes.py): a client's span has status
ERROR for every code but OK. It never holds the text.
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
        """Starts the span of a call to `method`."""
        path = f"{SERVICE}/{method}"
        attributes = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: path, **self._server}
        return CallSpan(self._tracer.start_span(path, kind=SpanKind.CLIENT, attributes=attributes))


class CallSpan:
    """Span of one call; exiting it ends the span, with the status code of the exception, or OK."""

    def __init__(self, span: Span) -> None:
        carrier: dict[str, str] = {}
        W3C.inject(carrier, set_span_in_context(span))
        self.metadata: tuple[tuple[str, str], ...] | None = tuple(carrier.items())
        self._span = span
        self._has_audio = False

    def record_audio(self) -> None:
        """Adds an event for the first audio."""
        if not self._has_audio:
            self._has_audio = True
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
    """Returns the status code of a call that ended with `error`; a caller that stops early has cancelled it."""
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, PhonoscopeClientError):
        return error.code
    if isinstance(error, GeneratorExit | asyncio.CancelledError | KeyboardInterrupt):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def server_attributes(target: str) -> dict[str, str | int]:
    """Returns address and port of a target "host:port"; any other gRPC name is used as the address."""
    address, _, port = target.rpartition(":")
    if not (address and port.isdecimal()):
        return {"server.address": target}
    return {"server.address": address, "server.port": int(port)}
