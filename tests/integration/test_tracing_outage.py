"""A collector that is gone, hangs, refuses or returns: spans are counted, the log has a line, and nothing waits."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from phonoscope.common.trace_export import ExportLimits, ExportResult
from phonoscope.common.tracing import Tracing, build_tracing

# A first pause of the exporter, 0.8 s and more, does not fit into its timeout: it tries once a batch.
QUICK = ExportLimits(queue_spans=64, batch_spans=16, interval_seconds=0.02, timeout_seconds=0.4)


class Collector(TraceServiceServicer):
    """A collector on a port of its own, which can go and return."""

    def __init__(self) -> None:
        self.spans: list[str] = []
        self.resources: list[dict[str, str]] = []
        self.metadata: dict[str, object] = {}
        self.refusal: grpc.StatusCode | None = None
        self.calls = 0
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.port = 0
        self._server: grpc.Server | None = None
        self.come()

    def come(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def go(self) -> None:
        self.open.set()
        if self._server is not None:
            self._server.stop(0).wait(10)
        self._server = None

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
        self.metadata = dict(context.invocation_metadata())
        self.calls += 1
        self.entered.set()
        self.open.wait(60)
        if self.refusal is not None:
            context.abort(self.refusal, "not now")
        for resource_spans in request.resource_spans:
            self.resources.append({pair.key: pair.value.string_value for pair in resource_spans.resource.attributes})
            self.spans += [span.name for scope in resource_spans.scope_spans for span in scope.spans]
        return ExportTraceServiceResponse()


class Watched:
    """A tracing, what became of its spans, and its lines of the log."""

    def __init__(self, endpoint: str, limits: ExportLimits) -> None:
        self.counts: Counter[str] = Counter()
        self.lines: list[tuple[str, dict[str, object]]] = []
        self._told = threading.Condition()
        self._made = 0
        self.tracing: Tracing = build_tracing(
            "phonoscope-server",
            endpoint=endpoint,
            sample_ratio=1.0,
            version="1",
            on_export=self._count,
            logger=self,
            limits=limits,
        )

    def _count(self, result: ExportResult, spans: int) -> None:
        with self._told:
            self.counts[result] += spans
            self._told.notify_all()

    def info(self, event: str, **fields: object) -> None:
        with self._told:
            self.lines.append((event, fields))
            self._told.notify_all()

    warning = info

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.lines]

    def until(self, is_so: Callable[[], object]) -> None:
        with self._told:
            assert self._told.wait_for(is_so, 20), (self.counts, self.lines)

    def end(self, spans: int) -> None:
        """Ends so many spans, as calls would."""
        tracer = self.tracing.tracer("any")
        for _ in range(spans):
            tracer.start_span(f"span {self._made}").end()
            self._made += 1

    def settle(self) -> None:
        """Waits until something has become of every span."""
        self.until(lambda: self.counts.total() == self._made)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.go()


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Builds tracings and shuts them down; OpenTelemetry itself must have said nothing."""
    watched: list[Watched] = []

    def build(endpoint: str | int, limits: ExportLimits = QUICK) -> Watched:
        watched.append(Watched(f"http://127.0.0.1:{endpoint}" if isinstance(endpoint, int) else endpoint, limits))
        return watched[-1]

    yield build
    for each in watched:
        each.tracing.shutdown(0)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_spans_reach_a_collector_with_their_service_and_no_other_spans(collector: Collector, watch: Any) -> None:
    watched = watch(collector.port)
    watched.end(20)
    watched.settle()
    assert watched.counts == {"exported": 20}
    assert collector.spans == [f"span {number}" for number in range(20)]
    assert collector.resources[0]["service.name"] == "phonoscope-server"
    assert watched.lines == []


def test_spans_that_are_recorded_when_over_go_the_same_way(collector: Collector, watch: Any) -> None:
    watched = watch(collector.port, ExportLimits(interval_seconds=600))
    watched.end(1)
    recorder = watched.tracing.recorder("any")
    recorder.record("batch", recorder.root(), None, 1, 2, {"tts.batch.size": 3})
    watched.tracing.shutdown(10)
    assert watched.counts == {"exported": 2}
    assert sorted(collector.spans) == ["batch", "span 0"]
    assert [resource["service.name"] for resource in collector.resources] == ["phonoscope-server"]


