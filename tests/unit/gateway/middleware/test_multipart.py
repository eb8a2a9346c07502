"""A form as the JSON that it stands for."""

import base64
import json

import httpx
import pytest

from phonoscope.gateway.middleware.multipart import MAX_PARTS, json_of_multipart
from phonoscope.gateway.problems import ProblemError
from phonoscope.gateway.schemas import SpeechBody

AUDIO = bytes(range(256)) * 4 + b"\r\n--boundary\r\n\r\n--\r\n"


def form(**parts):
    """Encodes a form as a real HTTP client does."""
    request = httpx.Request("POST", "http://host/", **parts)
    return request.read(), request.headers["content-type"]


def parsed(**parts):
    return json.loads(json_of_multipart(*form(**parts), SpeechBody))


def rejected(body, content_type):
    with pytest.raises(ProblemError) as caught:
        json_of_multipart(body, content_type, SpeechBody)
    assert (int(caught.value.problem.status), caught.value.problem.reason) == (400, "BODY_INVALID")
    return caught.value.problem.detail


def test_a_file_becomes_the_audio_of_a_recording_byte_by_byte():
    members = parsed(files={"reference": ("me.wav", AUDIO)}, data={"text": "Hi", "reference.transcript": "Who I am."})
    assert base64.b64decode(members["reference"].pop("audio")) == AUDIO
    assert members == {"text": "Hi", "reference": {"transcript": "Who I am."}}


def test_a_recording_can_be_named_and_both_kinds_are_taken():
    members = parsed(files={"emotion_reference.audio": b"abc", "reference.name": (None, "ann")})
    assert members == {"emotion_reference": {"audio": "YWJj"}, "reference": {"name": "ann"}}


def test_members_that_are_no_texts_are_json():
    data = {"text": "7", "voice": "1", "speed": "1.5", "seed": "7", "encoding": "mp3", "timings": "word, mark"}
    members = parsed(files={"reference": b"a"}, data=data | {"emotion_weights": '{"happy": 0.5}'})
    del members["reference"]
    assert members == {
        "text": "7",
        "voice": "1",
        "speed": 1.5,
        "seed": 7,
        "encoding": "mp3",
        "timings": ["word", "mark"],
        "emotion_weights": {"happy": 0.5},
    }
    assert SpeechBody.model_validate(members | {"stream_format": "sse"}).options()["speed"] == 1.5


def test_what_is_no_form_is_rejected_with_what_to_do():
    body, content_type = form(files={"reference": b"a"})
    assert "has no boundary" in rejected(body, "multipart/form-data")
    assert "send all of it" in rejected(body[:-8], content_type)
    assert "send all of it" in rejected(b"", content_type)
    assert "has no name" in rejected(b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b")
    assert "not UTF-8" in rejected(*form(files={"text": b"\xff"}))
    many = {f"m{number}": (None, "x") for number in range(MAX_PARTS + 1)}
    assert f"more than {MAX_PARTS} parts" in rejected(*form(files=many))
