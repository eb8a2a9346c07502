"""The client's spans: one for each call, ended once, with the code that the caller sees, and known to the server."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading

import grpc
import pytest
from google.rpc import error_details_pb2
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from phonoscope.client import AsyncClient, Client, DeadlineExceeded, InvalidArgument
from phonoscope.client.tracing import call_tracer

SERVICE = "phonoscope.tts.v1.TextToSpeech"


@pytest.fixture(autouse=True)
def _no_line_in_the_log(caplog):
    """OpenTelemetry warns, and does not raise, of a span that is ended twice or a context that cannot be left."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def client(server, provider):
    with Client(server.target, tracer_provider=provider) as client:
        yield client


@pytest.fixture
async def async_client(server, provider):
    async with AsyncClient(server.target, tracer_provider=provider) as client:
        yield client


async def happens(event) -> bool:
    return await asyncio.to_thread(event.wait, 10)


async def listen(client, **options) -> None:
    async for _ in client.stream("x", **options):
        pass


def only(exporter):
    (span,) = exporter.get_finished_spans()
    return span


def traceparent(span) -> str:
    """Returns the header for children of `span`, as W3C Trace Context writes it."""
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def code(span) -> str:
    return span.attributes["rpc.response.status_code"]


def test_every_kind_of_call_has_a_span_and_health_has_none(client, server, exporter):
    client.synthesize("Hello.")
    list(client.stream("Hello."))
    client.voices()
    client.health()
    with contextlib.closing(client.watch_health()) as statuses:
        next(statuses)
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        f"{SERVICE}/Synthesize",
        f"{SERVICE}/SynthesizeStream",
        f"{SERVICE}/ListVoices",
    ]
    assert {span.kind for span in spans} == {trace.SpanKind.CLIENT}
    assert {span.status.status_code for span in spans} == {trace.StatusCode.UNSET}
    assert dict(spans[0].attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE}/Synthesize",
        "rpc.response.status_code": "OK",
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }


async def test_every_kind_of_asynchronous_call_has_a_span_and_health_has_none(async_client, exporter):
    await async_client.synthesize("Hello.")
    assert [chunk async for chunk in async_client.stream("Hello.")]
    await async_client.voices()
    await async_client.health()
    async with contextlib.aclosing(async_client.watch_health()) as statuses:
        await anext(statuses)
    assert [span.name for span in exporter.get_finished_spans()] == [
        f"{SERVICE}/Synthesize",
        f"{SERVICE}/SynthesizeStream",
        f"{SERVICE}/ListVoices",
    ]


def test_the_server_receives_the_context_of_each_span_and_the_span_is_a_child_of_the_callers(
    client, server, provider, exporter
):
    with provider.get_tracer("test").start_as_current_span("caller") as caller:
        client.synthesize("Hello.")
        list(client.stream("Hello."))
    *spans, _ = exporter.get_finished_spans()
    assert all(span.context.trace_flags.sampled for span in spans)
    assert [call.metadata["traceparent"] for call in server.calls] == [traceparent(span) for span in spans]
    assert {span.parent.span_id for span in spans} == {caller.get_span_context().span_id}


async def test_the_server_receives_the_context_of_each_asynchronous_span(async_client, server, exporter):
    await async_client.synthesize("Hello.")
    assert [chunk async for chunk in async_client.stream("Hello.")]
    assert [call.metadata["traceparent"] for call in server.calls] == [
        traceparent(span) for span in exporter.get_finished_spans()
    ]


def test_a_call_that_is_not_sampled_tells_the_server_so(server):
    with Client(server.target, tracer_provider=TracerProvider(ALWAYS_OFF)) as client:
        client.synthesize("Hello.")
    flags = server.calls[0].metadata["traceparent"].rpartition("-")[2]
    assert int(flags, 16) & trace.TraceFlags.SAMPLED == 0


def test_a_client_without_a_provider_sends_no_context(server):
    with Client(server.target) as client:
        client.synthesize("Hello.")
        list(client.stream("Hello."))
    assert not [call for call in server.calls if "traceparent" in call.metadata]


def test_attempts_of_one_call_are_one_span(client, server, exporter):
    server.then_fail(grpc.StatusCode.UNAVAILABLE, "draining")
    client.synthesize("Hello.")
    assert code(only(exporter)) == "OK"
    assert len({call.metadata["traceparent"] for call in server.calls}) == 1
    assert len(server.calls) == 2


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: list(c.stream("x"))])
def test_attempts_that_a_busy_server_refused_belong_to_one_span(client, server, exporter, call):
    server.then_refuse(0.002)
    call(client)
    assert code(only(exporter)) == "OK"
    assert [seen.metadata["traceparent"] for seen in server.calls] == [traceparent(only(exporter))] * 2


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), listen])
async def test_attempts_that_a_busy_server_refused_belong_to_one_asynchronous_span(
    async_client, server, exporter, call
):
    server.then_refuse(0.002)
    await call(async_client)
    assert [seen.metadata["traceparent"] for seen in server.calls] == [traceparent(only(exporter))] * 2


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: list(c.stream("x"))])
def test_a_refused_call_is_in_error_with_code_and_reason_and_without_the_message(client, server, exporter, call):
    reason = error_details_pb2.ErrorInfo(reason="VOICE_UNKNOWN", domain="phonoscope")
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "nobody is called 'secret'", reason)
    with pytest.raises(InvalidArgument):
        call(client)
    span = only(exporter)
    assert (code(span), span.attributes["error.type"]) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "VOICE_UNKNOWN")
    assert "secret" not in span.to_json()


