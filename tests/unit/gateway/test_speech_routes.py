"""POST /v1/speech and POST /v1/audio/speech: what reaches the speech server, and how timings come back."""

import base64
import json
from typing import Any

import grpc
import httpx
import pytest

SSML = "<speak>Hello there</speak>"


def events_of(reply: httpx.Response) -> list[dict[str, Any]]:
    assert reply.headers["content-type"] == "text/event-stream"
    lines = [line for line in reply.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def audio_of(events: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in events if event["type"] == "audio")


async def test_an_ssml_document_goes_in_place_of_a_text(http, server, plain_audio):
    reply = await http.post("/v1/speech", json={"ssml": SSML})
    assert reply.content == plain_audio
    (request,) = server.requests("SynthesizeStream")
    assert (request.ssml, request.text) == (SSML, "")


async def test_pronunciations_reach_the_speech_server(http, server):
    said = [{"phrase": "tomato", "ipa": "təˈmɑːtoʊ"}, {"phrase": "SQL", "respelling": "sequel"}]
    await http.post("/v1/speech", json={"text": "Hello.", "pronunciations": said})
    (request,) = server.requests("SynthesizeStream")
    sent = [(each.phrase, each.WhichOneof("spoken"), each.ipa or each.respelling) for each in request.pronunciations]
    assert sent == [("tomato", "ipa", "təˈmɑːtoʊ"), ("SQL", "respelling", "sequel")]


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


async def test_timings_come_in_the_event_of_the_audio_in_which_they_begin(http, server):
    body = {"text": "Hello there", "stream_format": "sse", "timings": ["word", "phoneme", "viseme", "mark"]}
    events = events_of(await http.post("/v1/speech", json=body))
    assert list(server.requests("SynthesizeStream")[0].timing_types) == [1, 2, 3, 4]
    [one, two, three] = [event["timings"] for event in events if event["type"] == "audio"]
    assert one["words"] == [{"word": "Hello", "start_seconds": 0.01, "end_seconds": 0.08, "text_span": [0, 5]}]
    assert one["phonemes"] == [{"phoneme": "ˈɑː", "start_seconds": 0.01, "end_seconds": 0.05}]
    assert [viseme["viseme"] for viseme in one["visemes"]] == ["sil", "pp"]
    assert two == {"words": [], "phonemes": [], "visemes": [], "marks": [{"name": "here", "seconds": 0.12}]}
    assert three["words"][0]["word"] == "there"


async def test_a_failure_in_the_middle_is_the_last_event(http, server):
    server.then_speak(b"\1\0", then=server.failure(grpc.StatusCode.INTERNAL, "the engine failed"))
    reply = await http.post("/v1/speech", json={"text": "Hello.", "stream_format": "sse"})
    assert reply.status_code == 200
    events = events_of(reply)
    assert [event["type"] for event in events] == ["started", "audio", "error"]
    assert (events[-1]["status"], events[-1]["reason"]) == (500, "INTERNAL")


async def test_a_failure_before_the_first_audio_is_a_problem_with_its_status(http, server):
    server.then_fail(grpc.StatusCode.INVALID_ARGUMENT, "no")
    reply = await http.post("/v1/speech", json={"text": "Hello.", "stream_format": "sse"})
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "text", 'give either "text" or "ssml"'),
        ({"text": "a", "ssml": SSML}, "text", 'give either "text" or "ssml"'),
        ({"text": "", "ssml": SSML}, "text", 'give either "text" or "ssml"'),
        ({"text": "a", "timings": ["word"]}, "timings", 'add "stream_format": "sse", or use WS /v1/speech/stream'),
        ({"text": "a", "timings": ["words"], "stream_format": "sse"}, "timings.0", "'viseme' or 'mark'"),
        ({"text": "a", "stream_format": "ndjson"}, "stream_format", "'audio' or 'sse'"),
        ({"text": "a", "pronunciations": [{"phrase": "b"}]}, "pronunciations.0", 'either "ipa" or "respelling"'),
        ({"text": "a", "pronunciations": [{"phrase": "b", "ipa": "c", "respelling": "d"}]}, "pronunciations.0",
         'either "ipa" or "respelling"'),
        ({"text": "a", "pronunciations": [{"ipa": "c"}]}, "pronunciations.0.phrase", "field required"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_member_with_the_way_out(http, server, body, field, words):
    reply = await http.post("/v1/speech", json=body)
    assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID")
    [error] = reply.json()["errors"]
    assert error["field"] == field
    assert words in error["detail"]
    assert server.calls == []


async def test_halves_of_characters_are_refused_wherever_they_are(http, server):
    for member in ('"ssml": "\\ud800"', '"text": "a", "pronunciations": [{"phrase": "\\ud800", "ipa": "a"}]',
                   '"text": "a", "emotion_weights": {"\\ud800": 0.5}'):  # fmt: skip
        content = f"{{{member}}}".encode()
        reply = await http.post("/v1/speech", content=content, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_INVALID"), member
    assert server.calls == []


async def test_the_speech_servers_complaint_of_timings_has_the_bodys_name(http, server):
    from google.rpc import error_details_pb2

    violation = error_details_pb2.BadRequest.FieldViolation(field="timing_types", description="not with MP3")
    server.then_fail(
        grpc.StatusCode.INVALID_ARGUMENT, "no", error_details_pb2.BadRequest(field_violations=[violation])
    )
    body = {"text": "a", "encoding": "mp3", "timings": ["word"], "stream_format": "sse"}
    assert (await http.post("/v1/speech", json=body)).json()["detail"] == "timings: not with MP3"


async def test_openais_clients_have_no_ssml_so_that_theirs_is_text(http, server):
    body = {"model": "tts-1", "voice": "alloy", "input": SSML}
    assert (await http.post("/v1/audio/speech", json=body)).status_code == 200
    (request,) = server.requests("SynthesizeStream")
    assert (request.text, request.ssml) == (SSML, "")


async def test_openais_events_are_theirs(http, plain_audio):
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "stream_format": "sse", "response_format": "pcm"}
    *deltas, done = events_of(await http.post("/v1/audio/speech", json=body))
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain_audio
    assert done == {"type": "speech.audio.done", "usage": None}


async def test_openais_events_end_with_an_error_in_their_form(http, server):
    server.then_speak(b"\1\0", then=server.failure(grpc.StatusCode.INTERNAL, "the engine failed"))
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "stream_format": "sse"}
    last = events_of(await http.post("/v1/audio/speech", json=body))[-1]
    assert (last["type"], last["error"]["code"]) == ("error", "INTERNAL")


async def test_the_document_says_that_a_body_has_one_of_text_and_ssml(http):
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["SpeechBody"]["oneOf"] == [{"required": ["text"]}, {"required": ["ssml"]}]
    assert schemas["SpeechBody"]["properties"]["stream_format"]["enum"] == ["audio", "sse"]
    assert schemas["PronunciationBody"]["oneOf"] == [{"required": ["ipa"]}, {"required": ["respelling"]}]
