"""The setup of tracing: a sampler, a bounded queue, and export to a collector by OTLP over gRPC.

Built by the services' `__main__` and by the load generator. There is no global provider: code that creates spans gets
a tracer as an argument. The OpenTelemetry SDK does the work (https://opentelemetry.io/docs/specs/otel/trace/sdk/);
trace_export.py has Phonoscope's additions. docs/tracing.md describes the settings and the SDK's OTEL_* variables.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.grpc.exporter import InvalidCompressionValueException
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    Tracer,
    TracerProvider,
    format_span_id,
    format_trace_id,
    get_current_span,
)

from phonoscope.common import span_attributes as names
from phonoscope.common.errors import SettingsError
from phonoscope.common.otlp_endpoint import read_endpoint
from phonoscope.common.span_recorder import SpanRecorder
from phonoscope.common.trace_export import Capacity, Export, ExportLimits, Log, OnExport, Outage, SpanQueue

NO_ATTRIBUTES: Final[Mapping[str, str]] = {}
DEFAULT_LIMITS: Final = ExportLimits()


class Tracing:
    """Creates and exports a service's spans; off, at almost no cost, with a NoOpTracerProvider."""

    def __init__(self, provider: TracerProvider, version: str, queue: SpanQueue | None = None) -> None:
        self.provider = provider
        self._version = version
        self._queue = queue

    @property
    def is_on(self) -> bool:
        """Whether spans are created."""
        return not isinstance(self.provider, NoOpTracerProvider)

    def tracer(self, name: str) -> Tracer:
        """Returns a tracer for the module or package `name`."""
        return self.provider.get_tracer(name, self._version, names.SCHEMA_URL)

    def recorder(self, name: str) -> SpanRecorder:
        """Returns a recorder of finished spans for the module or package `name`; TypeError if tracing is off."""
        if not isinstance(self.provider, SdkTracerProvider) or self._queue is None:
            raise TypeError("tracing is off: there is no exporter for spans")
        scope = InstrumentationScope(name, self._version, names.SCHEMA_URL)
        return SpanRecorder(self._queue.on_end, self.provider.resource, scope, self.provider.id_generator)

    def shutdown(self, seconds: float) -> None:
        """Exports queued spans, blocking for up to `seconds`, and exports no more."""
        if self._queue is not None:
            self._queue.close(seconds)


def build_tracing(
    service_name: str,
    *,
    endpoint: str,
    sample_ratio: float,
    version: str,
    on_export: OnExport,
    logger: Log,
    attributes: Mapping[str, str] = NO_ATTRIBUTES,
    limits: ExportLimits = DEFAULT_LIMITS,
) -> Tracing:
    """Returns the tracing of one service; off, without a thread, when `endpoint` is "" or OTEL_SDK_DISABLED is true.

    Args:
        service_name: service.name of all spans, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES set another.
        endpoint: the collector: http://host:port, host:port, or https://host:port for TLS.
        sample_ratio: ratio of traces to sample, 0 to 1, if they start here; the caller decides for its own traces.
        version: of the service.
        on_export: called with a result and a number of spans, on any thread.
        logger: gets one line when exporting begins to fail and one when it has recovered.
        attributes: additional resource attributes, such as span_attributes.REVISION.
        limits: limits of the queue, and timeouts.

    Raises:
        SettingsError: the endpoint is not valid.
    """
    if not endpoint:
        return Tracing(NoOpTracerProvider(), version)
    own = {names.SERVICE_NAME: service_name, names.SERVICE_VERSION: version, **attributes}
    resource = HashedResource(Resource.create(own).merge(OTELResourceDetector().detect()))  # the environment wins
    # At exit it would shut down again, for half a minute, what `shutdown` has.
    provider = SdkTracerProvider(ParentBasedTraceIdRatio(sample_ratio), resource, shutdown_on_exit=False)
    if isinstance(provider.get_tracer(service_name), NoOpTracer):  # OTEL_SDK_DISABLED is true
        return Tracing(NoOpTracerProvider(), version)
    capacity = Capacity(limits.queue_spans)
    exporter = _exporter(endpoint, limits)
    queue = SpanQueue(Export(exporter, capacity, Outage(endpoint, logger), on_export), capacity, limits)
    provider.add_span_processor(queue)
    return Tracing(provider, version, queue)


class HashedResource(Resource):
    """A resource that caches its hash: the exporter hashes it for every span, and the SDK's encodes JSON for that."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def _exporter(endpoint: str, limits: ExportLimits) -> OTLPSpanExporter:
    address = read_endpoint(endpoint)
    try:
        return OTLPSpanExporter(address.target, address.is_plain, timeout=limits.timeout_seconds)
    except (InvalidCompressionValueException, ValueError, RuntimeError) as error:
        raise SettingsError(f"{error}; correct or unset the OTEL_EXPORTER_OTLP_* variables") from None


def current_trace_id() -> str:
    """Returns the current span's trace id, 32 hex digits, if that trace is sampled; else ""."""
    span = get_current_span().get_span_context()
    return format_trace_id(span.trace_id) if span.trace_flags.sampled and span.is_valid else ""


def add_trace_ids(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds the current span's ids to a log line: a structlog processor."""
    span = get_current_span().get_span_context()
    if span.is_valid:
        line["trace_id"] = format_trace_id(span.trace_id)
        line["span_id"] = format_span_id(span.span_id)
    return line
