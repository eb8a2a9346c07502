"""What `docker compose up` gives: a container, and metrics, spans and logs that say what a client outside counted.

The tests run in the order of this file; the last ones stop the server.
"""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from prometheus_client.parser import text_string_to_metric_families

from phonoscope.client import AudioChunk, Cancelled, Client, InvalidArgument, Speech
from phonoscope.protos.tts.v1 import tts_pb2_grpc

pytestmark = pytest.mark.e2e

SERVER: Final = "server-cpu"
TARGET: Final = "127.0.0.1:50051"
SERVICE: Final = "phonoscope.tts.v1.TextToSpeech"
METRICS: Final = "http://127.0.0.1:9464/metrics"
ALERTS: Final = "http://127.0.0.1:9093/api/v2/alerts"
SECRET: Final = "Xylophones"
TEXTS: Final = (f"{SECRET} quietly vanish.", f"Good morning, {SECRET} of the world! How are you today?")
LONG_TEXT: Final = f"{SECRET} make a sound that goes on and on for a while. " * 20
TRACE_ID: Final = 0x5EC0DE5EC0DE5EC0DE5EC0DE5EC0DE01
WAIT_SECONDS: Final = 150.0


class Wire:
    """What one client sent and received, by method, in messages and bytes. Stands where a stub expects its channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self.sent: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.received_bytes: Counter[str] = Counter()

    def unary_unary(self, path, **codec):
        return self._channel.unary_unary(path, **self._counted(path, **codec))

    def unary_stream(self, path, **codec):
        return self._channel.unary_stream(path, **self._counted(path, **codec))

    def stream_stream(self, path, **codec):
        return self._channel.stream_stream(path, **self._counted(path, **codec))

    def _counted(self, path: str, *, request_serializer, response_deserializer, **more: Any) -> dict[str, Any]:
        method = path.rpartition("/")[2]

        def serialize(message: Any) -> bytes:
            payload = request_serializer(message)
            self.sent[method] += 1
            self.sent_bytes[method] += len(payload)
            return payload

        def deserialize(payload: bytes) -> Any:
            self.received[method] += 1
            self.received_bytes[method] += len(payload)
            return response_deserializer(payload)

        return {"request_serializer": serialize, "response_deserializer": deserialize, **more}


@contextlib.contextmanager
def counted_client(**options: Any) -> Iterator[tuple[Client, Wire]]:
    with Client(TARGET, waits_when_busy=False, **options) as client:
        wire = Wire(client._channel)
        client._speech = tts_pb2_grpc.TextToSpeechStub(wire)
        yield client, wire


@dataclass
class Spoken:
    """What the clients counted: the truth that metrics, spans and logs are held against."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    wires: list[Wire] = field(default_factory=list)
    whole: list[tuple[str, Speech]] = field(default_factory=list)
    streamed: list[tuple[str, list[AudioChunk]]] = field(default_factory=list)
    client_span_id: str = ""

    @property
    def audio_seconds(self) -> float:
        pieces = [speech for _, speech in self.whole] + [chunk for _, chunks in self.streamed for chunk in chunks]
        return sum(len(piece.audio) / 2 / piece.sample_rate_hz for piece in pieces)

    @property
    def characters(self) -> int:
        return sum(len(text) for text, _ in (*self.whole, *self.streamed))

    def counts(self, what: str) -> dict[str, int]:
        """Returns one of Wire's counters, summed over the clients, without the methods at 0."""
        return dict(sum((getattr(wire, what) for wire in self.wires), Counter()))

    def speak(self) -> None:
        """Whole replies, streams, refused calls, and one that is cancelled while the server speaks."""
        with counted_client() as (client, wire):
            self.wires.append(wire)
            for text in TEXTS:
                self.whole.append((text, client.synthesize(text, seed=1)))
                self.calls["Synthesize", "OK"] += 1
            self._stream(client, TEXTS[0])
            client.voices()
            self.calls["ListVoices", "OK"] += 1
            self._refused(client)
        self._traced_stream()
        self._cancelled_call()

    def _stream(self, client: Client, text: str) -> None:
        self.streamed.append((text, list(client.stream(text, seed=1))))
        self.calls["SynthesizeStream", "OK"] += 1

    def _refused(self, client: Client) -> None:
        with pytest.raises(InvalidArgument):
            client.synthesize(SECRET, speed=100.0)
        self.calls["Synthesize", "InvalidArgument"] += 1
        with pytest.raises(InvalidArgument):
            list(client.stream(SECRET, voice="nobody"))
        self.calls["SynthesizeStream", "InvalidArgument"] += 1
        with pytest.raises(InvalidArgument):
            client.synthesize(SECRET, emotion="hungry")
        self.calls["Synthesize", "InvalidArgument"] += 1

    def _traced_stream(self) -> None:
        """A stream of two sentences, whose trace this client has chosen."""
        exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        caller = SpanContext(TRACE_ID, span_id=1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        with counted_client(tracer_provider=provider) as (client, wire), use_span(NonRecordingSpan(caller)):
            self.wires.append(wire)
            self._stream(client, TEXTS[1])
        (span,) = exporter.get_finished_spans()
        assert span.context.trace_id == TRACE_ID
        self.client_span_id = f"{span.context.span_id:016x}"

    def _cancelled_call(self) -> None:
        """A whole reply, whose client goes away while the server works on it: no part of it was sent."""
        raised: list[BaseException] = []

        def speak(client: Client) -> None:
            try:
                client.synthesize(LONG_TEXT)
            except Cancelled as error:
                raised.append(error)

        with counted_client() as (client, wire):
            self.wires.append(wire)
            caller = threading.Thread(target=speak, args=(client,))
            caller.start()
            wait_until(lambda: own_figure("grpc_server_in_flight") == 1)
        caller.join(WAIT_SECONDS)
        assert len(raised) == 1
        self.calls["Synthesize", "Canceled"] += 1


def own_figure(name: str) -> float:
    """Returns the server's own sum of `name` over the methods of speech, straight from its /metrics."""
    families = text_string_to_metric_families(httpx.get(METRICS, timeout=10).text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if sample.labels["grpc_service"] == SERVICE)


def wait_until(is_so: Callable[[], Any]) -> Any:
    """Returns the first truthy answer; fails with the last one when time is up."""
    end = time.monotonic() + WAIT_SECONDS
    while not (answer := is_so()):
        assert time.monotonic() < end, f"waited {WAIT_SECONDS:.0f} s in vain; last answer: {answer!r}"
        time.sleep(0.1)  # nothing in another container tells this process that it is done
    return answer


def wait_for_scrape(stack) -> None:
    """Waits for a scrape of the server that began when all calls had ended, in the server's own view."""
    wait_until(lambda: own_figure("grpc_server_in_flight") == 0)
    ended = time.time()
    # A sample's timestamp is when its scrape began; containers have the machine's clock.
    began = f'timestamp(grpc_server_in_flight{{grpc_service="{SERVICE}", grpc_method="Synthesize"}})'
    wait_until(lambda: max(stack.query(began).values(), default=0.0) > ended)


@pytest.fixture(scope="module")
def spoken(stack) -> Spoken:
    """All calls made and ended, and a scrape of Prometheus that began after the last of them."""
    spoken = Spoken()
    spoken.speak()
    wait_for_scrape(stack)
    return spoken


def by(figures: dict[tuple[tuple[str, str], ...], float], *labels: str) -> dict[Any, float]:
    """Returns figures above 0 by the values of these labels."""
    return {
        tuple(dict(key)[label] for label in labels) if len(labels) > 1 else dict(key)[labels[0]]: value
        for key, value in figures.items()
        if value
    }


class TestContainer:
    """The server's container."""

    def test_it_is_healthy(self, stack):
        assert stack.inspect(SERVER)["State"]["Health"]["Status"] == "healthy"

    def test_its_process_is_user_10001_without_capabilities_or_a_way_to_get_them(self, stack):
        status = dict(
            line.split(":\t", 1)
            for line in stack.inside(SERVER, "cat", "/proc/1/status").splitlines()
            if ":\t" in line
        )
        assert status["Uid"].split() == ["10001"] * 4
        assert status["Gid"].split() == ["10001"] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"

    def test_its_file_system_is_read_only_but_for_tmp_the_voices_and_the_cache(self, stack):
        writable = ["/tmp", "/var/lib/phonoscope/voices", "/var/lib/phonoscope/cache"]
        folders = ["/", "/opt/phonoscope", "/var/lib/phonoscope", "/etc", *writable]
        probe = f"for folder in {' '.join(folders)}; do touch $folder/probe 2>/dev/null && echo $folder; done;"
        probe += " rm -f /tmp/probe voices/probe cache/probe"
        assert stack.inside(SERVER, "sh", "-c", probe).split() == writable

    def test_it_has_no_build_tools(self, stack):
        probe = "command -v pip gcc cc make; python -c 'import pip' 2>/dev/null && echo pip; true"
        assert stack.inside(SERVER, "sh", "-c", probe) == ""

    def test_the_server_is_process_1_so_that_signals_reach_it(self, stack):
        command = stack.inside(SERVER, "cat", "/proc/1/cmdline").split("\0")
        assert command[1].endswith("/bin/phonoscope")
        assert command[2] == "serve"


class TestMetrics:
    """Prometheus against the client's own count: equal, not roughly."""

    def test_calls_by_method_and_code(self, stack, spoken):
        handled = stack.query(
            f'sum by (grpc_method, grpc_code) (grpc_server_handled_total{{grpc_service="{SERVICE}"}})'
        )
        assert by(handled, "grpc_method", "grpc_code") == dict(spoken.calls)

    def test_calls_that_started(self, stack, spoken):
        started = stack.query(f'sum by (grpc_method) (grpc_server_started_total{{grpc_service="{SERVICE}"}})')
        counted = Counter[str]()
        for (method, _), calls in spoken.calls.items():
            counted[method] += calls
        assert by(started, "grpc_method") == counted

    @pytest.mark.parametrize(
        ("metric", "count"),
        [
            ("grpc_server_msg_received_total", "sent"),
            ("grpc_server_msg_received_bytes_sum", "sent_bytes"),
            ("grpc_server_msg_sent_total", "received"),
            ("grpc_server_msg_sent_bytes_sum", "received_bytes"),
        ],
    )
    def test_messages_and_their_bytes(self, stack, spoken, metric, count):
        figures = stack.query(f'sum by (grpc_method) ({metric}{{grpc_service="{SERVICE}"}})')
        assert by(figures, "grpc_method") == spoken.counts(count)

    def test_characters(self, stack, spoken):
        assert list(stack.query("sum(tts_characters_total)").values()) == [spoken.characters]

    def test_audio_seconds(self, stack, spoken):
        (seconds,) = stack.query("sum(tts_audio_seconds_total)").values()
        # To a nanosecond: neither side adds its floating-point numbers in the other's order.
        assert seconds == pytest.approx(spoken.audio_seconds, rel=0, abs=1e-9)

    def test_requests_by_outcome(self, stack, spoken):
        outcomes = stack.query("sum by (outcome) (tts_requests_total)")
        assert by(outcomes, "outcome") == {"completed": 4, "rejected": 3, "cancelled": 1}

    def test_nothing_is_in_flight_or_queued(self, stack, spoken):
        assert list(stack.query("sum(tts_queue_depth)").values()) == [0]
        assert list(stack.query("sum(tts_audio_seconds_owed)").values()) == [0]

    def test_exemplars_carry_the_trace_that_the_client_chose(self, stack, spoken):
        since = {"start": str(time.time() - 600), "end": str(time.time() + 600)}
        found = stack.ask_prometheus("query_exemplars", query="tts_time_to_first_audio_seconds_bucket", **since)
        traces = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
        assert f"{TRACE_ID:032x}" in traces

    def test_the_rules_are_loaded_and_none_fails(self, stack):
        groups = stack.ask_prometheus("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["type"] for rule in rules} == {"alerting", "recording"}
        assert [rule for rule in rules if rule.get("lastError")] == []

    def test_every_target_that_runs_is_scraped(self, stack, spoken):
        running = {"alertmanager", "gateway", "otel-collector", "phonoscope", "prometheus"}
        assert wait_until(lambda: by(stack.query("up"), "job").keys() == running)


@pytest.fixture(scope="module")
def trace(stack, spoken) -> list[dict[str, Any]]:
    def arrived() -> list[dict[str, Any]]:
        spans = [span for span in stack.spans() if span["traceId"] == f"{TRACE_ID:032x}"]
        return spans if any(span["name"] == f"{SERVICE}/SynthesizeStream" for span in spans) else []

    return wait_until(arrived)


@pytest.fixture(scope="module")
def call(trace) -> dict[str, Any]:
    (call,) = [span for span in trace if span["name"] == f"{SERVICE}/SynthesizeStream"]
    return call


class TestTrace:
    """The spans that reached the collector, of the call whose trace the client has chosen."""

    def test_the_call_is_a_child_of_the_clients_span(self, call, spoken):
        assert call["parentSpanId"] == spoken.client_span_id
        assert call["service"] == "phonoscope-server"

    def test_its_children_are_text_queue_one_utterance_a_sentence_and_encoding(self, trace, call):
        children = Counter(span["name"] for span in trace if span.get("parentSpanId") == call["spanId"])
        assert children == {"tts.text": 1, "tts.queue": 1, "tts.utterance": 2, "tts.encode": 1}
        assert len(trace) == 6

    def test_batches_are_traces_of_their_own_linked_both_ways(self, stack, trace):
        batches = {span["spanId"]: span for span in stack.spans() if span["name"] == "tts.batch"}
        utterances = [span for span in trace if span["name"] == "tts.utterance"]
        assert len(utterances) == 2
        for utterance in utterances:
            linked = [batches[link["spanId"]] for link in utterance["links"]]
            assert linked
            for batch in linked:
                assert not batch.get("parentSpanId")
                assert batch["traceId"] != utterance["traceId"]
                assert utterance["spanId"] in {link["spanId"] for link in batch["links"]}

    def test_the_first_audio_is_an_event_of_one_utterance(self, trace):
        events = [event["name"] for span in trace for event in span.get("events", [])]
        assert events == ["tts.first_audio"]

    def test_its_attributes_are_what_the_client_got(self, stack, call, spoken):
        text, chunks = spoken.streamed[-1]
        told = stack.attributes(call)
        assert told["tts.characters"] == len(text)
        assert told["tts.voice"] == chunks[0].voice
        assert told["tts.request_id"] == chunks[0].request_id
        assert told["tts.audio_seconds"] == pytest.approx(sum(chunk.audio_seconds for chunk in chunks), abs=1e-3)

    def test_no_span_holds_the_text(self, stack, trace):
        assert SECRET not in stack.written_spans()


class TestLogs:
    """The container's log."""

    def test_every_line_is_json_with_event_level_and_timestamp(self, stack, spoken):
        lines = [json.loads(line) for line in stack.server_lines()]
        assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
        assert {"listening", "voice_loaded", "ready", "call_ended", "request_finished"} <= {
            line["event"] for line in lines
        }

    def test_the_lines_of_a_call_carry_its_trace_and_its_request(self, stack, spoken):
        lines = [json.loads(line) for line in stack.server_lines()]
        traced = [line for line in lines if line.get("trace_id") == f"{TRACE_ID:032x}"]
        assert [line["event"] for line in traced] == ["request_finished", "call_ended"]
        assert {line["request_id"] for line in traced} == {spoken.streamed[-1][1][0].request_id}

    def test_no_line_holds_the_text(self, stack, spoken):
        assert not [line for line in stack.server_lines() if SECRET in line]

    def test_nothing_went_wrong(self, stack, spoken):
        assert {json.loads(line)["level"] for line in stack.server_lines()} == {"info"}


class TestCancelledStream:
    """A client that goes away in the middle: what is on its way then, the server has sent and the client not seen."""

    def test_it_is_counted_once_as_canceled_with_no_less_than_the_client_saw(self, stack, spoken):
        before = self._figures(stack)
        with counted_client() as (client, wire):
            chunks = client.stream(LONG_TEXT)
            next(chunks)
            chunks.close()
        wait_for_scrape(stack)
        after = self._figures(stack)
        assert after["Canceled"] - before["Canceled"] == 1
        assert after["OK"] == before["OK"]
        assert after["sent"] - before["sent"] >= wire.received["SynthesizeStream"] > 0
        assert after["cancelled requests"] - before["cancelled requests"] == 1

    def _figures(self, stack) -> dict[str, float]:
        stream = f'grpc_service="{SERVICE}", grpc_method="SynthesizeStream"'
        figures = by(stack.query(f"grpc_server_handled_total{{{stream}}}"), "grpc_code")
        (sent,) = stack.query(f"grpc_server_msg_sent_total{{{stream}}}").values()
        (cancelled,) = stack.query('sum(tts_requests_total{outcome="cancelled"})').values()
        return {"Canceled": 0.0, **figures, "sent": sent, "cancelled requests": cancelled}


class TestGateway:
    """The HTTP side, of the same image."""

    URL: Final = "http://127.0.0.1:8080"

    def test_it_is_ready_and_speaks(self, stack):
        with httpx.Client(base_url=self.URL, trust_env=False, timeout=WAIT_SECONDS) as http:
            assert wait_until(lambda: http.get("/readyz").status_code == 200)
            reply = http.post("/v1/speech", json={"text": TEXTS[0], "encoding": "mp3"})
            assert reply.status_code == 200, reply.text
            assert reply.headers["content-type"] == "audio/mpeg"
            assert len(reply.content) > 1000
            assert "Phonoscope" in http.get("/").text

    def test_its_call_is_one_trace_from_http_to_the_engine(self, stack):
        trace_id = "5bd66ef5095369c7b0d1f8f4bd33716a"
        headers = {"traceparent": f"00-{trace_id}-c532cb4098ac3dd2-01"}
        reply = httpx.post(f"{self.URL}/v1/speech", json={"text": TEXTS[0]}, headers=headers, trust_env=False)
        assert reply.headers["x-trace-id"] == trace_id

        def names() -> set[str]:
            return {span["name"] for span in stack.spans() if span["traceId"] == trace_id}

        wanted = {"POST /v1/speech", f"{SERVICE}/SynthesizeStream", "tts.utterance"}
        assert wait_until(lambda: wanted <= names())

    def test_its_process_is_user_10001(self, stack):
        assert "10001" in stack.inside("gateway", "id", "-u")


@pytest.fixture(scope="module")
def stopped(stack, spoken) -> None:
    stack.compose("stop", SERVER)


@pytest.mark.usefixtures("stopped")
class TestStop:
    """The server is stopped: it ends by itself, and the alert says that it is gone."""

    def test_it_ended_by_itself_within_its_grace_period(self, stack):
        state = stack.inspect(SERVER)["State"]
        assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 0, False)  # 137 is a kill
        assert json.loads(stack.server_lines()[-1])["event"] == "stopped"

    def test_the_alert_becomes_pending_and_then_fires(self, stack):
        def state() -> str:
            alerts = stack.ask_prometheus("alerts")["alerts"]
            return next((a["state"] for a in alerts if a["labels"]["alertname"] == "PhonoscopeServerDown"), "")

        assert wait_until(state) == "pending"
        assert wait_until(lambda: state() == "firing")

    def test_the_alert_reaches_alertmanager(self, stack):
        def names() -> set[str]:
            return {alert["labels"]["alertname"] for alert in httpx.get(ALERTS, timeout=10).json()}

        assert wait_until(lambda: "PhonoscopeServerDown" in names())