@pytest.mark.parametrize("call", [lambda c: c.synthesize("x"), lambda c: anext(c.stream("x"))])
async def test_a_refused_asynchronous_call_is_in_error(async_client, server, exporter, call):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no")
    with pytest.raises(InvalidArgument):
        await call(async_client)
    assert (code(only(exporter)), only(exporter).status.description) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "call", [lambda c: c.synthesize("x", timeout_seconds=0.2), lambda c: list(c.stream("x", timeout_seconds=0.2))]
)
def test_a_deadline_that_passes_is_the_spans_code(client, server, exporter, call):
    server.then_speak(b"\0\0", then=server.hold)
    with pytest.raises(DeadlineExceeded):
        call(client)
    assert code(only(exporter)) == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    "call", [lambda c: c.synthesize("x", timeout_seconds=0.2), lambda c: listen(c, timeout_seconds=0.2)]
)
async def test_a_deadline_that_passes_is_the_asynchronous_spans_code(async_client, server, exporter, call):
    server.then_speak(b"\0\0", then=server.hold)
    with pytest.raises(DeadlineExceeded):
        await call(async_client)
    assert code(only(exporter)) == "DEADLINE_EXCEEDED"


def test_a_stream_that_is_closed_early_is_cancelled_and_its_span_ends_then(client, server, exporter):
    server.then_speak(b"\0\0", then=server.hold)
    with contextlib.closing(client.stream("x")) as chunks:
        next(chunks)
        assert server.is_holding.wait(10)
        assert exporter.get_finished_spans() == ()
    assert code(only(exporter)) == "CANCELLED"
    assert server.cancelled.wait(10)


def test_a_stream_that_another_thread_closes_is_cancelled_all_the_same(client, server, exporter):
    server.then_speak(b"\0\0", then=server.hold)
    chunks = client.stream("x")
    next(chunks)
    assert server.is_holding.wait(10)
    closer = threading.Thread(target=chunks.close)
    closer.start()
    closer.join(10)
    assert code(only(exporter)) == "CANCELLED"
    assert server.cancelled.wait(10)


def test_a_stream_that_is_dropped_unread_ends_its_span(client, server, exporter):
    server.then_speak(b"\0\0", then=server.hold)
    next(client.stream("x"))  # nobody holds the generator
    assert code(only(exporter)) == "CANCELLED"


def test_a_stream_that_was_never_begun_has_no_span(client, exporter):
    client.stream("x").close()
    assert exporter.get_finished_spans() == ()


async def test_an_asynchronous_stream_that_is_closed_early_is_cancelled(async_client, server, exporter):
    server.then_speak(b"\0\0", then=server.hold)
    async with contextlib.aclosing(async_client.stream("x")) as chunks:
        await anext(chunks)
        assert await happens(server.is_holding)
    assert code(only(exporter)) == "CANCELLED"
    assert await happens(server.cancelled)


@pytest.mark.parametrize("method", ["synthesize", "stream"])
async def test_a_task_that_is_cancelled_cancels_its_call_and_ends_the_span(async_client, server, exporter, method):
    server.then_speak(then=server.hold)
    waiting = async_client.synthesize("x") if method == "synthesize" else anext(async_client.stream("x"))
    task = asyncio.ensure_future(waiting)
    assert await happens(server.is_holding)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert code(only(exporter)) == "CANCELLED"
    assert await happens(server.cancelled)


def test_the_span_is_not_current_between_chunks_and_marks_the_first_audio_once(client, exporter):
    with contextlib.closing(client.stream("x")) as chunks:
        for _ in chunks:
            assert not trace.get_current_span().get_span_context().is_valid
    assert [event.name for event in only(exporter).events] == ["tts.first_audio"]


def test_a_call_on_a_closed_client_ends_its_span(client, exporter):
    client.close()
    with pytest.raises(ValueError, match="closed"):
        client.synthesize("x")
    assert code(only(exporter)) == "UNKNOWN"


@pytest.mark.parametrize(
    ("target", "attributes"),
    [
        ("speech.example:50051", {"server.address": "speech.example", "server.port": 50051}),
        ("dns:///speech.example:443", {"server.address": "dns:///speech.example", "server.port": 443}),
        ("unix:/run/speech.sock", {"server.address": "unix:/run/speech.sock"}),
        ("speech", {"server.address": "speech"}),
    ],
)
def test_the_address_is_reported_as_it_was_given(exporter, provider, target, attributes):
    with Client(target, tracer_provider=provider) as client, client._tracer.call("Synthesize"):
        pass
    told = only(exporter).attributes
    assert {name: told[name] for name in told if name.startswith("server.")} == attributes


def test_without_opentelemetry_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.delitem(sys.modules, "phonoscope.client.spans", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'phonoscope\[tracing\]'"):
        call_tracer(object(), "localhost:1")


def test_a_client_without_a_provider_does_not_load_opentelemetry():
    program = (
        "import sys; from phonoscope.client import AsyncClient, Client; Client('localhost:1').close(); "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
