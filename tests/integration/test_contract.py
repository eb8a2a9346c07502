"""Every RPC of both contracts over a real channel: by our clients, by raw stubs, by strangers who have no stubs."""

import asyncio
import contextlib
import struct

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import proto_reflection_descriptor_database as reflection_client
from grpc_status import rpc_status

from phonoscope.client import (
    AsyncClient,
    Client,
    Encoding,
    Gender,
    InvalidArgument,
    ResourceExhausted,
    ServerError,
    TextFormat,
    TimingType,
    Unavailable,
    Unimplemented,
    UnpronounceableText,
)
from phonoscope.common.call_events import CallEnded, CallStarted
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.events import BatchRan

TEXT = "A sentence to speak. And another one, for the stream!"
LONG_TEXT = "abcdefghijklmnopqrstuvwxyz, " * 60


@pytest.fixture
async def client(server):
    async with AsyncClient(server.target) as client:
        yield client


@pytest.fixture
def stub(channel):
    return tts_pb2_grpc.TextToSpeechStub(channel)


def details_of(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """The google.rpc details of a failed call, by the name of their type."""
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.code == error.code().value[0]
    kinds = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    unpacked = {}
    for detail in status.details:
        (kind,) = (kind for kind in kinds if detail.Is(kind.DESCRIPTOR))
        unpacked[kind.__name__] = kind.FromString(detail.value)
    return unpacked


# --- our clients -----------------------------------------------------------------------------------------------


async def test_the_async_client_hears_the_same_from_the_unary_call_and_the_stream(client):
    speech = await client.synthesize(TEXT, seed=3, request_id="one")
    assert (speech.sample_rate_hz, speech.encoding, speech.voice) == (22_050, Encoding.LINEAR16, "tone")
    assert (speech.seed, speech.request_id) == (3, "one")
    assert speech.audio_seconds == len(speech.audio) / 2 / 22_050
    chunks = [chunk async for chunk in client.stream(TEXT, seed=3, request_id="two")]
    assert b"".join(chunk.audio for chunk in chunks) == speech.audio
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert len(chunks) > 3
    assert (chunks[0].seed, chunks[0].request_id, chunks[0].voice) == (3, "two", "tone")
    assert (chunks[1].seed, chunks[1].request_id, chunks[1].voice) == (None, "", "")


def measuring(events) -> int:
    """Returns how many batches ran that no request asked for."""
    return sum(event.members[0].request is None for event in events if isinstance(event, BatchRan))


async def test_a_range_of_pitch_turns_around_the_speakers_own_which_is_measured_once(client, server):
    """Below the level of requests: by utterances that go straight to the scheduler."""
    before = measuring(server.events)
    whole = [await client.synthesize(TEXT, seed=3, emotion="happy")]
    measured = measuring(server.events)
    whole.append(await client.synthesize(TEXT, seed=3, emotion="happy"))
    chunks = [chunk async for chunk in client.stream(TEXT, seed=3, emotion="happy")]
    assert whole[0].audio == whole[1].audio == b"".join(chunk.audio for chunk in chunks)
    assert before < measured == measuring(server.events), "measured once"


async def test_messages_are_bounded_and_each_has_its_share_of_the_duration(client):
    chunks = [chunk async for chunk in client.stream(TEXT, seed=3, speed=0.25, sample_rate_hz=48_000)]
    assert max(len(chunk.audio) for chunk in chunks) == 64 * 1024
    assert all(chunk.audio_seconds == pytest.approx(len(chunk.audio) / 2 / 48_000) for chunk in chunks)
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))


async def test_the_blocking_client_does_the_same(server):
    def talk() -> None:
        with Client(server.target) as client:
            speech = client.synthesize(TEXT, seed=3)
            assert b"".join(chunk.audio for chunk in client.stream(TEXT, seed=3)) == speech.audio
            assert [voice.id for voice in client.voices()] == ["tone", "ton"]
            assert client.health() == "SERVING"

    await asyncio.to_thread(talk)


async def test_voices_are_listed_the_default_first_and_by_language(client):
    first, second = await client.voices()
    assert (first.id, first.is_default, first.speakers, first.sample_rate_hz) == ("tone", True, (), 22_050)
    assert (second.id, second.is_default, second.speakers) == ("ton", False, ("eins", "zwei"))
    assert (first.emotion_rendering, second.emotion_rendering) == ("prosody", "none")
    assert await client.voices("de") == (second,)
    assert await client.voices("fr") == ()
    assert (second.gender, second.grade, first.gender) == ("female", "B", "")
    assert await client.voices(gender=Gender.FEMALE) == (second,)
    assert await client.voices(engine="flute") == ()


