"""A real server with all its sinks: what metrics, spans and log say of a call is what its caller saw."""

import asyncio
import json
import random
import re
import urllib.request
from collections import Counter
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from tests.integration.conftest import TestServer, Watched

from phonoscope.common.call_events import MessageSent
from phonoscope.common.call_metrics import CODE_NAMES
from phonoscope.common.metrics_endpoint import serving_metrics
from phonoscope.protos.tts.v1 import tts_pb2
from phonoscope.server.scheduling.request_state import MAX_UNREAD_STEPS

SERVICE = "phonoscope.tts.v1.TextToSpeech"
TEXT = "A sentence to speak. And another one, for the stream!"
LONG_TEXT = "abcdefghijklmnopqrstuvwxyz, " * 60
STATUS_CODE, PARENT = "rpc.response.status_code", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = PARENT.split("-")[1]
KINDS = {"Synthesize": "unary", "SynthesizeStream": "server_stream"}


def request(text: str = TEXT, **fields: Any) -> bytes:
    return tts_pb2.SynthesizeRequest(text=text, **fields).SerializeToString()


def method(channel: grpc.aio.Channel, name: str) -> Any:
    """A method as bytes in and bytes out, so that a test sees what goes over the wire."""
    kind = "unary_stream" if KINDS.get(name, "unary") == "server_stream" else "unary_unary"
    return getattr(channel, kind)(f"/{SERVICE}/{name}")


async def made(channel: grpc.aio.Channel, name: str, *args: Any, **how: Any) -> tuple[grpc.StatusCode, list[bytes]]:
    """Makes a call; returns the code that its caller sees, and the replies."""
    call, replies = method(channel, name)(*args, **how), []
    try:
        replies = [reply async for reply in call] if KINDS.get(name) == "server_stream" else [await call]
    except grpc.aio.AioRpcError as error:
        return error.code(), replies
    return await call.code(), replies


def labels(name: str) -> dict[str, str]:
    service = SERVICE if name in KINDS else "_OTHER"
    return {"grpc_type": KINDS.get(name, "unary"), "grpc_service": service, "grpc_method": name}


def handled(watched: Watched) -> dict[tuple[str, str], float]:
    """Calls that were counted, by method and code."""
    return {
        (dict(pairs)["grpc_method"], dict(pairs)["grpc_code"]): value
        for (name, pairs), value in watched.series().items()
        if name == "grpc_server_handled_total" and value
    }


def attributes(span: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


async def agree(watched: Watched, name: str, code: grpc.StatusCode) -> None:
    """Asserts that metric, log and span each have the one call of the test once, with that code."""
    (end,) = await watched.ends()
    assert (end.method.name, end.code) == (name, code)
    assert handled(watched) == {(name, CODE_NAMES[code]): 1}
    assert watched.value("grpc_server_started_total", **labels(name)) == 1
    assert watched.value("grpc_server_in_flight", **labels(name)) == 0
    assert watched.value("grpc_server_handling_seconds_count", **labels(name)) == 1 or name == "_OTHER"
    (line,) = watched.log("call_ended")
    assert (line["method"], line["code"]) == (name, code.name)
    servers = [span for span in await watched.spans() if span.kind == span.SPAN_KIND_SERVER]
    if name == "_OTHER":
        assert servers == []
        return
    (span,) = servers
    assert (span.name, attributes(span)[STATUS_CODE]) == (f"{SERVICE}/{name}", code.name)
    assert (line["trace_id"], line["span_id"]) == (span.trace_id.hex(), span.span_id.hex())


# --- one call, one code ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (request(), grpc.StatusCode.OK),
        (request(""), grpc.StatusCode.INVALID_ARGUMENT),  # the interceptors' order: not OK, not UNKNOWN
        (request(speaker_id="ton", emotion="sad"), grpc.StatusCode.UNIMPLEMENTED),
        (b"\xff\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (request("unreadable"), grpc.StatusCode.INTERNAL),
    ],
    ids=["good", "refused", "not_served", "garbage", "defect"],
)
async def test_caller_metric_span_and_log_have_the_same_code(
    watched: Watched, watched_channel: grpc.aio.Channel, name: str, sent: bytes, code: grpc.StatusCode
) -> None:
    assert (await made(watched_channel, name, sent))[0] is code
    await agree(watched, name, code)
    assert len(watched.log("call_failed_unexpectedly")) == (code is grpc.StatusCode.INTERNAL)


