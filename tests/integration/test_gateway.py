"""The gateway, served by uvicorn on a port of its own, before a real gRPC server with the tone engine."""

import asyncio
import base64
import contextlib
import io
import json
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import openai
import pytest
import structlog
import websockets

from phonoscope.client import AsyncClient, Encoding, Recording, TimingType
from phonoscope.gateway.__main__ import Server, uvicorn_config
from phonoscope.gateway.app import body_limits, endings
from phonoscope.gateway.backend.grpc import GrpcBackend
from phonoscope.gateway.events import Event, RequestEnded
from phonoscope.gateway.readiness import Readiness
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import Telemetry, build_telemetry

GENEROUS_SECONDS = 60.0
TEXT = "The first of some sentences. The second one is here. And the third ends it."


@dataclass
class Gateway:
    """A gateway that listens, what it reported, and a client of the server behind it to compare with."""

    url: str
    client: AsyncClient
    telemetry: Telemetry
    events: list[Event] = field(default_factory=list)
    logger: structlog.testing.CapturingLogger = field(default_factory=structlog.testing.CapturingLogger)
    happened: asyncio.Condition = field(default_factory=asyncio.Condition)
    waking: list[Any] = field(default_factory=list)

    def value(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, labels)

    async def ended(self, count: int = 1) -> list[RequestEnded]:
        async with asyncio.timeout(GENEROUS_SECONDS), self.happened:
            await self.happened.wait_for(lambda: len(self._ended()) >= count)
        return self._ended()

    def _ended(self) -> list[RequestEnded]:
        return [event for event in self.events if isinstance(event, RequestEnded)]

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self.waking.append(asyncio.ensure_future(self._wake()))

    async def _wake(self) -> None:
        async with self.happened:
            self.happened.notify_all()


