"""Tracing, set up: off costs nothing, spans are bounded and counted, an outage is two lines of the log."""

import contextvars
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.exporter.otlp.proto.grpc.exporter import logger as exporter_logger
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import set_span_in_context

from phonoscope.common.errors import SettingsError
from phonoscope.common.otlp_endpoint import Endpoint, read_endpoint
from phonoscope.common.span_attributes import REVISION
from phonoscope.common.trace_export import Capacity, Export, ExportLimits, Outage, SpanQueue
from phonoscope.common.tracing import Tracing, add_trace_ids, build_tracing, current_trace_id


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))


def build(endpoint: str, **more: Any) -> Tracing:
    return build_tracing(
        "phonoscope-server",
        endpoint=endpoint,
        sample_ratio=1.0,
        version="1.2.3",
        on_export=lambda result, spans: None,
        logger=Lines(),
        **more,
    )


@pytest.fixture
def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@pytest.mark.parametrize(
    ("endpoint", "read"),
    [
        ("http://collector:4317", Endpoint("collector:4317", is_plain=True)),
        ("HTTP://collector:4317/", Endpoint("collector:4317", is_plain=True)),
        ("collector:4317", Endpoint("collector:4317", is_plain=True)),
        ("10.0.0.1:4317", Endpoint("10.0.0.1:4317", is_plain=True)),
        ("http://[::1]:4317", Endpoint("[::1]:4317", is_plain=True)),
        ("https://traces.example.com:4317", Endpoint("traces.example.com:4317", is_plain=False)),
        ("https://traces.example.com", Endpoint("traces.example.com", is_plain=False)),
    ],
)
def test_an_endpoint_says_where_and_whether_in_plain_text(endpoint: str, read: Endpoint) -> None:
    assert read_endpoint(endpoint) == read


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("ftp://collector:4317", "unknown scheme ftp; use http://collector:4317"),
        ("collector", "has no port; use http://collector:4317, or https://collector:4317 for TLS"),
        ("http://collector", "has no port"),
        ("http://", "has no host"),
        ("http://:4317", "has no host"),
        ("col lector:4317", "has no host"),
        ("http://collector:many", "is not a valid address"),
        ("http://collector:99999", "is not a valid address"),
        ("http://[::1:4317", "is not a valid address"),
        ("http://collector:4318/v1/traces", "has a path, as OTLP over HTTP does; .*; use http://collector:4317"),
        ("http://collector:4317?a=b", "has a path"),
    ],
)
def test_an_endpoint_that_cannot_be_read_is_refused_with_what_to_write(endpoint: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build(endpoint)


def test_a_password_in_the_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_HEADERS") as refused:
        build("http://me:secret@collector:4317")
    assert "secret" not in str(refused.value)


def test_without_an_endpoint_tracing_is_off_and_has_no_thread(threads: set[threading.Thread]) -> None:
    tracing = build("")
    assert not tracing.is_on
    assert not tracing.tracer("any").start_span("any").is_recording()
    assert set(threading.enumerate()) <= threads
    tracing.shutdown(0)


def test_tracing_is_off_when_the_sdk_is_disabled(
    monkeypatch: pytest.MonkeyPatch, threads: set[threading.Thread]
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing = build("collector:4317")
    assert not tracing.is_on
    assert not tracing.tracer("any").start_span("any").is_recording()
    assert set(threading.enumerate()) <= threads


def test_without_tracing_there_is_nothing_to_record_finished_spans_with() -> None:
    with pytest.raises(TypeError, match="tracing is off"):
        build("").recorder("any")


@pytest.fixture
def on() -> Iterator[Any]:
    """Builds tracings that lead nowhere, and shuts them down."""
    built = []

    def build_on(**more: Any) -> Tracing:
        built.append(build("127.0.0.1:9", limits=ExportLimits(timeout_seconds=0.01), **more))
        return built[-1]

    yield build_on
    for tracing in built:
        tracing.shutdown(0)


def test_no_provider_becomes_the_global_one(on: Any) -> None:
    before = trace.get_tracer_provider()
    assert on().is_on
    assert trace.get_tracer_provider() is before


def resource_of(tracing: Tracing) -> dict[str, object]:
    span = tracing.tracer("any").start_span("any")
    assert isinstance(span, ReadableSpan)
    return dict(span.resource.attributes)


def test_spans_say_which_service_they_come_from(on: Any) -> None:
    resource = resource_of(on(attributes={REVISION: "abc123"}))
    assert resource["service.name"] == "phonoscope-server"
    assert resource["service.version"] == "1.2.3"
    assert resource["vcs.ref.head.revision"] == "abc123"
    assert resource["telemetry.sdk.language"] == "python"


def test_a_resource_is_the_same_one_for_whoever_makes_spans(on: Any) -> None:
    """The exporter groups spans by resource, and hashes it for each."""
    tracing = on()
    span = tracing.tracer("any").start_span("any")
    plain = Resource(dict(span.resource.attributes), span.resource.schema_url)
    assert span.resource == plain
    assert hash(span.resource) == hash(plain)


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("OTEL_SERVICE_NAME", "mine", "mine"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours,deployment.environment.name=test", "ours"),
    ],
)
def test_the_environment_may_name_the_service(
    monkeypatch: pytest.MonkeyPatch, on: Any, variable: str, value: str, name: str
) -> None:
    monkeypatch.setenv(variable, value)
    resource = resource_of(on())
    assert resource["service.name"] == name
    assert resource.get("deployment.environment.name") == ("test" if name == "ours" else None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")],
)
def test_a_variable_of_the_exporter_that_cannot_be_read_is_a_settings_error(
    monkeypatch: pytest.MonkeyPatch, threads: set[threading.Thread], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{value}.*correct or unset the OTEL_EXPORTER_OTLP"):
        build("collector:4317")
    assert set(threading.enumerate()) <= threads


def ids_within(sampler: Any) -> tuple[trace.SpanContext, str, dict[str, Any]]:
    """Returns a span's context, and what is known of it where it is current."""
    span = TracerProvider(sampler, shutdown_on_exit=False).get_tracer("any").start_span("any", Context())

    def look() -> tuple[str, dict[str, Any]]:
        attach(set_span_in_context(span))
        return current_trace_id(), dict(add_trace_ids(None, "info", {"event": "told"}))

    return span.get_span_context(), *contextvars.copy_context().run(look)


def test_within_a_sampled_span_its_ids_are_known() -> None:
    span, trace_id, line = ids_within(ALWAYS_ON)
    assert trace_id == f"{span.trace_id:032x}"
    assert line == {"event": "told", "trace_id": trace_id, "span_id": f"{span.span_id:016x}"}


def test_within_a_span_that_is_not_sampled_only_the_log_has_ids() -> None:
    """An exemplar would lead to nothing; lines of the log still belong together."""
    span, trace_id, line = ids_within(ALWAYS_OFF)
    assert trace_id == ""
    assert (line["trace_id"], line["span_id"]) == (f"{span.trace_id:032x}", f"{span.span_id:016x}")


def test_outside_of_spans_there_are_no_ids() -> None:
    assert current_trace_id() == ""
    assert add_trace_ids(None, "info", {"event": "told"}) == {"event": "told"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.fixture
def outage(log: Lines, clock: Clock) -> Outage:
    return Outage("http://collector:4317", log, clock)


def test_an_outage_is_reported_when_it_begins_and_when_it_ends_with_what_was_lost(outage: Outage, log: Lines) -> None:
    outage.passed()
    for spans in (10, 20, 30):
        outage.lost(spans)
        outage.failed("no one there")
    outage.passed()
    outage.passed()
    ((failed_level, failed, told), (level, recovered, told_after)) = log.lines
    assert (failed_level, failed) == ("warning", "trace_export_failed")
    assert (told["endpoint"], told["reason"]) == ("http://collector:4317", "no one there")
    assert "4317" in str(told["hint"])
    assert (level, recovered) == ("info", "trace_export_recovered")
    assert told_after == {"endpoint": "http://collector:4317", "spans_lost": 60}


def test_a_collector_that_comes_and_goes_does_not_fill_the_log(outage: Outage, log: Lines, clock: Clock) -> None:
    for _ in range(59):
        outage.failed("busy")
        outage.passed()
        clock.now += 1
    assert len(log.lines) == 2
    clock.now += 1
    outage.failed("busy")
    assert len(log.lines) == 3


def test_an_outage_that_begins_in_the_quiet_after_another_is_reported_later(
    outage: Outage, log: Lines, clock: Clock
) -> None:
    outage.failed("first")
    outage.passed()
    outage.lost(5)
    outage.failed("second")
    assert len(log.lines) == 2
    clock.now += 61
    outage.lost(7)
    outage.failed("second")
    outage.passed()
    assert [(event, fields.get("spans_lost")) for _, event, fields in log.lines[2:]] == [
        ("trace_export_failed", None),
        ("trace_export_recovered", 12),
    ]


def test_what_a_busy_moment_dropped_long_ago_is_not_a_part_of_an_outage(outage: Outage, log: Lines) -> None:
    outage.lost(100)
    outage.passed()
    outage.lost(1)
    outage.failed("no one there")
    outage.passed()
    assert log.lines[-1][2]["spans_lost"] == 1


class Collector(SpanExporter):
    """Takes batches when it is let, and is cancelled as the exporter of the SDK is."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.result = SpanExportResult.SUCCESS
        self.shutdowns = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.open.wait(10)
        self.taken += [span.name for span in spans]
        return self.result

    def shutdown(self) -> None:
        self.shutdowns += 1
        self.result = SpanExportResult.FAILURE
        self.open.set()


class Queued:
    """A queue of eight, in batches of two, before a collector that is shut at first."""

    def __init__(self, log: Lines) -> None:
        self.collector = Collector()
        self.counts: Counter[str] = Counter()
        self.capacity = Capacity(8)
        outage = Outage("http://collector:4317", log)
        export = Export(
            self.collector, self.capacity, outage, lambda result, spans: self.counts.update({result: spans})
        )
        self.queue = SpanQueue(export, self.capacity, ExportLimits(8, 2, 600.0, 1.0))
        provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(self.queue)
        self._tracer = provider.get_tracer("any")

    def end(self, *names: str) -> None:
        for name in names:
            self._tracer.start_span(name).end()


@pytest.fixture
def queued(log: Lines) -> Iterator[Queued]:
    queued = Queued(log)
    yield queued
    queued.queue.close(0)


def test_spans_that_find_no_room_are_dropped_and_counted_while_the_others_wait(queued: Queued) -> None:
    queued.end("0", "1")
    assert queued.collector.entered.wait(10)
    queued.end(*"23456789")  # the batch under way takes two of eight places
    assert queued.counts == {"dropped": 2}
    queued.collector.open.set()
    assert queued.queue.force_flush()
    assert queued.counts == {"dropped": 2, "exported": 8}
    assert queued.collector.taken == [*"01234567"]


def test_places_are_free_again_when_their_batch_is_over(queued: Queued) -> None:
    queued.collector.open.set()
    for _ in range(5):
        queued.end(*"01234567")
        queued.queue.force_flush()
    assert queued.counts == {"exported": 40}


def test_places_are_free_again_when_their_batch_has_failed(queued: Queued) -> None:
    queued.collector.open.set()
    queued.collector.result = SpanExportResult.FAILURE
    for _ in range(5):
        queued.end(*"01234567")
        queued.queue.force_flush()
    assert queued.counts == {"failed": 40}


def test_an_exporter_that_raises_has_failed(
    queued: Queued, log: Lines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_(spans: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(queued.collector, "export", raise_)
    queued.end("0")
    queued.queue.force_flush()
    assert queued.counts == {"failed": 1}
    assert [event for _, event, _ in log.lines] == ["trace_export_failed"]
    assert "Exception while exporting" in caplog.text


def test_closing_sends_what_is_held_and_drops_what_comes_later(queued: Queued) -> None:
    queued.collector.open.set()
    queued.end("0", "1", "2")
    queued.queue.close(10)
    assert queued.collector.taken == ["0", "1", "2"]
    queued.end("3")
    assert queued.counts == {"exported": 3, "dropped": 1}
    queued.queue.close(10)
    assert queued.collector.shutdowns == 1


def test_closing_gives_up_on_a_collector_that_hangs(queued: Queued, threads: set[threading.Thread]) -> None:
    queued.end("0", "1", "2")
    assert queued.collector.entered.wait(10)
    queued.queue.close(0.01)  # would wait for the collector, which opens only when it is shut down
    assert queued.counts == {"failed": 3}
    assert not {thread for thread in set(threading.enumerate()) - threads if thread.is_alive()}


def test_what_the_exporter_says_is_reported_once_and_not_logged(
    queued: Queued, log: Lines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(spans: object) -> SpanExportResult:
        exporter_logger.warning("trying %s again", "traces")
        exporter_logger.error("gave up on %s", "traces")
        return SpanExportResult.FAILURE

    monkeypatch.setattr(queued.collector, "export", fail)
    for _ in range(3):
        queued.end("0", "1")
        queued.queue.force_flush()
    assert [fields["reason"] for _, _, fields in log.lines] == ["gave up on traces"]
    assert caplog.records == []
    exporter_logger.error("said by another exporter")
    assert [record.getMessage() for record in caplog.records] == ["said by another exporter"]


def test_an_exporter_on_another_thread_may_speak_while_ours_is_at_work(
    queued: Queued, caplog: pytest.LogCaptureFixture
) -> None:
    queued.end("0", "1")
    assert queued.collector.entered.wait(10)
    logging.getLogger(exporter_logger.name).error("said meanwhile")
    assert [record.getMessage() for record in caplog.records] == ["said meanwhile"]
