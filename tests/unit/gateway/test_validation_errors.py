"""Validation errors that name the fix."""

import pytest
from pydantic import ValidationError

from phonoscope.gateway.client_messages import CLIENT_MESSAGE, MESSAGE_SCHEMAS
from phonoscope.gateway.schemas import SpeechBody
from phonoscope.gateway.validation_errors import MAX_ERRORS, problem_from_validation


def told(json: str) -> str:
    with pytest.raises(ValidationError) as refused:
        SpeechBody.model_validate_json(json)
    return problem_from_validation(refused.value.errors(), SpeechBody).detail


def test_values_are_shown_except_texts_and_long_ones():
    assert told('{"text": "a", "speed": "fast"}').endswith("got 'fast'")
    assert "secret" not in told('{"text": ["secret"]}')
    assert len(told('{"text": "a", "speed": "%s"}' % ("x" * 500))) < 200


def test_the_number_of_errors_is_limited():
    json = '{"text": "a", ' + ", ".join(f'"x{number}": 1' for number in range(100)) + "}"
    assert told(json).count("is unknown") == MAX_ERRORS


def test_members_of_a_message_are_those_of_its_kind():
    with pytest.raises(ValidationError) as refused:
        CLIENT_MESSAGE.validate_json('{"type": "text", "text": "a", "voice": "b"}')
    detail = problem_from_validation(refused.value.errors(), MESSAGE_SCHEMAS).detail
    assert detail == "voice: is unknown; valid members: type, text"
