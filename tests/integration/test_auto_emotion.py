"""The emotion "auto": each sentence is spoken with the emotion that the service finds, or neutrally, which is said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import pytest
from tests.integration.conftest import GENEROUS_SECONDS, TestServer

from phonoscope.protos.emotion.v1 import emotion_pb2_grpc
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc
from phonoscope.server.emotion_analysis.base import SentenceEmotion
from phonoscope.server.emotion_analysis.client import EmotionClient
from phonoscope.server.speech.text_producer import EMOTION_SECONDS, FIRST_EMOTION_SECONDS

Serving = Callable[..., AbstractAsyncContextManager[TestServer]]
TEXT = "It is done. What a day!"


class Emotions:
    """In place of a client: answers by the first word of a sentence, and notes how long it may take."""

    def __init__(self, **answers: SentenceEmotion) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []
        self.timeouts: list[float] = []
        self.is_last_asked = asyncio.Event()

    async def analyze(self, request: int, text: str, language: str, timeout_seconds: float) -> SentenceEmotion:
        self.asked.append((text, language))
        self.timeouts.append(timeout_seconds)
        if text == "What a day!":
            self.is_last_asked.set()
        return self.answers.get(text.partition(" ")[0], SentenceEmotion())


@asynccontextmanager
async def speaking(server: TestServer) -> AsyncIterator[tts_pb2_grpc.TextToSpeechStub]:
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield tts_pb2_grpc.TextToSpeechStub(channel)


def request(**fields: object) -> tts_pb2.SynthesizeRequest:
    return tts_pb2.SynthesizeRequest(**({"text": TEXT, "seed": 1, "emotion": "auto"} | fields))


async def spoken(serving: Serving, emotions: Emotions | None, **fields: object) -> tts_pb2.SynthesizeResponse:
    async with serving(emotions=emotions) as server, speaking(server) as stub:
        return await stub.Synthesize(request(**fields))


async def test_each_sentence_is_analyzed_in_the_language_of_its_voice(serving: Serving) -> None:
    emotions = Emotions()
    reply = await spoken(serving, emotions)
    assert emotions.asked == [("It is done.", "en-US"), ("What a day!", "en-US")]
    assert reply.emotion_fallback == ""


async def test_the_emotion_of_a_sentence_changes_its_speech_and_no_other_sentence(serving: Serving) -> None:
    sad = SentenceEmotion({"sad": 1.0})
    neutral = await spoken(serving, Emotions())
    first = await spoken(serving, Emotions(It=sad))
    second = await spoken(serving, Emotions(What=sad))
    both = await spoken(serving, Emotions(It=sad, What=sad))
    assert neutral.audio_seconds < min(first.audio_seconds, second.audio_seconds)  # sad speech is slow
    gains = [one.audio_seconds - neutral.audio_seconds for one in (first, second, both)]
    assert gains[0] + gains[1] == pytest.approx(gains[2], abs=0.05)


async def test_a_sentence_sounds_like_one_whose_emotion_was_named(serving: Serving) -> None:
    found = await spoken(serving, Emotions(It=SentenceEmotion({"sad": 1.0})), text="It is done.")
    named = await spoken(serving, None, text="It is done.", emotion="sad")
    assert found.audio_seconds == pytest.approx(named.audio_seconds, abs=0.01)


async def test_intensity_0_asks_nobody(serving: Serving) -> None:
    emotions = Emotions()
    await spoken(serving, emotions, emotion_intensity=0.0)
    assert emotions.asked == []


async def test_a_fallback_is_said_with_the_audio_in_which_it_begins(serving: Serving) -> None:
    emotions = Emotions(What=SentenceEmotion(fallback="timeout"))
    async with serving(emotions=emotions) as server, speaking(server) as stub:
        whole = await stub.Synthesize(request())
        chunks = [chunk async for chunk in stub.SynthesizeStream(request())]
    assert whole.emotion_fallback == "timeout"
    assert [chunk.emotion_fallback for chunk in chunks if chunk.emotion_fallback] == ["timeout"]
    assert chunks[0].emotion_fallback == ""


async def test_only_a_request_that_has_nothing_else_to_speak_waits_for_a_short_time(serving: Serving) -> None:
    emotions = Emotions()
    async with serving(emotions=emotions) as server, speaking(server) as stub:
        await stub.Synthesize(request(text="First."))  # measures the speaker's own pitch
        server.engine.gate.clear()
        call = asyncio.ensure_future(stub.Synthesize(request()))
        await asyncio.wait_for(emotions.is_last_asked.wait(), GENEROUS_SECONDS)
        server.engine.gate.set()
        await call
    assert emotions.timeouts == [FIRST_EMOTION_SECONDS, FIRST_EMOTION_SECONDS, EMOTION_SECONDS]


async def test_incremental_input_is_analyzed_too(serving: Serving) -> None:
    emotions = Emotions(It=SentenceEmotion(fallback="unavailable"))

    async def messages() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        yield tts_pb2.StreamingSynthesizeRequest(settings=request(text=""))
        yield tts_pb2.StreamingSynthesizeRequest(text=TEXT)

    async with serving(emotions=emotions) as server, speaking(server) as stub:
        chunks = [chunk async for chunk in stub.StreamingSynthesize(messages())]
    assert [text for text, _ in emotions.asked] == ["It is done.", "What a day!"]
    assert chunks[0].audio.emotion_fallback == "unavailable"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"emotion_weights": {"sad": 0.5}}, grpc.StatusCode.INVALID_ARGUMENT, "cannot be combined"),
        ({"speaker_id": "ton"}, grpc.StatusCode.UNIMPLEMENTED, "ton does not support emotions"),
        ({"emotion_weights": {"auto": 0.5}, "emotion": ""}, grpc.StatusCode.INVALID_ARGUMENT, "'auto' is unknown"),
    ],
)
async def test_auto_where_it_cannot_be_is_refused(
    serving: Serving, fields: dict[str, object], code: grpc.StatusCode, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await spoken(serving, Emotions(), **fields)
    assert raised.value.code() is code
    assert words in str(raised.value.details())


async def test_a_server_without_an_emotion_service_names_the_setting(serving: Serving) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await spoken(serving, None)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "--emotion-address" in str(raised.value.details())


class StuckService(emotion_pb2_grpc.EmotionAnalysisServicer):
    """Never answers."""

    def __init__(self) -> None:
        self.has_call = asyncio.Event()

    async def Analyze(self, request, context):  # noqa: N802  gRPC names it
        self.has_call.set()
        await asyncio.Event().wait()


async def test_a_service_that_hangs_or_is_dead_costs_a_sentence_its_emotion_only(serving: Serving) -> None:
    service = grpc.aio.server()
    emotion_pb2_grpc.add_EmotionAnalysisServicer_to_server(StuckService(), service)
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    events: list[object] = []
    stuck, dead = EmotionClient(f"127.0.0.1:{port}", events.append), EmotionClient("127.0.0.1:1", events.append)
    replies = []
    for client in (stuck, dead):
        async with serving(emotions=client) as server, speaking(server) as stub:
            replies.append(await stub.Synthesize(request(text="It is done.")))
        await client.close()
    await service.stop(None)
    assert [one.emotion_fallback for one in replies] == ["timeout", "unavailable"]
    assert replies[0].audio_data == replies[1].audio_data != b""


async def test_a_cancelled_request_leaves_nothing_behind(serving: Serving) -> None:
    service, stuck = grpc.aio.server(), StuckService()
    emotion_pb2_grpc.add_EmotionAnalysisServicer_to_server(stuck, service)
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    client = EmotionClient(f"127.0.0.1:{port}", lambda _event: None)
    async with serving(emotions=client) as server, speaking(server) as stub:
        call = stub.SynthesizeStream(request())
        reading = asyncio.ensure_future(call.read())
        await asyncio.wait_for(stuck.has_call.wait(), GENEROUS_SECONDS)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await client.close()  # waits for the call, which ends by its own deadline
    await service.stop(None)
    assert not client._calls