async def test_every_setting_of_a_request_takes_effect(client):
    plain = await client.synthesize(TEXT, seed=1)
    assert (await client.synthesize(TEXT, seed=1, speed=2.0)).audio_seconds < 0.7 * plain.audio_seconds
    speech = await client.synthesize(TEXT, seed=1, voice="ton:zwei")
    assert (speech.voice, speech.sample_rate_hz) == ("ton:zwei", 16_000)
    assert speech.audio != (await client.synthesize(TEXT, seed=1, voice="ton:0")).audio
    sad = await client.synthesize(TEXT, seed=1, emotion="Sad")
    half = await client.synthesize(TEXT, seed=1, emotion_weights={"sad": 0.5})
    assert plain.audio_seconds < half.audio_seconds < sad.audio_seconds
    assert (await client.synthesize(TEXT, seed=1, emotion="sad", emotion_intensity=0.5)).audio == half.audio
    assert (await client.synthesize(TEXT, seed=1, emotion="sad", emotion_intensity=0.0)).audio == plain.audio
    higher = await client.synthesize(TEXT, seed=1, pitch=1.3)
    assert higher.audio != plain.audio
    assert len(higher.audio) == len(plain.audio)
    assert b"".join([chunk.audio async for chunk in client.stream(TEXT, seed=1, pitch=1.3)]) == higher.audio
    assert (await client.synthesize(TEXT, language="de")).voice == "ton:eins"
    speech = await client.synthesize(TEXT, encoding=Encoding.WAV, sample_rate_hz=8000, volume_gain_db=-6)
    assert (speech.encoding, speech.sample_rate_hz, speech.audio[:4]) == (Encoding.WAV, 8000, b"RIFF")
    assert struct.unpack("<I", speech.audio[40:44]) == (len(speech.audio) - 44,)
    assert (await client.synthesize(TEXT)).seed != (await client.synthesize(TEXT)).seed


@pytest.mark.parametrize(
    ("options", "reason", "field"),
    [
        ({"speed": 9.0}, "SPEED_OUT_OF_RANGE", "speed"),
        ({"speed": float("nan")}, "SPEED_OUT_OF_RANGE", "speed"),
        ({"voice": "nobody"}, "VOICE_UNKNOWN", "speaker_id"),
        ({"voice": "ton:9"}, "SPEAKER_UNKNOWN", "speaker_id"),
        ({"sample_rate_hz": 100}, "SAMPLE_RATE_OUT_OF_RANGE", "audio_config.sample_rate_hertz"),
    ],
)
async def test_a_bad_field_is_named_with_advice(client, server, options, reason, field):
    for call in (client.synthesize(TEXT, **options), anext(client.stream(TEXT, **options))):
        with pytest.raises(InvalidArgument) as caught:
            await call
        assert caught.value.reason == reason
        assert [violation.field for violation in caught.value.violations] == [field]
    assert server.unexpected == []