@pytest.mark.parametrize("name", KINDS)
async def test_an_engine_that_raises_is_internal_everywhere(
    watched: Watched, watched_channel: grpc.aio.Channel, name: str
) -> None:
    watched.server.engine.is_broken = True
    assert (await made(watched_channel, name, request()))[0] is grpc.StatusCode.INTERNAL
    await agree(watched, name, grpc.StatusCode.INTERNAL)
    assert len(watched.log("engine_raised")) >= 1  # a batch of several windows is tried again, one by one
    assert watched.value("tts_requests_total", voice_model="tone", outcome="failed", reason="ENGINE_FAILED") == 1


@pytest.mark.parametrize("name", KINDS)
async def test_a_cancelled_call_is_cancelled_everywhere(
    watched: Watched, watched_channel: grpc.aio.Channel, name: str
) -> None:
    watched.server.engine.gate.clear()
    call = asyncio.create_task(made(watched_channel, name, request()))
    assert await asyncio.to_thread(watched.server.engine.is_rendering.wait, 60)
    call.cancel()
    await agree(watched, name, grpc.StatusCode.CANCELLED)
    assert watched.value("tts_requests_total", voice_model="tone", outcome="cancelled", reason="") == 1


@pytest.mark.parametrize("name", KINDS)
async def test_a_deadline_is_a_deadline_everywhere(
    watched: Watched, watched_channel: grpc.aio.Channel, name: str
) -> None:
    watched.server.engine.gate.clear()
    assert (await made(watched_channel, name, request(), timeout=0.3))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    await agree(watched, name, grpc.StatusCode.DEADLINE_EXCEEDED)
    how = {"outcome": "failed", "reason": "DEADLINE_UNREACHABLE"}
    by_voice = [watched.value("tts_requests_total", voice_model=voice, **how) for voice in ("", "tone")]
    assert sum(by_voice) == 1


