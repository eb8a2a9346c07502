"""What an OpenAI-style server is asked."""

import asyncio

import pytest

from phonoscope.loadgen.http_target import HttpSpeechServer
from phonoscope.loadgen.openai_api import OpenAiApi, rate_of
from phonoscope.loadgen.plan import PlannedCall
from phonoscope.loadgen.wav_stream import BodyFormat


async def asked(http_server, api: OpenAiApi, options, path: str = ""):
    async with HttpSpeechServer(http_server.url + path, api, calls_at_once=1, deadline_seconds=10.0) as target:
        await target.make(PlannedCall("Größe.", options, is_stream=True), asyncio.get_running_loop().time())
    return http_server.asked[-1]


async def test_a_request_has_what_the_api_wants(http_server):
    path, headers, body = await asked(http_server, OpenAiApi(), {"seed": 7})
    assert path == "/v1/audio/speech"
    assert body == {"model": "tts-1", "input": "Größe.", "voice": "alloy", "response_format": "wav"}
    assert "authorization" not in headers


async def test_what_was_chosen_is_sent(http_server):
    api = OpenAiApi(model="kokoro", voice="nova", body_format=BodyFormat.PCM, api_key="k3y")
    _, headers, body = await asked(http_server, api, {"voice": "bella", "speed": 1.5})
    assert (body["model"], body["voice"], body["speed"], body["response_format"]) == ("kokoro", "bella", 1.5, "pcm")
    assert headers["authorization"] == "Bearer k3y"
    assert "k3y" not in repr(api)


async def test_a_path_before_the_api_is_kept(http_server):
    path, _, _ = await asked(http_server, OpenAiApi(), {}, path="/speech/")
    assert path == "/speech/v1/audio/speech"


@pytest.mark.parametrize(
    ("content_type", "rate"),
    [
        ("", 24_000),
        ("audio/pcm", 24_000),
        ("audio/pcm; rate=22050; channels=1", 22_050),
        ("audio/L16;Rate=8000", 8000),
        ("audio/pcm; rate=0", 24_000),
        ("audio/pcm; rate=fast", 24_000),
    ],
)
def test_the_rate_of_bare_samples_is_the_apis_unless_the_server_says_another(content_type, rate):
    assert rate_of(content_type) == rate


async def test_a_rate_that_the_server_says_counts(http_server):
    http_server.then_reply(200, bytes(32_000), {"Content-Type": "audio/pcm; rate=16000"})
    api = OpenAiApi(body_format=BodyFormat.PCM)
    async with HttpSpeechServer(http_server.url, api, calls_at_once=1, deadline_seconds=10.0) as target:
        made = await target.make(PlannedCall("Hi.", {}, is_stream=True), asyncio.get_running_loop().time())
    assert made.audio_seconds == pytest.approx(1.0)
