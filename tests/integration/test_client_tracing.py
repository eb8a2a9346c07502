"""Both ends of a traced call: the server's span is a child of the client's, and they agree on how it ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from phonoscope.client import AsyncClient, DeadlineExceeded, InvalidArgument
from phonoscope.common.call_spans import CallSpans
from phonoscope.common.grpc_server import bind, build_server
from phonoscope.common.interceptors import CallObserver, ErrorMapper
from phonoscope.common.tracing import Tracing
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc


class Spans(SpanProcessor):
    """Keeps what has ended, on both sides, and lets a test wait for it; all on one event loop."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[ReadableSpan] = asyncio.Queue()

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.put_nowait(span)

    async def pair(self) -> tuple[ReadableSpan, ReadableSpan]:
        """Returns the client's span and the server's."""
        async with asyncio.timeout(10):
            both = [await self.ended.get(), await self.ended.get()]
        client, server = sorted(both, key=lambda span: span.kind is SpanKind.SERVER)
        assert (client.kind, server.kind) == (SpanKind.CLIENT, SpanKind.SERVER)
        return client, server


class Speaker(tts_pb2_grpc.TextToSpeechServicer):
    """Speaks two chunks, then does as the text says."""

    async def Synthesize(self, request, context):  # noqa: N802 - the name of the wire
        if request.text == "refuse":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        if request.text == "wait":
            await asyncio.Event().wait()
        return tts_pb2.SynthesizeResponse(audio_data=b"\0\0")

    async def SynthesizeStream(self, request, context):  # noqa: N802 - the name of the wire
        for sequence in range(2):
            yield tts_pb2.SynthesizeStreamResponse(audio_data=b"\0\0", sequence=sequence)
        await self.Synthesize(request, context)


@pytest.fixture
async def spans() -> Spans:
    return Spans()


@pytest.fixture
async def target(spans) -> AsyncIterator[str]:
    provider = TracerProvider()
    provider.add_span_processor(spans)
    call_spans = CallSpans(Tracing(provider, spans, "0"))
    server = build_server([CallObserver(call_spans), ErrorMapper(lambda path, error: None)])
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(Speaker(), server)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
async def client(target, spans) -> AsyncIterator[AsyncClient]:
    provider = TracerProvider()
    provider.add_span_processor(spans)
    async with AsyncClient(target, tracer_provider=provider) as client:
        yield client


def patience_seconds(text: str) -> float:
    return 0.3 if text == "wait" else 30.0


async def unary(client, text):
    await client.synthesize(text, timeout_seconds=patience_seconds(text))


async def stream(client, text):
    async for _ in client.stream(text, timeout_seconds=patience_seconds(text)):
        pass


@pytest.mark.parametrize("call", [unary, stream])
@pytest.mark.parametrize(
    ("text", "raises", "code"),
    [
        ("Hello.", contextlib.nullcontext(), "OK"),
        ("refuse", pytest.raises(InvalidArgument), "INVALID_ARGUMENT"),
        ("wait", pytest.raises(DeadlineExceeded), "DEADLINE_EXCEEDED"),
    ],
)
async def test_the_servers_span_is_a_child_of_the_clients_and_has_its_name_and_code(
    client, spans, call, text, raises, code
):
    with raises:
        await call(client, text)
    caller, served = await spans.pair()
    assert served.parent.span_id == caller.context.span_id
    assert served.context.trace_id == caller.context.trace_id
    assert served.name == caller.name
    codes = [span.attributes["rpc.response.status_code"] for span in (caller, served)]
    assert codes == [code, code]


async def test_a_listener_who_hangs_up_is_cancelled_on_both_sides(client, spans):
    async with contextlib.aclosing(client.stream("wait")) as chunks:
        await anext(chunks)
    caller, served = await spans.pair()
    assert served.parent.span_id == caller.context.span_id
    assert [span.attributes["rpc.response.status_code"] for span in (caller, served)] == ["CANCELLED"] * 2


async def test_what_the_client_does_not_sample_the_server_does_not_either(target, spans):
    async with AsyncClient(target, tracer_provider=TracerProvider(ALWAYS_OFF)) as client:
        await unary(client, "Hello.")
    async with AsyncClient(target) as client:  # no context: the server decides for itself
        await unary(client, "Hello.")
    async with asyncio.timeout(10):
        served = await spans.ended.get()
    assert served.parent is None
    assert spans.ended.empty()