@contextlib.asynccontextmanager
async def gateway_before(target: str, otlp_endpoint: str = "", **settings: Any) -> AsyncIterator[Gateway]:
    chosen = GatewaySettings(server=target, otlp_endpoint=otlp_endpoint, **settings)
    logger = structlog.testing.CapturingLogger()
    built = build_telemetry(chosen, logger, endings())
    told: list[Gateway] = []

    def tell(event: Event) -> None:
        told[0].tell(event)

    telemetry = Telemetry(logger, built.tracing, built.registry, (*built.sinks, tell))
    provider = built.tracing.provider if built.tracing.is_on else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with GrpcBackend.connect(target, provider) as backend, AsyncClient(target) as client:
            server = Server(uvicorn_config(chosen, backend, Readiness(backend), telemetry))
            serving = asyncio.create_task(server.serve([listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            told.append(Gateway(url, client, telemetry, logger=logger))
            yield told[0]
            server.should_exit = True
            await serving
    await asyncio.to_thread(telemetry.tracing.shutdown, GENEROUS_SECONDS)


@pytest.fixture
async def gateway(server: Any) -> AsyncIterator[Gateway]:
    async with gateway_before(server.target) as gateway:
        yield gateway


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=GENEROUS_SECONDS) as http:
        yield http


def decoded_seconds(audio: bytes, **options: Any) -> float:
    with av.open(io.BytesIO(audio), **options) as container:
        frames = list(container.decode(audio=0))
    return sum(frame.samples for frame in frames) / frames[0].sample_rate


class TestSpeech:
    async def test_audio_is_what_grpc_gives_and_says_what_it_is(self, gateway, http, server):
        reply = await http.post("/v1/speech", json={"text": TEXT, "seed": 5, "request_id": "mine"})
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "audio/pcm; rate=22050; channels=1; bits=16"
        assert reply.headers["x-request-id"] == "mine"
        assert reply.headers["x-seed"] == "5"
        assert reply.headers["x-sample-rate"] == "22050"
        assert "content-length" not in reply.headers
        speech = await gateway.client.synthesize(TEXT, seed=5)
        assert reply.content == speech.audio

    @pytest.mark.parametrize("encoding", [encoding for encoding in Encoding if encoding is not Encoding.LINEAR16])
    async def test_every_encoding_is_streamed_and_can_be_decoded(self, gateway, http, encoding):
        reply = await http.post("/v1/speech", json={"text": TEXT, "encoding": encoding.value, "seed": 1})
        assert reply.status_code == 200, reply.text
        plain = await gateway.client.synthesize(TEXT, seed=1)
        telephone = {Encoding.MULAW: "mulaw", Encoding.ALAW: "alaw"}.get(encoding)
        options = {"format": telephone, "options": {"sample_rate": "22050"}} if telephone else {}
        assert decoded_seconds(reply.content, **options) == pytest.approx(plain.audio_seconds, abs=0.11)

    async def test_audio_comes_while_the_rest_is_being_made(self, http, server):
        async with http.stream("POST", "/v1/speech", json={"text": TEXT}) as reply:
            chunks = reply.aiter_raw()
            assert await anext(chunks)
            server.engine.gate.clear()
            server.engine.gate.set()
            assert [chunk async for chunk in chunks]

    async def test_who_leaves_cancels_the_call(self, gateway, http, server):
        server.engine.gate.clear()
        sending = asyncio.create_task(http.post("/v1/speech", json={"text": TEXT * 20}))
        assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
        sending.cancel()
        [ended] = await gateway.ended()
        assert ended.status == 499
        assert await asyncio.to_thread(server.wait_for, lambda it: bool(it.ended()))
        assert server.ended()[0].code.name == "CANCELLED"
        server.engine.gate.set()

    async def test_a_client_that_disconnects_early_is_distinguished_from_one_that_read_all(
        self, gateway, http, server
    ):
        async with http.stream("POST", "/v1/speech", json={"text": TEXT * 40}) as reply:
            assert await anext(reply.aiter_raw())
            server.engine.gate.clear()
        [ended] = await gateway.ended()
        assert ended.status == 499
        server.engine.gate.set()

    async def test_a_failure_in_the_middle_cuts_the_answer_short(self, gateway, http, server):
        async with http.stream("POST", "/v1/speech", json={"text": TEXT * 40}) as reply:
            chunks = reply.aiter_raw()
            assert await anext(chunks)
            server.engine.is_broken = True
            with pytest.raises(httpx.RemoteProtocolError):
                _ = [chunk async for chunk in chunks]
        [ended] = await gateway.ended()
        assert (ended.status, ended.reason) == (500, "ENGINE_FAILED")
        server.unexpected.clear()

    async def test_events_hold_the_audio_and_the_words_that_grpc_gives(self, gateway, http):
        body = {"text": TEXT, "seed": 5, "stream_format": "sse", "timings": ["word"]}
        async with http.stream("POST", "/v1/speech", json=body) as reply:
            events = [json.loads(line.removeprefix("data: ")) async for line in reply.aiter_lines() if line]
        chunks = [event for event in events if event["type"] == "audio"]
        speech = await gateway.client.synthesize(TEXT, seed=5, timing_types=[TimingType.WORD])
        assert b"".join(base64.b64decode(chunk["audio"]) for chunk in chunks) == speech.audio
        words = [word for chunk in chunks for word in chunk["timings"]["words"]]
        assert [word["word"] for word in words] == re.findall(r"\w+", TEXT)
        assert [word["start_seconds"] for word in words] == [word.start_seconds for word in speech.timings.words]
        assert [TEXT[slice(*word["text_span"])] for word in words] == [word["word"] for word in words]

    async def test_a_document_is_spoken(self, gateway, http):
        document = "<speak>One.<break time='1s'/><mark name='here'/>Two.</speak>"
        reply = await http.post("/v1/speech", json={"ssml": document, "seed": 5})
        assert reply.content == (await gateway.client.synthesize(ssml=document, seed=5)).audio

    async def test_voices_are_listed_by_language(self, http):
        everything = (await http.get("/v1/voices")).json()["voices"]
        assert [voice["id"] for voice in everything] == ["tone", "ton"]
        assert everything[0]["is_default"]
        german = (await http.get("/v1/voices", params={"language": "de"})).json()["voices"]
        assert [voice["speakers"] for voice in german] == [["eins", "zwei"]]

    async def test_the_older_contract(self, http, gateway):
        body = {"text": "Hello.", "speaker_id": "ton:zwei", "emotion": "", "speed": 0, "pitch": 1}
        reply = (await http.post("/api/tts", json=body)).json()
        assert set(reply) == {"audio_data", "sample_rate", "status"}
        assert (reply["sample_rate"], reply["status"]) == (16_000, "success")
        assert len(base64.b64decode(reply["audio_data"])) > 1000


class TestProblems:
    @pytest.mark.parametrize(
        ("body", "reason", "field", "words"),
        [
            ({"text": ""}, "TEXT_EMPTY", "text", "at least one word"),
            ({"text": "a", "voice": "nobody"}, "VOICE_UNKNOWN", "voice", "use one of tone"),
            ({"text": "a", "speed": 9}, "SPEED_OUT_OF_RANGE", "speed", "0.25 to 4"),
            ({"text": "a", "sped": 1}, "BODY_INVALID", "sped", "valid members: voice, speed"),
            ({"text": 5}, "BODY_INVALID", "text", "valid string, got 5"),
            ({"text": "a", "speed": "fast"}, "BODY_INVALID", "speed", "valid number, got 'fast'"),
            ({"text": "a", "encoding": "mp4"}, "BODY_INVALID", "encoding", "'linear16'"),
            ({"text": "a", "seed": -1}, "BODY_INVALID", "seed", "greater than or equal to 0"),
            ({"text": "a", "encoding": "mp3", "sample_rate_hz": 23_000}, "SAMPLE_RATE_OUT_OF_RANGE", "sample_rate_hz",
             "22050, 24000"),
            ({"speed": 1.0}, "BODY_INVALID", "text", 'requires either "text" or "ssml"'),
        ],
    )  # fmt: skip
    async def test_bad_fields_are_named_with_advice(self, http, body, reason, field, words):
        reply = await http.post("/v1/speech", json=body)
        assert reply.status_code == 400
        assert reply.headers["content-type"] == "application/problem+json"
        problem = reply.json()
        assert (problem["status"], problem["reason"]) == (400, reason)
        assert problem["type"] == f"urn:phonoscope:reason:{reason}"
        [error] = problem["errors"]
        assert error["field"] == field
        assert words in error["detail"]
        assert words in problem["detail"]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"{bad", "not valid JSON"),
            (b"[]", "not a JSON object"),
            (b"", "not"),
            (b'{"text": "\xff\xfe"}', "not valid UTF-8"),
            (b'{"text": "\\ud800"}', "surrogate"),
            (b'{"text": "a", "speed": NaN}', "finite"),
        ],
    )
    async def test_bodies_that_cannot_be_read(self, http, content, words):
        reply = await http.post("/v1/speech", content=content, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID")
        assert words in reply.json()["detail"]

    async def test_another_type_of_body(self, http, gateway):
        reply = await http.post("/v1/speech", data={"text": "a"})
        assert (reply.status_code, reply.json()["reason"]) == (415, "CONTENT_TYPE_UNKNOWN")
        labels = {"http_request_method": "POST", "http_route": "/v1/speech", "http_response_status_code": "415"}
        assert gateway.value("http_server_request_duration_seconds_count", **labels) == 1

    @pytest.mark.parametrize("is_stated", [True, False])
    async def test_a_body_that_is_too_large(self, http, is_stated):
        text = json.dumps({"text": "a" * 300_000}).encode()

        async def parts() -> AsyncIterator[bytes]:
            yield text[:200_000]
            yield text[200_000:]

        headers = {"Content-Type": "application/json"}
        reply = await http.post("/v1/speech", content=text if is_stated else parts(), headers=headers)
        assert (reply.status_code, reply.json()["reason"]) == (413, "BODY_TOO_LARGE")

    async def test_a_body_that_does_not_come(self, server):
        async with gateway_before(server.target, idle_seconds=0.05) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
            head = (
                "POST /v1/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            )
            writer.write(head.encode() + b'{"text": ')
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            writer.close()

    async def test_paths_and_methods(self, http, gateway):
        reply = await http.get("/nothing")
        assert (reply.status_code, reply.json()["reason"]) == (404, "PATH_UNKNOWN")
        reply = await http.delete("/v1/speech")
        assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
        assert {event.route for event in await gateway.ended(2)} == {"_OTHER", "/v1/speech"}

    async def test_what_is_not_served_yet(self, http):
        reply = await http.post("/v1/speech", json={"text": "a", "voice": "ton", "emotion": "happy"})
        assert (reply.status_code, reply.json()["reason"]) == (501, "EMOTION_NOT_SERVED")

    async def test_a_deadline(self, http, server, gateway):
        server.engine.gate.clear()
        reply = await http.post("/v1/speech", json={"text": TEXT}, headers={"X-Timeout-Seconds": "0.05"})
        server.engine.gate.set()
        assert reply.status_code == 504
        assert "X-Timeout-Seconds" in reply.json()["detail"] or reply.json()["reason"] == "DEADLINE_UNREACHABLE"

    @pytest.mark.parametrize("stated", ["0", "-1", "soon", "nan", "inf"])
    async def test_a_deadline_that_is_none(self, http, stated):
        reply = await http.post("/v1/speech", json={"text": "a"}, headers={"X-Timeout-Seconds": stated})
        assert (reply.status_code, reply.json()["reason"]) == (400, "TIMEOUT_INVALID")

    async def test_a_server_that_is_down(self):
        async with gateway_before("127.0.0.1:1") as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
            reply = await http.post("/v1/speech", json={"text": "a"}, timeout=GENEROUS_SECONDS)
            assert reply.status_code == 503
            assert reply.headers["retry-after"] == "1"
            assert "is not available" in reply.json()["detail"]
            assert "127.0.0.1" not in reply.text, "inner addresses are nobody's business"
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200

    async def test_an_overloaded_server_says_when_to_come_back(self, gateway, http, server):
        server.engine.gate.clear()
        flood = [asyncio.create_task(http.post("/v1/speech", json={"text": TEXT})) for _ in range(60)]
        done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        reply = done.pop().result()
        assert reply.status_code == 429
        assert int(reply.headers["retry-after"]) >= 1
        assert reply.json()["retry_after"] > 0
        server.engine.gate.set()
        await asyncio.gather(*flood)

    async def test_a_full_gateway(self, server):
        server.engine.gate.clear()
        async with (
            gateway_before(server.target, max_requests=1) as gateway,
            httpx.AsyncClient(base_url=gateway.url, timeout=GENEROUS_SECONDS) as http,
        ):
            first = asyncio.create_task(http.post("/v1/speech", json={"text": TEXT}))
            assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
            reply = await http.post("/v1/speech", json={"text": TEXT})
            assert (reply.status_code, reply.json()["reason"]) == (503, "GATEWAY_FULL")
            assert (await http.get("/readyz")).status_code == 200, "probes are let in"
            server.engine.gate.set()
            assert (await first).status_code == 200


class TestOpenAi:
    """By OpenAI's own package, unmodified."""

    @pytest.fixture
    async def client(self, gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0) as client:
            yield client

    @pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
    async def test_every_format(self, client, form):
        reply = await client.audio.speech.create(model="tts-1", input=TEXT, voice="nova", response_format=form)
        assert decoded_seconds(reply.content) > 1

    async def test_mp3_is_what_they_get_who_ask_for_nothing(self, client):
        reply = await client.audio.speech.create(model="tts-1", input="Hello.", voice="alloy")
        assert reply.response.headers["content-type"] == "audio/mpeg"

    async def test_pcm_is_24_kilohertz_and_streams(self, client):
        async with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts",
            input=TEXT,
            voice="ton:zwei",
            response_format="pcm",
            speed=2.0,
            instructions="Kindly.",
        ) as reply:
            parts = [part async for part in reply.iter_bytes(1024)]
        assert reply.headers["x-sample-rate"] == "24000"
        assert reply.headers["x-voice"] == "ton:zwei"
        assert len(parts) > 1

    async def test_server_sent_events_carry_the_same_audio(self, gateway, http):
        body = {"model": "tts-1", "input": TEXT, "voice": "alloy", "response_format": "pcm", "stream_format": "sse"}
        async with http.stream("POST", "/v1/audio/speech", json=body) as reply:
            assert reply.headers["content-type"] == "text/event-stream"
            events = [json.loads(line.removeprefix("data: ")) async for line in reply.aiter_lines() if line]
        *deltas, done = events
        assert done["type"] == "speech.audio.done"
        assert {event["type"] for event in deltas} == {"speech.audio.delta"}
        assert len(b"".join(base64.b64decode(event["audio"]) for event in deltas)) > 48_000

    async def test_errors_are_its_own_exceptions(self, client):
        with pytest.raises(openai.NotFoundError, match="use one of: tts-1") as unknown:
            await client.audio.speech.create(model="whisper-1", input="Hello.", voice="alloy")
        assert unknown.value.code == "MODEL_UNKNOWN"
        with pytest.raises(openai.BadRequestError, match="at least one word") as empty:
            await client.audio.speech.create(model="tts-1", input="", voice="alloy")
        assert empty.value.param == "input"
        assert "ssml" not in str(empty.value)

    async def test_members_of_other_servers_are_served_or_ignored_by_name(self, client):
        extra = {"lang_code": "a", "backend": "kokoro", "stream": True, "user": "me", "volume_multiplier": None}
        async with client.audio.speech.with_streaming_response.create(
            model="tts-1-1106", input=TEXT, voice="nova", response_format="wav", speed="1.0", extra_body=extra
        ) as reply:
            parts = [part async for part in reply.iter_bytes()]
        assert decoded_seconds(b"".join(parts)) > 1
        assert reply.headers["x-phonoscope-ignored"] == "backend, user"

    async def test_a_language_selects_the_voice_that_no_name_selects(self, client):
        for voice, language, spoken in (("alloy", "de", "ton"), ("alloy", "a", "tone"), ("tone", "de", "tone")):
            reply = await client.audio.speech.create(
                model="tts-1", input="a", voice=voice, extra_body={"lang_code": language}
            )
            assert reply.response.headers["x-voice"].partition(":")[0] == spoken
        with pytest.raises(openai.BadRequestError, match="no loaded voice supports 'tlh'") as unknown:
            await client.audio.speech.create(model="tts-1", input="a", voice="alloy", extra_body={"lang_code": "tlh"})
        assert unknown.value.param == "lang_code"

    async def test_events_are_read_by_its_stream(self, client):
        async with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts-2025-12-15", input=TEXT, voice="alloy", stream_format="sse"
        ) as reply:
            kinds = [json.loads(line.removeprefix("data: "))["type"] async for line in reply.iter_lines() if line]
        assert (set(kinds[:-1]), kinds[-1]) == ({"speech.audio.delta"}, "speech.audio.done")

    async def test_one_model(self, client):
        assert (await client.models.retrieve("tts-1-hd-1106")).id == "tts-1-hd-1106"
        with pytest.raises(openai.NotFoundError, match="use one of: tts-1"):
            await client.models.retrieve("whisper/1")

    @pytest.mark.parametrize(
        ("encoding", "container"), [("mp3", "mp3"), ("opus", "ogg"), ("aac", "aac"), ("wav", "wav")]
    )
    @pytest.mark.parametrize("text", ["🙂", "...", " "])
    async def test_silence_stands_for_a_sentence_without_words(self, client, text, encoding, container):
        reply = await client.audio.speech.create(model="tts-1", input=text, voice="alloy", response_format=encoding)
        assert decoded_seconds(reply.content, format=container) == pytest.approx(0.2, abs=0.08)

    async def test_markdown_is_read_as_its_words(self, client):
        async def spoken(text, **extra):
            reply = await client.audio.speech.create(
                model="tts-1", input=text, voice="alloy", response_format="pcm", extra_body=extra
            )
            return len(reply.content)

        markdown = "A **title**. [A link](https://example.com/with-a-long-path)."
        plain = await spoken("A title. A link.")
        assert await spoken(markdown) == pytest.approx(plain, rel=0.2)
        assert await spoken(markdown, text_format="plain") > 2 * plain

    async def test_models(self, client):
        assert [model.id async for model in client.models.list()] == ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"]

    async def test_aliases_are_a_setting(self, server):
        async with (
            gateway_before(server.target, openai_voices="nova=ton:zwei", openai_models="mine") as gateway,
            openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0) as client,
        ):
            reply = await client.audio.speech.create(model="mine", input="a", voice="nova", response_format="wav")
            assert reply.response.headers["x-voice"] == "ton:zwei"
            with pytest.raises(openai.BadRequestError, match="alloy"):
                await client.audio.speech.create(model="mine", input="a", voice="alloy")


