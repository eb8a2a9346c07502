"""Everything that watches, put together: which sinks there are, in which order, and what the registry holds."""

from collections.abc import Iterator
from typing import Any, get_args

import grpc
import pytest
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from structlog.testing import CapturingLogger

from phonoscope.common.call_events import CallEnded, CallEvent, CallStarted, Method
from phonoscope.common.call_metrics import CallMetrics
from phonoscope.common.call_spans import CallSpans
from phonoscope.common.errors import SettingsError
from phonoscope.common.exposition import Exposition
from phonoscope.common.tracing import current_trace_id
from phonoscope.server.events import ChunkSent, Event, RequestFinished, RequestStarted
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.logs import LogSink
from phonoscope.server.telemetry.metrics import MetricsSink
from phonoscope.server.telemetry.pipeline import Telemetry, build_telemetry
from phonoscope.server.telemetry.recording_metrics import RecordingMetrics
from phonoscope.server.telemetry.spans import SpanSink

SPEAK = Method("test.v1.Speech", "Speak", "unary")
NOBODY = "http://127.0.0.1:1"  # nothing listens there
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def logger() -> CapturingLogger:
    return CapturingLogger()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(variable, raising=False)
    yield
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def build(logger: CapturingLogger) -> Iterator[Any]:
    built = []

    def build(**settings: Any) -> Telemetry:
        built.append(build_telemetry(ServerSettings(**settings), logger, [SPEAK]))
        return built[-1]

    yield build
    for telemetry in built:
        telemetry.tracing.shutdown(0)


def names(registry: CollectorRegistry) -> set[str]:
    return {sample.name for family in registry.collect() for sample in family.samples}


def test_every_sink_takes_events_by_a_table_of_their_kinds(build: Any) -> None:
    telemetry = build(otlp_endpoint=NOBODY)
    of_calls = [sink for sink in telemetry.call_sinks if sink != telemetry.log.call]
    assert (len(telemetry.sinks), len(of_calls)) == (4, 2)
    for sinks, events in ((telemetry.sinks, Event), (of_calls, CallEvent)):
        for sink in sinks:
            assert set(sink._takers) <= set(get_args(events))


def test_without_an_endpoint_there_are_neither_spans_nor_a_metric_of_them(build: Any) -> None:
    telemetry = build(otlp_endpoint="")
    assert not telemetry.tracing.is_on
    assert [type(sink) for sink in telemetry.sinks] == [MetricsSink, RecordingMetrics, LogSink]
    assert [type(getattr(sink, "__self__", sink)) for sink in telemetry.call_sinks] == [CallMetrics, LogSink]
    assert "tts_trace_spans_total" not in names(telemetry.registry)


@pytest.mark.parametrize("otlp_endpoint", ["", NOBODY])
def test_a_strict_parser_of_openmetrics_reads_the_whole_page(
    build: Any, logger: CapturingLogger, otlp_endpoint: str
) -> None:
    telemetry = build(otlp_endpoint=otlp_endpoint)
    telemetry.metrics.make_voice_series({"joe": ("prepare", "render")})
    telemetry.emit(RequestStarted(1, "id"))
    telemetry.emit(ChunkSent(1, "joe", gap_seconds=0.2, slack_seconds=-0.3))
    page = Exposition(telemetry.registry, logger).page("application/openmetrics-text; version=1.0.0", "")
    families = {family.name: family for family in parse_openmetrics(page.body.decode())}
    assert set(families) >= {"tts_playback_slack_seconds", "tts_requests", "grpc_server_handling_seconds"}
    slack = {sample.labels["le"]: sample.value for sample in families["tts_playback_slack_seconds"].samples}
    assert (slack["-0.5"], slack["-0.1"], slack["+Inf"]) == (0, 1, 1)


def test_with_an_endpoint_the_spans_come_first(build: Any) -> None:
    """What they put into a call's context is what metrics and lines of the log name."""
    telemetry = build(otlp_endpoint=NOBODY)
    assert telemetry.tracing.is_on
    assert [type(sink) for sink in telemetry.sinks] == [SpanSink, MetricsSink, RecordingMetrics, LogSink]
    assert [type(getattr(sink, "__self__", sink)) for sink in telemetry.call_sinks] == [
        CallSpans,
        CallMetrics,
        LogSink,
    ]
    assert "tts_trace_spans_total" in names(telemetry.registry)


def test_otel_sdk_disabled_turns_traces_off(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = build(otlp_endpoint=NOBODY)
    assert [type(sink) for sink in telemetry.sinks] == [MetricsSink, RecordingMetrics, LogSink]


def test_an_endpoint_that_cannot_be_read_is_an_error_of_the_settings(build: Any) -> None:
    with pytest.raises(SettingsError, match="otlp_endpoint='ftp://collector:4317'"):
        build(otlp_endpoint="ftp://collector:4317")


def test_the_registry_holds_calls_speech_and_the_process_and_when_nothing_was_made(build: Any) -> None:
    telemetry = build()
    telemetry.metrics.make_voice_series({"joe": ("prepare", "render")})
    found = names(telemetry.registry)
    assert {"grpc_server_started_total", "tts_requests_total", "python_info", "python_gc_collections_total"} <= found
    assert any(name.startswith("process_") for name in found)
    assert not [name for name in found if name.endswith("_created")]


def test_each_server_has_a_registry_of_its_own(build: Any) -> None:
    first, second = build(), build()
    first.observe(CallStarted(1, SPEAK, ()))
    labels = {"grpc_type": "unary", "grpc_service": "test.v1.Speech", "grpc_method": "Speak"}
    counts = [t.registry.get_sample_value("grpc_server_started_total", labels) for t in (first, second)]
    assert counts == [1, 0]


async def test_every_sink_gets_every_event(build: Any, logger: CapturingLogger) -> None:
    telemetry = build(otlp_endpoint=NOBODY)
    telemetry.observe(CallStarted(1, SPEAK, (("traceparent", PARENT),)))
    assert current_trace_id() == PARENT.split("-")[1]
    telemetry.emit(RequestStarted(1, "id-1"))
    telemetry.emit(RequestFinished(1, "id-1", "joe", "en", "completed", "", 4, 1.0, 0.5, 0.1))
    telemetry.observe(CallEnded(1, SPEAK, grpc.StatusCode.OK, 0.5, 1, 1, 10, 20))
    assert [call.args for call in logger.calls] == [("request_finished",), ("call_ended",)]
    value = telemetry.registry.get_sample_value
    how = {"voice_model": "joe", "outcome": "completed", "reason": ""}
    assert value("tts_requests_total", how) == 1
    exemplars = {
        sample.exemplar.labels["trace_id"]
        for family in telemetry.registry.collect()
        for sample in family.samples
        if sample.exemplar
    }
    assert exemplars == {PARENT.split("-")[1]}