@pytest.mark.parametrize(
    ("text", "reason"), [(" ", "TEXT_EMPTY"), ("🙂", "TEXT_UNPRONOUNCEABLE"), ("x" * 5001, "TEXT_TOO_LONG")]
)
async def test_text_that_cannot_be_spoken_is_refused(client, text, reason):
    with pytest.raises(InvalidArgument) as caught:
        await client.synthesize(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("encoding", Encoding)
async def test_silence_of_valid_audio_stands_for_text_without_words_if_asked_for(client, encoding):
    options = {"encoding": encoding, "unpronounceable_text": UnpronounceableText.SILENCE, "pitch": 1.2}
    speech = await client.synthesize("🙂", **options)
    assert speech.audio_seconds == pytest.approx(0.2, abs=0.001)
    assert speech.audio
    (chunk,) = [chunk async for chunk in client.stream("…", **options)]
    assert (chunk.audio_seconds, chunk.sequence) == (pytest.approx(0.2, abs=0.001), 0)
    assert chunk.request_id
    if encoding is Encoding.LINEAR16:
        assert np.frombuffer(speech.audio, "<i2").tolist() == [0] * round(0.2 * speech.sample_rate_hz)


MARKDOWN = "# A **title**\n\n- one [link](https://example.com/x)\n- *two*\n\n```\nnot read\n```\n\nThe end[1]."
PLAIN = "A title.\n\none link.\n\ntwo.\n\nThe end."


async def test_markdown_sounds_like_its_words_in_every_rpc(client):
    async def pieces():
        for character in MARKDOWN:
            yield character

    options = {"seed": 1, "text_format": TextFormat.MARKDOWN}
    plain = await client.synthesize(PLAIN, seed=1)
    pause = bytes(2 * round(0.4 * plain.sample_rate_hz))
    markdown = await client.synthesize(MARKDOWN, **options)
    assert pause in markdown.audio
    assert markdown.audio.replace(pause, b"", 1) == plain.audio
    assert b"".join([chunk.audio async for chunk in client.stream(MARKDOWN, **options)]) == markdown.audio
    chunks = [chunk async for chunk in client.stream_pieces(pieces(), **options)]
    assert b"".join(chunk.audio for chunk in chunks) == markdown.audio
    assert MARKDOWN[slice(*chunks[-1].text_span)] == "The end[1]."


async def test_words_of_markdown_are_timed_where_they_are_written(client):
    speech = await client.synthesize(MARKDOWN, text_format=TextFormat.MARKDOWN, timing_types=[TimingType.WORD])
    assert [word.word for word in speech.timings.words] == ["A", "title", "one", "link", "two", "The", "end"]
    assert all(MARKDOWN[slice(*word.text_span)] == word.word for word in speech.timings.words)


async def test_markdown_is_no_document(client):
    with pytest.raises(InvalidArgument) as caught:
        await client.synthesize(ssml="<speak>a</speak>", text_format=TextFormat.MARKDOWN)
    assert caught.value.reason == "TEXT_FORMAT_OF_SSML"
    assert [violation.field for violation in caught.value.violations] == ["text_format"]


async def test_silence_stands_for_pieces_without_words_if_asked_for(client):
    async def pieces():
        yield "..."

    silence = UnpronounceableText.SILENCE
    (chunk,) = [chunk async for chunk in client.stream_pieces(pieces(), unpronounceable_text=silence)]
    assert chunk.audio_seconds == pytest.approx(0.2, abs=0.001)


async def test_an_empty_text_is_refused_though_silence_is_asked_for(client):
    with pytest.raises(InvalidArgument) as caught:
        await client.synthesize("", unpronounceable_text=UnpronounceableText.SILENCE)
    assert caught.value.reason == "TEXT_EMPTY"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"emotion": "happy", "voice": "ton"}, "EMOTION_NOT_SERVED"),
    ],
)
async def test_what_is_not_served_yet_says_so(client, options, reason):
    with pytest.raises(Unimplemented) as caught:
        await client.synthesize(TEXT, **options)
    assert caught.value.reason == reason


async def test_a_reply_too_large_for_one_message_is_refused_and_streams(client, server):
    with pytest.raises(InvalidArgument, match="SynthesizeStream") as caught:
        await client.synthesize(LONG_TEXT)
    assert caught.value.reason == "REPLY_TOO_LARGE"
    assert server.engine.windows_rendered == 0
    size = 0
    async for chunk in client.stream(LONG_TEXT):
        size += len(chunk.audio)
    assert size > 2**20


async def test_a_full_server_says_when_to_come_back(server):
    held = [server.scheduler.open(request=10_000 + n, voice_id="tone", audio_seconds=0.0) for n in range(40)]
    async with AsyncClient(server.target, waits_when_busy=False) as client:
        with pytest.raises(ResourceExhausted) as caught:
            await client.synthesize(TEXT)
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("QUEUE_FULL", 1.0)
    for stream in held:
        with stream:
            pass


async def test_an_engine_that_fails_is_an_internal_error_and_the_next_call_is_served(client, server):
    server.engine.is_broken = True
    for call in (client.synthesize(TEXT), anext(client.stream(TEXT))):
        with pytest.raises(ServerError) as caught:
            await call
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.INTERNAL, "ENGINE_FAILED")
    server.engine.is_broken = False
    assert (await client.synthesize(TEXT)).audio


async def test_32_streams_at_once_each_get_their_own_audio(client, server):
    texts = [f"Number {number} speaks. {'word ' * (number % 7)}to the end." for number in range(32)]

    async def audio_of(number: int) -> bytes:
        return b"".join([chunk.audio async for chunk in client.stream(texts[number], seed=number)])

    together = await asyncio.gather(*map(audio_of, range(32)))
    assert together == [await audio_of(number) for number in range(32)]
    assert len({event.request_id for event in server.finished()}) == 64


async def test_a_stream_that_its_client_leaves_is_not_rendered_further(client, server):
    async with contextlib.aclosing(client.stream(LONG_TEXT)) as chunks:
        await anext(chunks)
        server.engine.gate.clear()
    server.engine.gate.set()
    assert await asyncio.to_thread(server.wait_for, lambda it: bool(it.finished()))
    assert server.finished()[0].outcome == "cancelled"
    assert server.is_idle()


