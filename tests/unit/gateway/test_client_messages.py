"""The messages of a client over the WebSocket."""

import pytest
from pydantic import ValidationError

from phonoscope.gateway.backend.base import TimingType
from phonoscope.gateway.client_messages import (
    CLIENT_MESSAGE,
    MESSAGE_SCHEMAS,
    ControlMessage,
    StartMessage,
    TextJoiner,
    TextMessage,
)
from phonoscope.gateway.schemas import RequestModel


@pytest.mark.parametrize(
    ("json", "message"),
    [
        ('{"type": "start", "speed": 2}', StartMessage(type="start", speed=2.0)),
        ('{"type": "text", "text": "Hi."}', TextMessage(type="text", text="Hi.")),
        ('{"type": "flush"}', ControlMessage(type="flush")),
        ('{"type": "end"}', ControlMessage(type="end")),
        ('{"type": "cancel"}', ControlMessage(type="cancel")),
    ],
)
def test_a_message_is_parsed_by_its_type(json: str, message: RequestModel) -> None:
    assert CLIENT_MESSAGE.validate_json(json) == message


@pytest.mark.parametrize(
    "json", ["{}", '{"type": "begin"}', '{"type": "start", "text": "Hi."}', '{"type": "text"}', "[]"]
)
def test_other_messages_are_rejected(json: str) -> None:
    with pytest.raises(ValidationError):
        CLIENT_MESSAGE.validate_json(json)


def test_timings_of_incremental_text_need_no_stream_format() -> None:
    start = StartMessage.model_validate({"type": "start", "timings": ["word"]})
    assert dict(start.options())["timing_types"] == [TimingType.WORD]


@pytest.mark.parametrize("kind", MESSAGE_SCHEMAS)
def test_every_kind_of_message_rejects_unknown_members(kind: str) -> None:
    text = {"text": "Hi."} if kind == "text" else {}
    message = MESSAGE_SCHEMAS[kind].model_validate({"type": kind, **text})
    assert CLIENT_MESSAGE.validate_python({"type": kind, **text}) == message
    with pytest.raises(ValidationError, match="colour"):
        CLIENT_MESSAGE.validate_python({"type": kind, **text, "colour": "red"})


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (["Great \ud83d", "\ude00 job."], ["Great ", "\N{GRINNING FACE} job.", ""]),
        (["\ud83d", "", "\ude00"], ["", "", "\N{GRINNING FACE}", ""]),
        (["a\ud83d", "b"], ["a", "\ufffdb", ""]),
        (["\ud83d", "\ud83d\ude00"], ["", "\ufffd\N{GRINNING FACE}", ""]),
        (["\ude00a"], ["\ufffda", ""]),
        (["a\ud83d"], ["a", "\ufffd"]),
        (["naïve \N{GRINNING FACE}", "日本"], ["naïve \N{GRINNING FACE}", "日本", ""]),
    ],
)
def test_halves_of_a_character_are_joined_and_a_lone_one_is_replaced(parts: list[str], joined: list[str]) -> None:
    joiner = TextJoiner()
    assert [*(joiner.add(part) for part in parts), joiner.end()] == joined
