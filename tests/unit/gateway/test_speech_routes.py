"""POST /v1/speech and POST /v1/audio/speech: what reaches the backend, and what is returned."""

import base64
import json
from typing import Any

import httpx
import pytest

from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import (
    BackendError,
    Encoding,
    Pronunciation,
    TextFormat,
    TimingType,
    UnpronounceableText,
)

SSML = "<speak>Hello there</speak>"


def events_of(reply: httpx.Response) -> list[dict[str, Any]]:
    assert reply.headers["content-type"] == "text/event-stream"
    lines = [line for line in reply.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def audio_of(events: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in events if event["type"] == "audio")


async def test_an_ssml_document_goes_in_place_of_a_text(http, backend, plain_audio):
    reply = await http.post("/v1/speech", json={"ssml": SSML})
    assert reply.content == plain_audio
    [call] = backend.calls
    assert (call.text, call.options["ssml"]) == ("", SSML)


async def test_pronunciations_reach_the_speech_server(http, backend):
    said = [{"phrase": "tomato", "ipa": "təˈmɑːtoʊ"}, {"phrase": "SQL", "respelling": "sequel"}]
    await http.post("/v1/speech", json={"text": "Hello.", "pronunciations": said})
    assert backend.calls[0].options["pronunciations"] == [
        Pronunciation("tomato", "təˈmɑːtoʊ"),
        Pronunciation("SQL", respelling="sequel"),
    ]


async def test_events_hold_the_same_audio_between_started_and_done(http, plain_audio):
    reply = await http.post("/v1/speech", json={"text": "Hello there", "stream_format": "sse"})
    events = events_of(reply)
    assert [event["type"] for event in events] == ["started", "audio", "audio", "audio", "done"]
    assert audio_of(events) == plain_audio
    assert events[0] == {
        "type": "started",
        "request_id": "made-by-server",
        "voice": "en_US-joe-medium",
        "seed": 42,
        "encoding": "linear16",
        "sample_rate_hz": 16_000,
        "trace_id": "",
    }
    assert reply.headers["x-voice"] == "en_US-joe-medium"
    assert all("timings" not in event for event in events)


async def test_timings_come_in_the_event_of_the_audio_in_which_they_begin(http, backend):
    body = {"text": "Hello there", "stream_format": "sse", "timings": ["word", "phoneme", "viseme", "mark"]}
    events = events_of(await http.post("/v1/speech", json=body))
    assert backend.calls[0].options["timing_types"] == list(TimingType)
    [one, two, three] = [event["timings"] for event in events if event["type"] == "audio"]
    assert one["words"] == [{"word": "Hello", "start_seconds": 0.01, "end_seconds": 0.08, "text_span": [0, 5]}]
    assert one["phonemes"] == [{"phoneme": "ˈɑː", "start_seconds": 0.01, "end_seconds": 0.05}]
    assert [viseme["viseme"] for viseme in one["visemes"]] == ["sil", "pp"]
    assert two == {"words": [], "phonemes": [], "visemes": [], "marks": [{"name": "here", "seconds": 0.12}]}
    assert three["words"][0]["word"] == "there"


async def test_a_failure_in_the_middle_is_the_last_event(http, backend):
    backend.chunks, backend.error = backend.chunks[:1], BackendError("the engine failed", code="INTERNAL")
    reply = await http.post("/v1/speech", json={"text": "Hello.", "stream_format": "sse"})
    assert reply.status_code == 200
    events = events_of(reply)
    assert [event["type"] for event in events] == ["started", "audio", "error"]
    assert (events[-1]["status"], events[-1]["reason"]) == (500, "INTERNAL")


async def test_a_failure_before_the_first_audio_is_a_problem_with_its_status(http, backend):
    backend.chunks, backend.error = (), BackendError("no", code="INVALID_ARGUMENT")
    reply = await http.post("/v1/speech", json={"text": "Hello.", "stream_format": "sse"})
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "text", 'requires either "text" or "ssml"'),
        ({"text": "a", "ssml": SSML}, "text", 'requires either "text" or "ssml"'),
        ({"text": "", "ssml": SSML}, "text", 'requires either "text" or "ssml"'),
        ({"text": "a", "timings": ["word"]}, "timings", 'set "stream_format": "sse", or use WebSocket'),
        ({"text": "a", "timings": ["words"], "stream_format": "sse"}, "timings.0", "'viseme' or 'mark'"),
        ({"text": "a", "stream_format": "ndjson"}, "stream_format", "'audio' or 'sse'"),
        ({"text": "a", "pronunciations": [{"phrase": "b"}]}, "pronunciations.0", 'either "ipa" or "respelling"'),
        ({"text": "a", "pronunciations": [{"phrase": "b", "ipa": "c", "respelling": "d"}]}, "pronunciations.0",
         'either "ipa" or "respelling"'),
        ({"text": "a", "pronunciations": [{"ipa": "c"}]}, "pronunciations.0.phrase", "field required"),
    ],
)  # fmt: skip
async def test_an_invalid_member_is_rejected_with_the_fix(http, backend, body, field, words):
    reply = await http.post("/v1/speech", json=body)
    assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID")
    [error] = reply.json()["errors"]
    assert error["field"] == field
    assert words in error["detail"]
    assert backend.calls == []