async def test_a_unary_call_that_its_client_leaves_frees_the_scheduler(client, server):
    server.engine.gate.clear()
    task = asyncio.ensure_future(client.synthesize(TEXT))
    assert await asyncio.to_thread(server.engine.is_rendering.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.wait_for, lambda it: bool(it.finished()))
    assert [event.outcome for event in server.finished()] == ["cancelled"]
    assert server.is_idle()


async def test_calls_while_voices_load_are_unavailable_with_a_delay(channel, server):
    server.speech._synthesizer = None  # as before `begin`
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await tts_pb2_grpc.TextToSpeechStub(channel).Synthesize(tts_pb2.SynthesizeRequest(text=TEXT))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    details = details_of(caught.value)
    assert details["ErrorInfo"].reason == "WARMING_UP"
    assert details["RetryInfo"].retry_delay.seconds == 1


async def test_a_draining_server_is_unavailable(client, server):
    await server.scheduler.drain(0)
    with pytest.raises(Unavailable) as caught:
        await client.synthesize(TEXT)
    assert caught.value.reason == "DRAINING"


async def test_every_call_is_counted_from_start_to_end(client, server):
    await client.synthesize(TEXT)
    assert [chunk async for chunk in client.stream(TEXT)]
    with pytest.raises(InvalidArgument):
        await client.synthesize("")
    started, ended = ([c for c in server.calls if isinstance(c, kind)] for kind in (CallStarted, CallEnded))
    assert len(started) == len(ended) == 3
    assert [(call.method.name, call.code.name) for call in ended] == [
        ("Synthesize", "OK"),
        ("SynthesizeStream", "OK"),
        ("Synthesize", "INVALID_ARGUMENT"),
    ]
    assert ended[1].messages_sent > 3


# --- raw stubs -------------------------------------------------------------------------------------------------


async def test_errors_carry_google_rpc_details(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Synthesize(tts_pb2.SynthesizeRequest(text=" ", speed=-1))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    details = details_of(caught.value)
    assert (details["ErrorInfo"].reason, details["ErrorInfo"].domain) == ("SEVERAL_FIELDS", "phonoscope")
    assert [violation.field for violation in details["BadRequest"].field_violations] == ["text", "speed"]


async def test_an_encoding_that_the_contract_does_not_know_is_refused(stub):
    config = tts_pb2.AudioConfig(encoding=99)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Synthesize(tts_pb2.SynthesizeRequest(text=TEXT, audio_config=config))
    assert details_of(caught.value)["ErrorInfo"].reason == "ENCODING_UNKNOWN"


async def test_a_request_with_the_five_old_fields_alone_is_served(stub):
    request = tts_pb2.SynthesizeRequest(text=TEXT, speaker_id="default", speed=1.0, pitch=1.0, emotion="neutral")
    reply = await stub.Synthesize(request)
    assert (reply.status, reply.sample_rate, reply.encoding) == ("success", 22_050, tts_pb2.AUDIO_ENCODING_LINEAR16)
    assert len(reply.audio_data) % 2 == 0


async def test_a_wav_stream_is_one_file_with_open_lengths(stub):
    config = tts_pb2.AudioConfig(encoding=tts_pb2.AUDIO_ENCODING_WAV)
    call = stub.SynthesizeStream(tts_pb2.SynthesizeRequest(text=TEXT, audio_config=config, seed=1))
    audio = b"".join([reply.audio_data async for reply in call])
    assert (audio[:4], audio[4:8], audio[40:44]) == (b"RIFF", b"\xff" * 4, b"\xff" * 4)
    assert audio.count(b"RIFF") == 1
    assert np.abs(np.frombuffer(audio[44:], "<i2")).max() > 1000


async def test_a_method_that_nothing_serves_is_unimplemented_and_counted(channel, server):
    call = channel.unary_unary("/phonoscope.tts.v1.TextToSpeech/Sing")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert [call.method.service for call in server.calls] == ["_OTHER", "_OTHER"]


# --- health ----------------------------------------------------------------------------------------------------


async def test_a_watcher_gets_every_change_of_health(client, server):
    async with contextlib.aclosing(client.watch_health("phonoscope.tts.v1.TextToSpeech")) as statuses:
        assert await anext(statuses) == "SERVING"
        await server.health.set("phonoscope.tts.v1.TextToSpeech", is_serving=False)
        assert await anext(statuses) == "NOT_SERVING"
        assert await client.health("phonoscope.tts.v1.TextToSpeech") == "NOT_SERVING"
        assert await client.health() == "SERVING"
        await server.health.end_watches()
        with pytest.raises(StopAsyncIteration):
            await anext(statuses)


async def test_an_unknown_service_is_not_found_by_check_and_unknown_to_watch(channel, client):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    async with contextlib.aclosing(client.watch_health("nothing")) as statuses:
        assert await anext(statuses) == "SERVICE_UNKNOWN"


# --- strangers -------------------------------------------------------------------------------------------------


def old_contract():
    """The messages of the older contract, as a client knows them that was built long ago."""
    field = descriptor_pb2.FieldDescriptorProto
    request = descriptor_pb2.DescriptorProto(name="SynthesisRequest")
    reply = descriptor_pb2.DescriptorProto(name="SynthesisResponse")
    of_request = [
        ("text", field.TYPE_STRING),
        ("speaker_id", field.TYPE_STRING),
        ("speed", field.TYPE_FLOAT),
        ("pitch", field.TYPE_FLOAT),
        ("emotion", field.TYPE_STRING),
    ]
    of_reply = [("audio_data", field.TYPE_BYTES), ("sample_rate", field.TYPE_INT32), ("status", field.TYPE_STRING)]
    for message, fields in ((request, of_request), (reply, of_reply)):
        for number, (name, kind) in enumerate(fields, start=1):
            message.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto(name="old.proto", syntax="proto3", message_type=[request, reply]))
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(message.name)) for message in (request, reply)]