class TestKeys:
    @pytest.fixture
    async def gateway(self, server: Any) -> AsyncIterator[Gateway]:
        async with gateway_before(server.target, api_keys="one, two", cors_origins="https://page.example") as gateway:
            yield gateway

    async def test_speech_wants_one_of_the_keys(self, http):
        for headers in ({}, {"Authorization": "Bearer three"}, {"Authorization": "Basic one"}):
            reply = await http.post("/v1/speech", json={"text": "a"}, headers=headers)
            assert (reply.status_code, reply.json()["reason"]) == (401, "KEY_MISSING")
            assert reply.headers["www-authenticate"] == "Bearer"
        reply = await http.post("/v1/speech", json={"text": "a"}, headers={"Authorization": "Bearer two"})
        assert reply.status_code == 200

    async def test_page_and_probes_want_none(self, http):
        for path in ("/", "/readyz", "/healthz", "/metrics", "/openapi.json"):
            assert (await http.get(path)).status_code == 200, path

    async def test_a_socket_wants_one_too(self, gateway):
        address = gateway.url.replace("http", "ws") + "/v1/speech/stream"
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(address)
        assert refused.value.response.status_code == 401
        async with websockets.connect(address, subprotocols=["phonoscope.v1", "key.one"]) as socket:
            assert socket.subprotocol == "phonoscope.v1"

    async def test_pages_from_elsewhere_may_call_where_that_is_set(self, http):
        asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        reply = await http.options("/v1/speech", headers=asked)
        assert reply.headers["access-control-allow-origin"] == "https://page.example"
        reply = await http.options("/v1/speech", headers={**asked, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in reply.headers

    async def test_pages_from_elsewhere_may_send_the_headers_of_openais_package(self, http):
        names = (
            "authorization,content-type,x-stainless-arch,x-stainless-os,x-stainless-retry-count,openai-organization"
        )
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names}
        reply = await http.options("/v1/audio/speech", headers={"Origin": "https://page.example", **asked})
        assert (reply.status_code, reply.headers["access-control-allow-headers"]) == (200, names)
        reply = await http.options("/v1/audio/speech", headers={"Origin": "https://other.example", **asked})
        assert "access-control-allow-origin" not in reply.headers

    async def test_pages_from_elsewhere_can_read_what_is_refused(self, http):
        headers = {"Origin": "https://page.example"}
        for key, status in (("three", 401), ("one", 415)):
            reply = await http.post("/v1/speech", headers=headers | {"Authorization": f"Bearer {key}"})
            assert reply.status_code == status
            assert reply.headers["access-control-allow-origin"] == "https://page.example"

    async def test_who_has_no_key_is_refused_before_a_body_is_waited_for(self, gateway):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
        writer.write(
            b"POST /v1/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        async with asyncio.timeout(GENEROUS_SECONDS / 2):  # a body may take 60 s
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()


class TestWatching:
    async def test_metrics_have_routes_not_paths(self, gateway, http):
        await http.post("/v1/speech", json={"text": TEXT})
        await http.get("/v1/speech/../../secret?x=1")
        page = (await http.get("/metrics")).text
        assert "secret" not in page
        labels = {"http_request_method": "POST", "http_route": "/v1/speech", "http_response_status_code": "200"}
        assert gateway.value("http_server_request_duration_seconds_count", **labels) == 1
        assert gateway.value("gateway_time_to_first_audio_seconds_count", http_route="/v1/speech") == 1
        assert gateway.value("http_server_active_requests", http_request_method="POST") == 0

    async def test_every_ending_has_its_series_from_the_start(self, gateway):
        before = {
            tuple(sorted(sample.labels.items()))
            for family in gateway.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "http_server_request_duration_seconds_count"
        }
        for method, route, status in endings():
            labels = {"http_request_method": method, "http_route": route, "http_response_status_code": str(status)}
            assert tuple(sorted(labels.items())) in before

    async def test_the_trace_goes_from_the_caller_through_the_gateway_to_the_server(self, watched, collector):
        caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        async with (
            gateway_before(watched.server.target, collector[1]) as gateway,
            httpx.AsyncClient(base_url=gateway.url, timeout=GENEROUS_SECONDS) as http,
        ):
            reply = await http.post("/v1/speech", json={"text": TEXT}, headers={"traceparent": caller})
            assert reply.headers["x-trace-id"] == caller.split("-")[1]
        spans = {span.name: span for span in await watched.spans()}
        method = "phonoscope.tts.v1.TextToSpeech/SynthesizeStream"
        edge = spans["POST /v1/speech"]
        assert edge.parent_span_id.hex() == caller.split("-")[2]
        calls = [span for span in watched.collector.spans() if span.name == method]
        by_parent = {span.parent_span_id: span for span in calls}
        assert by_parent[edge.span_id].kind == 3, "CLIENT"
        assert by_parent[by_parent[edge.span_id].span_id].kind == 2, "SERVER"

    async def test_lines_of_the_log_never_hold_the_text(self, gateway, http):
        await http.post("/v1/speech", json={"text": "Unmistakable words."})
        await gateway.ended()
        [line] = [call for call in gateway.logger.calls if call.args == ("http_request",)]
        assert line.kwargs["status"] == 200
        assert "Unmistakable" not in str(gateway.logger.calls)


class TestSocket:
    @pytest.fixture
    async def ws(self, gateway: Gateway) -> AsyncIterator[Any]:
        async with websockets.connect(gateway.url.replace("http", "ws") + "/v1/speech/stream") as socket:
            yield socket

    async def send(self, ws: Any, *messages: Any) -> None:
        for message in messages:
            await ws.send(json.dumps(message))

    async def heard(self, ws: Any) -> tuple[list[dict[str, Any]], bytes]:
        """Reads up to the message that ends a text."""
        told, audio = [], b""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                message = await ws.recv()
                if isinstance(message, bytes):
                    assert told[-1]["bytes"] == len(message)
                    audio += message
                    continue
                told.append(json.loads(message))
                if told[-1]["type"] in {"done", "cancelled", "error"}:
                    return told, audio

    async def test_text_in_pieces_becomes_the_audio_of_the_whole(self, ws, gateway):
        words = [{"type": "text", "text": f"{word} "} for word in TEXT.split()]
        await self.send(ws, {"type": "start", "seed": 3}, *words, {"type": "end"})
        told, audio = await self.heard(ws)
        assert told[0]["type"] == "started"
        assert (told[0]["seed"], told[0]["sample_rate_hz"]) == (3, 22_050)
        assert told[-1] == {"type": "done"}
        chunks = [message for message in told if message["type"] == "audio"]
        assert chunks[0]["text_start"] == 0
        assert chunks[-1]["text_stop"] >= len(TEXT)
        assert audio == (await gateway.client.synthesize(" ".join(TEXT.split()) + " ", seed=3)).audio

    async def test_words_are_reported_with_the_audio_in_which_they_begin(self, ws):
        pieces = [{"type": "text", "text": f"{word} "} for word in TEXT.split()]
        await self.send(ws, {"type": "start", "seed": 3, "timings": ["word"]}, *pieces, {"type": "end"})
        told, _ = await self.heard(ws)
        chunks = [message for message in told if message["type"] == "audio"]
        words = [word for chunk in chunks for word in chunk["timings"]["words"]]
        assert [word["word"] for word in words] == re.findall(r"\w+", TEXT)
        assert [TEXT[slice(*word["text_span"])] for word in words] == [word["word"] for word in words]
        begins_seconds = 0.0
        for chunk in chunks:
            ends_seconds = begins_seconds + chunk["audio_seconds"]
            for word in chunk["timings"]["words"]:
                assert begins_seconds - 1e-6 <= word["start_seconds"] < ends_seconds
            begins_seconds = ends_seconds

    async def test_one_text_after_another(self, ws):
        for seed in (1, 2):
            await self.send(ws, {"type": "start", "seed": seed}, {"type": "text", "text": "Hello."}, {"type": "end"})
        for seed in (1, 2):
            told, audio = await self.heard(ws)
            assert told[0]["seed"] == seed
            assert audio

    async def test_cancelling_ends_the_call_and_the_next_text_may_come(self, ws, server):
        server.engine.gate.clear()
        await self.send(ws, {"type": "start"}, {"type": "text", "text": TEXT * 5}, {"type": "flush"})
        assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
        await self.send(ws, {"type": "cancel"})
        told, _ = await self.heard(ws)
        assert told[-1] == {"type": "cancelled"}
        assert await asyncio.to_thread(server.wait_for, lambda it: bool(it.ended()))
        assert server.ended()[0].code.name == "CANCELLED"
        server.engine.gate.set()
        await self.send(ws, {"type": "start"}, {"type": "text", "text": "Hello."}, {"type": "end"})
        told, audio = await self.heard(ws)
        assert told[-1] == {"type": "done"}
        assert audio

    async def test_who_leaves_cancels_the_call(self, ws, server, gateway):
        server.engine.gate.clear()
        await self.send(ws, {"type": "start"}, {"type": "text", "text": TEXT * 5}, {"type": "end"})
        assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
        await ws.close()
        assert await asyncio.to_thread(server.wait_for, lambda it: bool(it.ended()))
        assert server.ended()[0].code.name == "CANCELLED"
        server.engine.gate.set()
        [ended] = await gateway.ended()
        assert (ended.route, ended.status) == ("/v1/speech/stream", 101)

    @pytest.mark.parametrize(
        ("messages", "reason", "code", "words"),
        [
            ([b"binary"], "BODY_INVALID", 1003, "binary"),
            (["{bad"], "BODY_INVALID", 1008, "JSON"),
            (['{"type": "sing"}'], "BODY_INVALID", 1008, "'start'"),
            (['{"type": "start", "sped": 1}'], "BODY_INVALID", 1008, "valid members: voice"),
            (['{"type": "text", "text": "a"}'], "MESSAGE_OUT_OF_TURN", 1008, "begin a text"),
            (['{"type": "start"}', '{"type": "start"}'], "MESSAGE_OUT_OF_TURN", 1008, "within a text"),
            (['{"type": "start", "voice": "nobody"}', '{"type": "end"}'], "VOICE_UNKNOWN", 1008, "use one of tone"),
            (['{"type": "start"}', '{"type": "end"}'], "TEXT_UNPRONOUNCEABLE", 1008, "text"),
            (
                ['{"type": "start", "voice": "ton", "emotion": "happy"}', '{"type": "end"}'],
                "EMOTION_NOT_SERVED",
                1008,
                "emotion",
            ),
        ],
    )
    async def test_what_breaks_the_rules_is_reported_and_ends_the_socket(self, ws, messages, reason, code, words):
        for message in messages:
            await ws.send(message)
        told, _ = await self.heard(ws)
        assert (told[-1]["type"], told[-1]["reason"]) == ("error", reason)
        assert words in told[-1]["detail"]
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await ws.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)

    async def test_text_after_the_end_is_out_of_turn(self, ws, server):
        server.engine.gate.clear()
        await self.send(ws, {"type": "start"}, {"type": "text", "text": TEXT}, {"type": "end"})
        assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
        await self.send(ws, {"type": "text", "text": "More."})
        told, _ = await self.heard(ws)
        server.engine.gate.set()
        assert told[-1]["reason"] == "MESSAGE_OUT_OF_TURN"
        assert 'was sent after "end"' in told[-1]["detail"]

    async def test_a_huge_message(self, ws):
        huge = "a" * (body_limits(GatewaySettings()).max_json_bytes + 1)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.gather(ws.send(huge), ws.recv())
        assert closed.value.rcvd.code == 1009

    async def test_a_silent_client(self, server):
        async with (
            gateway_before(server.target, idle_seconds=0.05) as gateway,
            websockets.connect(gateway.url.replace("http", "ws") + "/v1/speech/stream") as socket,
        ):
            told, _ = await self.heard(socket)
        assert told[-1]["reason"] == "SOCKET_IDLE"


async def test_every_answer_is_one_that_the_openapi_document_declares(gateway):
    """By schemathesis, which makes its own calls; no document can say which voices there are, nor what a word is."""
    command = [str(Path(sys.executable).with_name("st")), "run", f"{gateway.url}/openapi.json"]
    options = "--exclude-checks positive_data_acceptance --max-examples 20 --seed 1 --no-color"
    process = await asyncio.create_subprocess_exec(
        *command, *options.split(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-6000:]


class TestRecordings:
    @pytest.fixture
    def content(self, speech: Any, wav: Any) -> bytes:
        return wav(speech(hz=170.0))

    async def test_json_a_form_and_grpc_give_the_same_audio(self, gateway, http, content):
        audio = (await gateway.client.synthesize(TEXT, seed=5, reference=Recording(content))).audio
        assert audio != (await gateway.client.synthesize(TEXT, seed=5)).audio
        recording = {"audio": base64.b64encode(content).decode(), "transcript": "Its words."}
        reply = await http.post("/v1/speech", json={"text": TEXT, "seed": 5, "reference": recording})
        assert (reply.status_code, reply.content) == (200, audio)
        form = {"text": TEXT, "seed": "5", "reference.transcript": "Its words."}
        reply = await http.post("/v1/speech", data=form, files={"reference": ("me.wav", content, "audio/wav")})
        assert (reply.status_code, reply.content) == (200, audio)
        body = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "flac", "reference": recording}
        reply = await http.post("/v1/audio/speech", json=body)
        assert (reply.status_code, reply.content[:4]) == (200, b"fLaC")

    async def test_one_that_cannot_be_used_is_named_with_what_to_record(self, http):
        reply = await http.post("/v1/speech", data={"text": TEXT}, files={"reference": b"no audio"})
        problem = reply.json()
        assert (reply.status_code, problem["reason"]) == (400, "REFERENCE_UNREADABLE")
        assert problem["errors"][0]["field"] == "reference.audio"
        reply = await http.post("/v1/speech", json={"text": TEXT, "reference": {"audio": "planted!", "transcript": 7}})
        assert reply.status_code == 400
        assert "planted" not in reply.text

    async def test_ten_megabytes_are_taken_and_no_more(self, http, content):
        whole = content + bytes(10 * 2**20 - len(content))
        reply = await http.post("/v1/speech", data={"text": TEXT}, files={"reference": whole})
        assert reply.status_code == 200
        larger = whole + bytes(2**20)
        reply = await http.post("/v1/speech", data={"text": TEXT}, files={"reference": larger})
        assert (reply.status_code, reply.json()["reason"]) == (413, "BODY_TOO_LARGE")

    async def test_it_is_the_voice_of_a_websocket_too(self, gateway, content):
        start = {"type": "start", "seed": 5, "reference": {"audio": base64.b64encode(content).decode()}}
        async with websockets.connect(gateway.url.replace("http", "ws") + "/v1/speech/stream") as ws:
            for message in (start, {"type": "text", "text": TEXT}, {"type": "end"}):
                await ws.send(json.dumps(message))
            audio = b""
            while isinstance(message := await ws.recv(), bytes) or json.loads(message)["type"] != "done":
                audio += message if isinstance(message, bytes) else b""
        assert audio == (await gateway.client.synthesize(TEXT, seed=5, reference=Recording(content))).audio