async def test_lone_surrogates_are_rejected_in_every_member(http, backend):
    for member in ('"ssml": "\\ud800"', '"text": "a", "pronunciations": [{"phrase": "\\ud800", "ipa": "a"}]',
                   '"text": "a", "emotion_weights": {"\\ud800": 0.5}'):  # fmt: skip
        content = f"{{{member}}}".encode()
        reply = await http.post("/v1/speech", content=content, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID"), member
    assert backend.calls == []


async def test_the_speech_servers_error_for_timings_has_the_bodys_name(http, backend):
    violation = FieldViolation("timing_types", "not with MP3")
    backend.chunks, backend.error = (), BackendError("no", code="INVALID_ARGUMENT", violations=[violation])
    body = {"text": "a", "encoding": "mp3", "timings": ["word"], "stream_format": "sse"}
    assert (await http.post("/v1/speech", json=body)).json()["detail"] == "timings: not with MP3"


async def test_ssml_from_openais_clients_is_text(http, backend):
    body = {"model": "tts-1", "voice": "alloy", "input": SSML}
    assert (await http.post("/v1/audio/speech", json=body)).status_code == 200
    [call] = backend.calls
    assert call.text == SSML
    assert call.options == {
        "voice": "",
        "speed": 1.0,
        "emotion": "",
        "encoding": Encoding.MP3,
        "sample_rate_hz": 0,
        "text_format": TextFormat.PLAIN,
        "unpronounceable_text": UnpronounceableText.SILENCE,
    }


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("Hello.", {}, TextFormat.PLAIN),
        ("Hello **you**.", {}, TextFormat.MARKDOWN),
        ("Hello.", {"text_format": "markdown"}, TextFormat.MARKDOWN),
        ("Hello **you**.", {"text_format": "plain"}, TextFormat.PLAIN),
    ],
)
async def test_text_from_openais_clients_is_markdown_if_it_looks_like_it(http, backend, text, given, expected):
    body = {"model": "tts-1", "voice": "alloy", "input": text, **given}
    assert (await http.post("/v1/audio/speech", json=body)).status_code == 200
    assert backend.calls[-1].options["text_format"] is expected


async def test_openais_events_are_theirs(http, plain_audio):
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "stream_format": "sse", "response_format": "pcm"}
    *deltas, done = events_of(await http.post("/v1/audio/speech", json=body))
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain_audio
    assert done == {"type": "speech.audio.done", "usage": None}


async def test_openais_events_end_with_an_error_in_their_form(http, backend):
    backend.chunks, backend.error = backend.chunks[:1], BackendError("the engine failed", code="INTERNAL")
    body = {"model": "tts-1", "voice": "joe", "input": "Hello.", "stream_format": "sse"}
    last = events_of(await http.post("/v1/audio/speech", json=body))[-1]
    assert (last["type"], last["error"]["code"]) == ("error", "INTERNAL")


async def test_the_document_says_that_a_body_has_one_of_text_and_ssml(http):
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["SpeechBody"]["oneOf"] == [{"required": ["text"]}, {"required": ["ssml"]}]
    assert schemas["SpeechBody"]["properties"]["stream_format"]["enum"] == ["audio", "sse"]
    assert schemas["PronunciationBody"]["oneOf"] == [{"required": ["ipa"]}, {"required": ["respelling"]}]


async def test_the_limit_of_the_gateway_bounds_what_the_caller_asks_for(http, backend):
    for header, seconds in (("10", 10.0), ("999", 120.0)):
        await http.post("/v1/speech", json={"text": "a"}, headers={"X-Timeout-Seconds": header})
        assert backend.calls[-1].timeout_seconds == seconds


async def test_voices_are_listed_by_language(http):
    voices = (await http.get("/v1/voices")).json()["voices"]
    assert [voice["id"] for voice in voices] == ["en_US-joe-medium", "de_DE-mls-medium"]
    [german] = (await http.get("/v1/voices", params={"language": "de"})).json()["voices"]
    assert german == {
        "id": "de_DE-mls-medium",
        "language": "de-DE",
        "sample_rate_hz": 22_050,
        "speakers": ["anna", "bert"],
        "is_default": False,
        "engine": "vits",
        "quality": "medium",
        "precision": "",
        "emotion_rendering": "",
        "aliases": [],
        "gender": "female",
        "grade": "C+",
        "reference_use": "",
        "takes_emotion_reference": False,
        "is_recording": False,
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("gender=female", ["de_DE-mls-medium"]),
        ("gender=male", []),
        ("gender=", ["en_US-joe-medium", "de_DE-mls-medium"]),
        ("engine=vits&language=en", ["en_US-joe-medium"]),
        ("engine=flute", []),
    ],
)
async def test_voices_are_listed_by_gender_and_engine(http, query, ids):
    assert [voice["id"] for voice in (await http.get(f"/v1/voices?{query}")).json()["voices"]] == ids


async def test_an_unknown_gender_is_refused_with_the_known_ones(http):
    reply = await http.get("/v1/voices", params={"gender": "neuter"})
    assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID")
    assert reply.json()["detail"] == "gender: input should be 'female' or 'male', got 'neuter'"


async def test_the_older_contract_is_one_object(http, backend, plain_audio):
    reply = await http.post("/api/tts", json={"text": "Hello.", "speaker_id": "joe", "speed": 0})
    assert reply.json() == {
        "audio_data": base64.b64encode(plain_audio).decode(),
        "sample_rate": 16_000,
        "status": "success",
    }
    assert backend.calls[0].options == {
        "voice": "joe",
        "emotion": "",
        "speed": 1.0,
        "pitch": 1.0,
        "encoding": Encoding.LINEAR16,
    }