def old_call(channel):
    request_class, reply_class = old_contract()
    method = channel.unary_unary(
        "/TTSService/Synthesize",
        request_serializer=request_class.SerializeToString,
        response_deserializer=reply_class.FromString,
    )
    return request_class, method


async def test_the_older_contract_is_served_to_a_client_of_its_own_three_messages(channel, client):
    request_class, synthesize = old_call(channel)
    reply = await synthesize(request_class(text=TEXT))
    assert (reply.status, reply.sample_rate) == ("success", 22_050)
    samples = np.frombuffer(reply.audio_data, "<i2")
    assert np.abs(samples).max() > 1000
    fast = await synthesize(request_class(text=TEXT, speaker_id="ton:eins", speed=2.0, pitch=1.0, emotion="neutral"))
    assert fast.sample_rate == 16_000
    assert len(fast.audio_data) < 0.7 * len(reply.audio_data)


async def test_the_older_contract_refuses_what_the_newer_one_refuses(channel):
    request_class, synthesize = old_call(channel)
    for request, code, reason in (
        (request_class(text=""), grpc.StatusCode.INVALID_ARGUMENT, "TEXT_EMPTY"),
        (
            request_class(text=TEXT, speaker_id="ton", emotion="sad"),
            grpc.StatusCode.UNIMPLEMENTED,
            "EMOTION_NOT_SERVED",
        ),
        (
            request_class(text=TEXT, speaker_id="ton", emotion="happy"),
            grpc.StatusCode.UNIMPLEMENTED,
            "EMOTION_NOT_SERVED",
        ),
        (request_class(text=TEXT, speaker_id="nobody"), grpc.StatusCode.INVALID_ARGUMENT, "VOICE_UNKNOWN"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await synthesize(request)
        assert caught.value.code() == code
        assert details_of(caught.value)["ErrorInfo"].reason == reason


async def test_reflection_is_enough_to_list_describe_and_call_the_service(server):
    def explore() -> tuple[list[str], list[str], float]:
        with grpc.insecure_channel(server.target) as channel:
            database = reflection_client.ProtoReflectionDescriptorDatabase(channel)
            pool = descriptor_pool.DescriptorPool(database)
            service = pool.FindServiceByName("phonoscope.tts.v1.TextToSpeech")
            method = service.FindMethodByName("Synthesize")
            request_class, reply_class = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
            call = channel.unary_unary(
                f"/{service.full_name}/{method.name}", request_class.SerializeToString, reply_class.FromString
            )
            reply = call(request_class(text=TEXT), timeout=60)
            assert pool.FindServiceByName("TTSService").FindMethodByName("Synthesize")
            return list(database.get_services()), [m.name for m in service.methods], reply.audio_seconds

    services, methods, audio_seconds = await asyncio.to_thread(explore)
    assert {"phonoscope.tts.v1.TextToSpeech", "TTSService", "grpc.health.v1.Health"} <= set(services)
    assert methods == ["Synthesize", "SynthesizeStream", "StreamingSynthesize", "ListVoices"]
    assert audio_seconds > 1
