"""OpenAI's API: what its clients send, what they get, and the emotion that instructions select."""

from dataclasses import replace

import httpx
import pytest

from phonoscope.gateway.app import build_app, endings
from phonoscope.gateway.backend.base import BackendError
from phonoscope.gateway.openai_routes import EMOTION_WORDS, emotion_of
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.telemetry import build_telemetry
from phonoscope.server.emotions import EMOTIONS

BODY = {"model": "tts-1", "input": "Hi.", "voice": "alloy"}


@pytest.mark.parametrize(
    ("members", "language", "ignored"),
    [
        ({}, None, None),
        ({"stream": True, "stream_format": None, "speed": None, "instructions": None}, None, None),
        ({"user": "me", "backend": "kokoro"}, None, "user, backend"),
        ({"lang_code": "a"}, "en-US", None),
        ({"language": "de", "seed": 5}, "de", "seed"),
        ({"voice": "joe", "lang_code": "a"}, None, "lang_code"),  # a named voice has a language
        ({"naïve": 1, "a\r\nb": 1, "x" * 65: 1, "ok": 1}, None, "ok"),
        ({f"m{number}": 1 for number in range(20)}, None, ", ".join(f"m{number}" for number in range(16))),
    ],
)
async def test_members_without_a_meaning_are_ignored_and_named(http, backend, members, language, ignored):
    reply = await http.post("/v1/audio/speech", json=BODY | members)
    assert (reply.status_code, reply.headers.get("x-phonoscope-ignored")) == (200, ignored)
    assert backend.calls[0].options.get("language") == language


@pytest.mark.parametrize(
    ("members", "voice", "language", "ignored"),
    [
        ({}, "af_alloy", None, None),
        ({"lang_code": "a"}, "af_alloy", None, None),
        ({"lang_code": "z"}, "", "zh", None),
        ({"language": "auto"}, "", "auto", None),
        ({"voice": "shimmer"}, "", None, None),
        ({"voice": "", "language": "de"}, "", "de", None),
        ({"voice": "alloy+af_alloy(2)", "language": "en"}, "af_alloy+af_alloy(2)", None, "language"),
    ],
)
async def test_openais_names_are_those_of_loaded_voices(http, backend, members, voice, language, ignored):
    backend.voices = (*backend.voices, replace(backend.voices[0], id="af_alloy"))
    reply = await http.post("/v1/audio/speech", json=BODY | members)
    assert (reply.status_code, reply.headers.get("x-phonoscope-ignored")) == (200, ignored)
    options = backend.calls[0].options
    assert (options.get("voice"), options.get("language")) == (voice, language)


async def test_a_server_that_is_away_is_reported_before_there_is_a_voice(http, backend):
    backend.error = BackendError("nobody there", code="UNAVAILABLE")
    reply = await http.post("/v1/audio/speech", json=BODY)
    assert (reply.status_code, reply.json()["error"]["type"]) == (503, "server_error")
    assert reply.headers["retry-after"] == "1"


@pytest.fixture
async def strict(backend, readiness, logger):
    settings = GatewaySettings(openai_strict=True)
    app = build_app(settings, backend, readiness, build_telemetry(settings, logger, endings()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield http


async def test_a_setting_rejects_members_that_openai_does_not_have(strict, backend):
    reply = await strict.post("/v1/audio/speech", json=BODY | {"user": "me"})
    assert (reply.status_code, reply.json()["error"]["param"], backend.calls) == (400, "user", [])
    assert (await strict.post("/v1/audio/speech", json=BODY | {"speed": None})).status_code == 200
    schemas = (await strict.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["OpenAiBody"]["additionalProperties"] is False


@pytest.mark.parametrize("model", ["tts-1", "tts-1-1106", "tts-1-hd-1106", "gpt-4o-mini-tts-2025-12-15"])
async def test_a_model_may_have_a_date(http, model):
    assert (await http.post("/v1/audio/speech", json=BODY | {"model": model})).status_code == 200
    shown = (await http.get(f"/v1/models/{model}")).json()
    assert shown == {"id": model, "object": "model", "created": 0, "owned_by": "phonoscope"}


@pytest.mark.parametrize("model", ["whisper-1", "tts-2-1106", "tts-1-110", "tts-1-2025-12", "tts-1-1106-1106", "a/b"])
async def test_another_model_is_a_404_in_openais_form(http, logger, model):
    for reply in (
        await http.post("/v1/audio/speech", json=BODY | {"model": model}),
        await http.get(f"/v1/models/{model}"),
    ):
        error = reply.json()["error"]
        assert (reply.status_code, error["code"], error["param"]) == (404, "MODEL_UNKNOWN", "model")
    routes = {call.kwargs["route"] for call in logger.calls if call.args == ("http_request",)}
    assert routes == {"/v1/audio/speech", "/v1/models/{model}"}


async def test_open_webui_finds_voices_and_models(http):
    voices = (await http.get("/v1/audio/voices")).json()["voices"]
    names = ["en_US-joe-medium", "de_DE-mls-medium", "de_DE-mls-medium:anna", "de_DE-mls-medium:bert"]
    assert voices == [{"id": name, "name": name} for name in names]
    assert (await http.get("/v1/audio/voices?legacy=true")).json() == {"voices": names}
    models = (await http.get("/v1/audio/models")).json()["models"]
    assert models[0] == {"id": "tts-1", "name": "tts-1"}


@pytest.mark.parametrize(
    ("instructions", "emotion"),
    [
        ("", ""),
        ("Speak like a pirate.", ""),
        ("Speak in a cheerful and positive tone.", "happy"),
        ("SAD, then happy", "sad"),
        ("As if soothing a child: gently.", "calm"),
        ("Unhappy is another word.", ""),
    ],
)
def test_the_first_word_for_an_emotion_selects_it(instructions: str, emotion: str) -> None:
    assert emotion_of(instructions) == emotion


def test_every_emotion_can_be_selected_and_no_other() -> None:
    assert set(EMOTION_WORDS.values()) == set(EMOTIONS)
    assert all(EMOTION_WORDS[name] == name for name in EMOTIONS)


async def test_the_member_emotion_overrides_the_instructions(http, backend):
    await http.post("/v1/audio/speech", json=BODY | {"emotion": "auto", "instructions": "Sound cheerful."})
    assert backend.calls[0].options["emotion"] == "auto"
