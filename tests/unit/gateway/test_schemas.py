"""The JSON bodies of requests: the options of every member, and values that protobuf cannot carry."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from phonoscope.gateway.backend.base import (
    Encoding,
    Pronunciation,
    TextFormat,
    TimingType,
    UnpronounceableText,
    option_specs,
)
from phonoscope.gateway.schemas import (
    LegacyBody,
    PronunciationBody,
    RequestModel,
    SpeechBody,
    SpeechSettings,
)

NEUTRAL = {
    "voice": "",
    "speed": 1.0,
    "pitch": 1.0,
    "emotion": "",
    "emotion_weights": {},
    "emotion_intensity": None,
    "language": "",
    "encoding": Encoding.LINEAR16,
    "sample_rate_hz": 0,
    "volume_gain_db": 0.0,
    "seed": None,
    "request_id": "",
    "pronunciations": [],
    "timing_types": [],
    "text_format": TextFormat.PLAIN,
    "unpronounceable_text": UnpronounceableText.ERROR,
    "reference": None,
    "emotion_reference": None,
}


def options(**members: Any) -> dict[str, Any]:
    return dict(SpeechBody.model_validate({"text": "Hi.", **members}).options())


def refused(kind: type[RequestModel], **members: Any) -> list[tuple[Any, ...]]:
    """Returns where it is wrong."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(members)
    return [error["loc"] for error in caught.value.errors()]


def test_every_member_is_optional() -> None:
    assert options() == {**NEUTRAL, "ssml": ""}
    assert dict(SpeechSettings().options()) == NEUTRAL


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("voice", "joe:1"),
        ("speed", 2.5),
        ("pitch", 0.5),
        ("emotion", "sad"),
        ("emotion_weights", {"sad": 0.5, "calm": 0.25}),
        ("emotion_intensity", 0.0),
        ("language", "en-US"),
        ("sample_rate_hz", 8_000),
        ("volume_gain_db", -3.5),
        ("seed", 0),
        ("request_id", "mine"),
    ],
)
def test_each_member_is_passed_on_as_it_is_and_changes_no_other(member: str, value: Any) -> None:
    assert options(**{member: value}) == {**NEUTRAL, "ssml": "", member: value}


@pytest.mark.parametrize("encoding", Encoding)
def test_encodings_are_named_by_their_values(encoding: Encoding) -> None:
    assert options(encoding=encoding.value)["encoding"] is encoding
    assert refused(SpeechBody, text="Hi.", encoding=encoding.name) == [("encoding",)]


@pytest.mark.parametrize("kind", TimingType)
def test_timings_are_named_by_their_values(kind: TimingType) -> None:
    assert options(timings=[kind.value], stream_format="sse")["timing_types"] == [kind]


def test_a_document_is_passed_on_in_place_of_a_text() -> None:
    assert dict(SpeechBody(ssml="<speak/>").options()) == {**NEUTRAL, "ssml": "<speak/>"}


def test_pronunciations_become_records() -> None:
    given = [{"phrase": "tomato", "ipa": "təˈmɑːtoʊ"}, {"phrase": "SQL", "respelling": "sequel"}]
    assert options(pronunciations=given)["pronunciations"] == [
        Pronunciation("tomato", "təˈmɑːtoʊ"),
        Pronunciation("SQL", respelling="sequel"),
    ]


@pytest.mark.parametrize(("member", "most"), [("seed", 2**64 - 1), ("sample_rate_hz", 2**31 - 1)])
def test_integers_have_the_range_of_protobuf(member: str, most: int) -> None:
    assert [options(**{member: value})[member] for value in (0, 1, most)] == [0, 1, most]
    for value in (-1, most + 1, 1.5, True, "1"):
        assert refused(SpeechBody, text="Hi.", **{member: value}) == [(member,)]


@pytest.mark.parametrize("member", ["speed", "pitch", "volume_gain_db", "emotion_intensity"])
def test_ratios_are_finite_and_the_server_checks_their_range(member: str) -> None:
    assert [options(**{member: value})[member] for value in (-1e300, 0.0, 7, 1e300)] == [-1e300, 0.0, 7.0, 1e300]
    for value in (math.nan, math.inf, -math.inf, "1", True):
        assert refused(SpeechBody, text="Hi.", **{member: value}) == [(member,)]


def test_weights_are_finite_too() -> None:
    assert refused(SpeechBody, text="Hi.", emotion_weights={"sad": math.nan}) == [("emotion_weights", "sad")]


@pytest.mark.parametrize("half", ["\ud800", "a\udfff", "\ud83d\u00e9"])
def test_lone_surrogates_are_rejected_and_their_neighbours_are_not(half: str) -> None:
    for member in ("text", "voice", "emotion", "language", "request_id"):
        assert refused(SpeechBody, **{"text": "Hi.", member: half}) == [(member,)]
    assert refused(SpeechBody, text="Hi.", emotion_weights={half: 0.5}) == [("emotion_weights",)]
    assert SpeechBody(text="\ud7ff\ue000😀").text == "\ud7ff\ue000😀"


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (SpeechBody, {"text": "Hi."}),
        (PronunciationBody, {"phrase": "a", "ipa": "b"}),
        (LegacyBody, {"text": "Hi."}),
    ],
)
def test_unknown_members_and_missing_ones_are_rejected(kind: type[RequestModel], members: dict[str, Any]) -> None:
    kind.model_validate(members)
    assert refused(kind, **members, colour="red") == [("colour",)]
    _, *others = members
    assert len(refused(kind, **{name: members[name] for name in others})) == 1


@pytest.mark.parametrize("spoken", [{"ipa": ""}, {"respelling": ""}])
def test_an_empty_pronunciation_is_passed_to_the_server(spoken: dict[str, str]) -> None:
    assert PronunciationBody.model_validate({"phrase": "a", **spoken}).record() == Pronunciation("a")


def test_the_older_contract_requires_the_text_only() -> None:
    body = LegacyBody(text="Hi.", speaker_id=None, speed=0)
    assert (body.speaker_id, body.emotion, body.speed, body.pitch) == (None, None, 0.0, None)
    assert refused(LegacyBody, text="Hi.", pitch=math.inf) == [("pitch",)]


def test_the_members_are_those_of_the_list_that_client_and_command_line_share() -> None:
    names = {"timings" if name == "timing_types" else name for name in option_specs()}
    assert set(SpeechBody.model_fields) == names | {"text", "stream_format"}
    described = SpeechBody.model_json_schema()["properties"]
    assert {name: described[name]["description"] for name in ("speed", "seed")} == {
        name: option_specs()[name].doc for name in ("speed", "seed")
    }