async def test_a_method_that_nothing_serves_is_counted_and_logged_once(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    assert (await made(watched_channel, "Sing", b""))[0] is grpc.StatusCode.UNIMPLEMENTED
    await agree(watched, "_OTHER", grpc.StatusCode.UNIMPLEMENTED)


async def test_an_abort_of_a_servicers_own_keeps_its_code(watched: Watched, watched_channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await health_pb2_grpc.HealthStub(watched_channel).Check(health_pb2.HealthCheckRequest(service="nobody"))
    await watched.ends()
    assert handled(watched) == {("Check", "NotFound"): 1}
    assert [line["code"] for line in watched.log("call_ended")] == ["NOT_FOUND"]


async def test_messages_and_bytes_are_those_that_the_client_counts(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    sent, received = Counter[str](), dict[str, list[bytes]]()
    for name in KINDS:
        asked = [request(f"{TEXT} Number {number}.") for number in range(3)]
        sent[name] = sum(map(len, asked))
        received[name] = [reply for one in asked for reply in (await made(watched_channel, name, one))[1]]
    await watched.ends(6)
    assert len(received["SynthesizeStream"]) > 3
    for name, replies in received.items():
        own = labels(name)
        assert watched.value("grpc_server_msg_received_total", **own) == 3
        assert watched.value("grpc_server_msg_received_bytes_sum", **own) == sent[name]
        assert watched.value("grpc_server_msg_sent_total", **own) == len(replies)
        assert watched.value("grpc_server_msg_sent_bytes_count", **own) == len(replies)
        assert watched.value("grpc_server_msg_sent_bytes_sum", **own) == sum(map(len, replies))
        logged = [line for line in watched.log("call_ended") if line["method"] == name]
        assert sum(line["bytes_sent"] for line in logged) == sum(map(len, replies))
    spoken = [tts_pb2.SynthesizeResponse.FromString(reply).audio_seconds for reply in received["Synthesize"]]
    spoken += [tts_pb2.SynthesizeStreamResponse.FromString(r).audio_seconds for r in received["SynthesizeStream"]]
    assert watched.value("tts_audio_seconds_total", voice_model="tone") == pytest.approx(sum(spoken), rel=1e-6)


# --- streams ---------------------------------------------------------------------------------------------------


async def test_a_health_watch_works_and_makes_no_span(watched: Watched, watched_channel: grpc.aio.Channel) -> None:
    watch = health_pb2_grpc.HealthStub(watched_channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert (await watch.read()).status == serving
    own = {"grpc_type": "server_stream", "grpc_service": "grpc.health.v1.Health", "grpc_method": "Watch"}
    assert watched.value("grpc_server_in_flight", **own) == 1
    await watched.server.health.set(SERVICE, is_serving=False)
    assert (await watch.read()).status == not_serving
    assert watched.value("tts_health_status", service=SERVICE) == 0
    await watched.server.health.end_watches()
    assert await watch.read() is grpc.aio.EOF
    (end,) = await watched.ends()
    assert (end.code, end.messages_sent) == (grpc.StatusCode.OK, 2)
    assert watched.value("grpc_server_in_flight", **own) == 0
    assert [line["level"] for line in watched.log("call_ended")] == ["debug"]
    assert await watched.spans() == []


def has_run_ahead(server: TestServer) -> bool:
    """Whether the engine has made all that it may beyond what gRPC took, which is more than its smallest window."""
    sent = [event.payload_bytes for event in server.calls if isinstance(event, MessageSent)]
    return sum(sent) > 2**16 and server.engine.windows_rendered >= len(sent) + MAX_UNREAD_STEPS


@pytest.mark.parametrize("has_stalled", [False, True], ids=["engine_waited_for", "reader_waited_for"])
async def test_a_stream_that_is_closed_early_leaves_nothing_behind(
    watched: Watched, watched_channel: grpc.aio.Channel, has_stalled: bool
) -> None:
    call = method(watched_channel, "SynthesizeStream")(request(LONG_TEXT, request_id="early"))
    await call.read()
    if has_stalled:  # nobody reads on: gRPC takes no more, and the generator stands at its yield
        assert await asyncio.to_thread(watched.server.wait_for, has_run_ahead)
    else:
        watched.server.engine.gate.clear()
    call.cancel()
    (end,) = await watched.ends()
    watched.server.engine.gate.set()
    assert end.code is grpc.StatusCode.CANCELLED
    assert watched.value("grpc_server_in_flight", **labels("SynthesizeStream")) == 0
    (finished,), (ended,) = watched.log("request_finished"), watched.log("call_ended")
    assert finished["outcome"] == "cancelled"
    (span,) = [span for span in await watched.spans() if span.kind == span.SPAN_KIND_SERVER]
    assert attributes(span)[STATUS_CODE] == "CANCELLED"
    for line in (finished, ended):
        assert (line["request_id"], line["trace_id"]) == ("early", span.trace_id.hex())
    # Such as "Failed to detach context". A write that the cancel overtakes is gRPC's own to complain of.
    assert [line for line in watched.log("library_logged") if line["logger"] != "grpc._cython.cygrpc"] == []


# --- traces ----------------------------------------------------------------------------------------------------


async def test_a_call_becomes_one_tree_below_its_callers_span(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    how = {"metadata": (("traceparent", PARENT),)}
    await made(watched_channel, "SynthesizeStream", request(request_id="mine"), **how)
    await watched.ends()
    spans = await watched.spans()
    (server,) = [span for span in spans if span.kind == span.SPAN_KIND_SERVER]
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    below = [span for span in spans if span.parent_span_id == server.span_id]
    assert Counter(span.name for span in below) == {
        "tts.text": 1,
        "tts.queue": 1,
        "tts.utterance": 2,
        "tts.encode": 1,
    }
    batches = [span for span in spans if span.name == "tts.batch"]
    assert len(spans) == 1 + len(below) + len(batches)
    assert all(not span.parent_span_id and span.trace_id != server.trace_id for span in batches)
    utterances = {span.span_id for span in below if span.name == "tts.utterance"}
    assert {link.span_id for span in batches for link in span.links} == utterances
    for span in below:
        assert server.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= server.end_time_unix_nano
    assert [event.name for span in below for event in span.events] == ["tts.first_audio"]
    told = attributes(server)
    assert (told["tts.request_id"], told["tts.voice"], told["tts.outcome"]) == ("mine", "tone", "completed")
    assert watched.telemetry.sinks[0]._requests == {}  # type: ignore[attr-defined]  # the spans' sink


@pytest.mark.parametrize("trace_sample_ratio", [0.0])
async def test_batches_are_kept_with_the_calls_that_they_are_linked_to(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    """Each is a root of its own; a sampler that drew lots for them would break the links."""
    await made(watched_channel, "SynthesizeStream", request())
    await made(watched_channel, "SynthesizeStream", request(), metadata=(("traceparent", PARENT),))
    await watched.ends(2)
    spans = await watched.spans()
    assert len([span for span in spans if span.kind == span.SPAN_KIND_SERVER]) == 1
    known = {span.span_id for span in spans}
    links = [link for span in spans for link in span.links]
    assert links
    assert all(link.span_id in known for link in links)


async def test_exemplars_of_calls_at_once_name_each_its_own_call(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    other = PARENT.replace(TRACE, "f" * 32)
    watched.server.engine.gate.clear()
    calls = [
        asyncio.create_task(made(watched_channel, name, request(), metadata=(("traceparent", parent),)))
        for name, parent in (("Synthesize", PARENT), ("SynthesizeStream", other))
    ]
    assert await asyncio.to_thread(
        watched.server.wait_for, lambda it: sum(type(event).__name__ == "RequestStarted" for event in it.events) == 2
    )
    watched.server.engine.gate.set()
    await asyncio.gather(*calls)
    await watched.ends(2)
    page = as_openmetrics(watched.telemetry.registry).decode()
    traces = {}
    for name, label in (
        ("grpc_server_handling_seconds", "grpc_method"),
        ("tts_time_to_first_audio_seconds", "delivery"),
    ):
        found = re.findall(rf'^{name}_bucket\{{.*{label}="(\w+)".*# \{{trace_id="(\w+)"', page, re.MULTILINE)
        traces.update(found)
    assert traces == {"Synthesize": TRACE, "whole": TRACE, "SynthesizeStream": "f" * 32, "stream": "f" * 32}


async def test_a_call_that_its_caller_does_not_sample_leaves_neither_span_nor_exemplar(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    await made(watched_channel, "SynthesizeStream", request(), metadata=(("traceparent", PARENT[:-1] + "0"),))
    await watched.ends()
    assert b"trace_id" not in as_openmetrics(watched.telemetry.registry)
    assert await watched.spans() == []


async def test_exemplars_are_served_to_those_who_ask_for_openmetrics_only(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    await made(watched_channel, "Synthesize", request(), metadata=(("traceparent", PARENT),))
    await watched.ends()
    registry, logger = watched.telemetry.registry, watched.telemetry.log._logger

    def scrape(port: int, accept: str) -> tuple[str, str]:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(asked) as reply:
            return reply.headers["Content-Type"], reply.read().decode()

    with serving_metrics(registry, "127.0.0.1", 0, logger) as port:
        kind, page = await asyncio.to_thread(scrape, port, "application/openmetrics-text")
        plain_kind, plain = await asyncio.to_thread(scrape, port, "text/plain")
    assert kind.startswith("application/openmetrics-text")
    assert plain_kind.startswith("text/plain")
    assert f'trace_id="{TRACE}"' in page
    assert TRACE not in plain
    assert "tts_time_to_first_audio_seconds_bucket" in plain


# --- the log ---------------------------------------------------------------------------------------------------

WORDS = ("Zanzibar", "quetzalcoatl", "xylophone")


async def test_the_log_of_a_session_never_holds_the_text_and_every_line_is_json(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    secret = " ".join(WORDS)
    engine = watched.server.engine
    refused = ({"pitch": 1.5}, {"speed": 99.0}, {"audio_config": tts_pb2.AudioConfig(sample_rate_hertz=1)})
    for name in KINDS:
        for fields in ({}, *refused):
            await made(watched_channel, name, request(f"{secret}.", **fields))
        await made(watched_channel, name, request(f"unreadable {secret}.", request_id=f"{name}-defect"))
        await made(watched_channel, name, request(f"{secret}. " * 400, request_id=f"{name}-long"))
        engine.is_broken = True
        await made(watched_channel, name, request(f"{secret}.", request_id=f"{name}-broken"))
        engine.is_broken = False
        await made(watched_channel, name, request(f"{secret}.", request_id=f"{name}-late"), timeout=1e-4)
    await made(watched_channel, "Synthesize", b"\xff" + secret.encode())
    spans = await watched.spans()
    written = watched.written.getvalue()
    assert {"request_finished", "engine_raised", "call_failed_unexpectedly"} <= {
        line["event"] for line in watched.log()
    }
    for word in WORDS:
        assert word.lower() not in written.lower()
        assert word.lower() not in "".join(str(span) for span in spans).lower()
        assert word.lower() not in as_openmetrics(watched.telemetry.registry).decode().lower()


async def test_the_lines_of_a_call_name_its_trace_and_its_request(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    ids = [f"{name}-{number}" for name in KINDS for number in range(4)]
    await asyncio.gather(*(made(watched_channel, one.split("-")[0], request(request_id=one)) for one in ids))
    await watched.ends(len(ids))
    of_call = {
        event: {line["request_id"]: (line["trace_id"], line["span_id"]) for line in watched.log(event)}
        for event in ("call_ended", "request_finished")
    }
    of_span = {
        attributes(span)["tts.request_id"]: (span.trace_id.hex(), span.span_id.hex())
        for span in await watched.spans()
        if span.kind == span.SPAN_KIND_SERVER
    }
    assert of_call == {"call_ended": of_span, "request_finished": of_span}
    assert sorted(of_span) == ids


# --- hostile callers -------------------------------------------------------------------------------------------


def hostile(source: random.Random) -> tuple[str, bytes]:
    """A call as nobody should make it: its path, and its bytes."""
    name = "".join(source.choices("abcdefghijklmnopqrstuvwxyz0123456789_.", k=12))
    kind = source.randrange(7)
    path = f"/{SERVICE}/Synthesize"
    if kind == 0:
        return f"/{name}/{name}", source.randbytes(8)
    if kind == 1:
        return f"/{SERVICE}/{name}", b""
    if kind == 2:
        return path, b"\xff" + source.randbytes(12)
    if kind == 3:
        return "/grpc.health.v1.Health/Check", _bytes(health_pb2.HealthCheckRequest(service=name))
    asked = {
        4: {"speaker_id": name},
        5: {"language": name},
        6: {"emotion": name, "request_id": name},
    }[kind]
    return path, request("a.", **asked)


def _bytes(message: Message) -> bytes:
    return bytes(message.SerializeToString())


async def test_ten_thousand_hostile_calls_make_no_series(watched: Watched, watched_channel: grpc.aio.Channel) -> None:
    source = random.Random(3)
    for service in ("", "liveness"):  # what health tells of is fixed, and there before
        assert watched.value("tts_health_status", service=service) == 1
    before = set(watched.series())
    seen = Counter[str]()

    async def attack(path: str, payload: bytes) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watched_channel.unary_unary(path)(payload, timeout=60)
        seen[caught.value.code().name] += 1

    for _ in range(100):
        await asyncio.gather(*(attack(*hostile(source)) for _ in range(100)))
    await watched.ends(10_000)
    assert set(watched.series()) == before
    assert set(seen) == {"UNIMPLEMENTED", "INVALID_ARGUMENT", "NOT_FOUND"}
    assert sum(seen.values()) == sum(handled(watched).values()) == 10_000
    assert json.loads(watched.written.getvalue().splitlines()[-1])


async def test_measuring_a_speakers_pitch_is_part_of_the_call_and_no_request_of_its_own(
    watched: Watched, watched_channel: grpc.aio.Channel
) -> None:
    document = "<speak><prosody pitch='+100Hz'>Hello you.</prosody></speak>"
    call = method(watched_channel, "Synthesize")
    await call(request(text="", ssml=document, request_id="mine"))
    await watched.ends()
    lines = [line for line in watched.log() if "request_id" in line]
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("request_finished", "mine"),
        ("call_ended", "mine"),
    ]
    assert {attributes(span).get("tts.request_id", "mine") for span in await watched.spans()} == {"mine"}