def test_headers_of_the_environment_are_sent(
    collector: Collector, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token")
    watched = watch(collector.port)
    watched.end(1)
    watched.settle()
    assert collector.metadata["authorization"] == "Bearer token"


def free_port() -> int:
    collector = Collector()
    collector.go()
    return collector.port


@pytest.mark.parametrize(
    ("where", "reason"), [(None, "UNAVAILABLE"), ("http://no-such-host.invalid:4317", "no-such-host.invalid")]
)
def test_a_collector_that_is_not_there_costs_its_spans_and_one_line(
    watch: Any, where: str | None, reason: str
) -> None:
    endpoint = where or f"http://127.0.0.1:{free_port()}"
    watched = watch(endpoint)
    for _ in range(3):
        watched.end(16)
        watched.settle()
    assert watched.counts == {"failed": 48}
    ((event, fields),) = watched.lines
    assert (event, fields["endpoint"]) == ("trace_export_failed", endpoint)
    assert reason in str(fields["reason"])
    assert fields["hint"]


def test_a_collector_that_hangs_holds_at_most_the_queue_and_blocks_nobody(collector: Collector, watch: Any) -> None:
    collector.open.clear()
    watched = watch(collector.port)
    watched.end(16)
    assert collector.entered.wait(10)
    watched.end(1000)  # comes back although the collector does not
    assert watched.counts["dropped"] >= 1000 - QUICK.queue_spans
    watched.settle()
    assert set(watched.counts) == {"dropped", "failed"}
    assert watched.events == ["trace_export_failed"]
    assert "DEADLINE_EXCEEDED" in str(watched.lines[0][1]["reason"])


@pytest.mark.parametrize(
    "refusal", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED]
)
def test_a_collector_that_refuses_costs_its_spans_and_one_line(
    collector: Collector, watch: Any, refusal: grpc.StatusCode
) -> None:
    collector.refusal = refusal
    watched = watch(collector.port)
    for _ in range(3):
        watched.end(16)
        watched.settle()
    assert watched.counts == {"failed": 48}
    assert watched.events == ["trace_export_failed"]
    assert refusal.name in str(watched.lines[0][1]["reason"])


def test_a_collector_that_dies_and_returns_gets_spans_again_and_the_log_says_what_was_lost(
    collector: Collector, watch: Any
) -> None:
    watched = watch(collector.port)
    watched.end(16)
    watched.settle()
    collector.go()
    watched.end(16)
    watched.until(lambda: watched.lines)
    watched.settle()
    collector.come()
    while "trace_export_recovered" not in watched.events:
        watched.end(16)
        watched.settle()
    assert watched.events == ["trace_export_failed", "trace_export_recovered"]
    assert watched.lines[1][1]["spans_lost"] == watched.counts["failed"] >= 16
    assert len(collector.spans) == watched.counts["exported"] >= 32
    assert watched.counts["dropped"] == 0


def test_a_collector_that_is_busy_for_a_moment_gets_the_batch_at_the_next_try(
    collector: Collector, watch: Any
) -> None:
    """Within its timeout the exporter tries again, so that a restart of a second loses nothing."""
    collector.refusal = grpc.StatusCode.UNAVAILABLE
    watched = watch(collector.port, ExportLimits(interval_seconds=0.02, timeout_seconds=30))
    watched.end(16)
    assert collector.entered.wait(10)
    collector.entered.clear()
    assert collector.entered.wait(10)  # it was refused, and is tried again
    collector.refusal = None
    watched.settle()
    assert watched.counts == {"exported": 16}
    assert collector.calls > 1
    assert watched.lines == []


def test_shutdown_sends_what_is_held(collector: Collector, watch: Any) -> None:
    watched = watch(collector.port, ExportLimits(interval_seconds=600))
    watched.end(20)
    watched.tracing.shutdown(10)
    assert watched.counts == {"exported": 20}
    assert len(collector.spans) == 20


@pytest.mark.parametrize("is_there", [True, False])
def test_shutdown_gives_up_on_a_collector_that_does_not_take_spans(
    collector: Collector, watch: Any, *, is_there: bool
) -> None:
    """The exporter would try for half an hour: only a call that is cancelled lets its thread end."""
    threads = set(threading.enumerate())
    collector.open.clear()
    if not is_there:
        collector.go()
    watched = watch(collector.port, ExportLimits(batch_spans=16, interval_seconds=600, timeout_seconds=1800))
    watched.end(40)
    if is_there:
        assert collector.entered.wait(10)
    watched.tracing.shutdown(0.1)
    assert watched.counts == {"failed": 40}
    assert not {thread.name for thread in set(threading.enumerate()) - threads if thread.name.startswith("Otel")}


def test_an_outage_continues_in_the_log_of_a_server_in_one_line_a_minute_at_most(
    collector: Collector, watch: Any
) -> None:
    watched = watch(collector.port)
    for refusal in [grpc.StatusCode.UNAUTHENTICATED, None] * 5:
        collector.refusal = refusal
        watched.end(1)
        watched.settle()
    assert watched.counts == {"failed": 5, "exported": 5}
    assert watched.events == ["trace_export_failed", "trace_export_recovered"]
