"""The body of OpenAI's API, as its contract has it and as its clients send it."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from phonoscope.gateway.openai_body import LenientOpenAiBody, OpenAiBody

REQUIRED = {"model": "tts-1", "input": "Hi.", "voice": "alloy"}
OPTIONAL = ("response_format", "speed", "stream_format", "instructions")
BOTH = pytest.mark.parametrize("kind", [OpenAiBody, LenientOpenAiBody])


def refused(kind: type[OpenAiBody], **members: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(REQUIRED | members)
    return [error["loc"] for error in caught.value.errors()]


@BOTH
def test_null_is_the_default_of_every_optional_member(kind: type[OpenAiBody]) -> None:
    body = kind.model_validate(REQUIRED | dict.fromkeys(OPTIONAL))
    assert (body.response_format, body.speed, body.stream_format, body.instructions) == ("mp3", 1.0, "audio", None)
    for member in REQUIRED:
        assert refused(kind, **{member: None}) == [(member,)]


@BOTH
def test_a_voice_is_a_name_or_an_object_with_its_id(kind: type[OpenAiBody]) -> None:
    assert kind.model_validate(REQUIRED | {"voice": {"id": "joe"}}).voice == "joe"
    for voice in (5, {}, {"id": 5}, ["alloy"]):
        assert refused(kind, voice=voice) == [("voice",)]


@BOTH
def test_lone_surrogates_are_rejected(kind: type[OpenAiBody]) -> None:
    for member in ("input", "voice", "instructions"):
        assert refused(kind, **{member: "a\ud800"}) == [(member,)]


@pytest.mark.parametrize("speed", [1, 1.0, "1.0", " 1 "])
def test_a_speed_may_be_a_text(speed: Any) -> None:
    assert LenientOpenAiBody.model_validate(REQUIRED | {"speed": speed}).speed == 1.0


@pytest.mark.parametrize("speed", ["fast", "", "nan", "inf", True, [], {}, math.nan])
def test_other_speeds_are_rejected(speed: Any) -> None:
    assert refused(LenientOpenAiBody, speed=speed) == [("speed",)]


@pytest.mark.parametrize(
    ("members", "languages"),
    [
        ({}, {}),
        ({"lang_code": None, "language": ""}, {}),
        ({"lang_code": "a"}, {"lang_code": "en-US"}),
        ({"lang_code": "B"}, {"lang_code": "en-GB"}),
        ({"lang_code": "en-us"}, {"lang_code": "en-us"}),
        ({"language": "de"}, {"language": "de"}),
    ],
)
def test_a_language_is_a_tag_or_kokoros_code(members: dict[str, Any], languages: dict[str, str]) -> None:
    assert LenientOpenAiBody.model_validate(REQUIRED | members).languages() == languages


def test_unknown_members_are_kept_by_name_unless_they_are_null() -> None:
    body = LenientOpenAiBody.model_validate(REQUIRED | {"user": "me", "backend": {}, "stream": True, "seed": None})
    assert body.unknown_members() == ["user", "backend"]


@pytest.mark.parametrize("member", ["user", "stream", "lang_code", "language"])
def test_the_strict_body_has_openais_members_only(member: str) -> None:
    assert refused(OpenAiBody, **{member: "a"}) == [(member,)]
    assert refused(OpenAiBody, speed="1.0") == [("speed",)]
