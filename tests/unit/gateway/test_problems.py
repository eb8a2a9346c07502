"""The one table of errors: codes as HTTP statuses, in both formats."""

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args

import pytest

from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import BackendError, Code
from phonoscope.gateway.openapi import STATUSES
from phonoscope.gateway.problems import REASONS, Problem, problem_from_error, problem_response

ROOT = Path(__file__).parents[3]


def failure(code: Code, **more: Any) -> BackendError:
    return BackendError("it went wrong at 10.0.0.1", code=code, **more)


@pytest.mark.parametrize("code", get_args(Code))
def test_every_code_has_a_status_that_the_document_declares(code):
    problem = problem_from_error(failure(code))
    assert int(problem.status) in STATUSES
    assert problem.status >= HTTPStatus.BAD_REQUEST
    assert problem.reason == code
    assert (problem.retry_after_seconds is not None) == (problem.status in {429, 503})


def test_messages_of_the_transport_are_not_passed_on():
    for code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN"):
        assert "10.0.0.1" not in problem_from_error(failure(code)).detail
    assert "10.0.0.1" in problem_from_error(failure("UNAVAILABLE", reason="DRAINING")).detail


def test_fields_have_the_names_of_the_body():
    violations = (
        FieldViolation("voice", "is nobody"),
        FieldViolation("text", "is empty"),
        FieldViolation("pronunciations[12].ipa", "is none"),
    )
    problem = problem_from_error(failure("INVALID_ARGUMENT", reason="SEVERAL_FIELDS", violations=violations))
    assert [error.field for error in problem.errors] == ["voice", "text", "pronunciations.12.ipa"]
    assert problem.detail == "voice: is nobody; text: is empty; pronunciations.12.ipa: is none"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/speech", ["text", "voice", "speed", "timings", "sample_rate_hz", "language"]),
        ("/v1/audio/speech", ["input", "voice", "speed", "timing_types", "response_format", "lang_code"]),
        ("/api/tts", ["text", "speaker_id", "speed", "timing_types", "sample_rate_hz", "language"]),
    ],
)
def test_fields_have_the_names_of_the_api(path, fields):
    options = ("text", "voice", "speed", "timing_types", "sample_rate_hz", "language")
    violations = [FieldViolation(name, "is wrong") for name in options]
    problem = problem_from_error(failure("INVALID_ARGUMENT", reason="SEVERAL_FIELDS", violations=violations), path)
    assert [error.field for error in problem.errors] == fields
    assert problem.detail == "; ".join(f"{field}: is wrong" for field in fields)


@pytest.mark.parametrize(
    ("path", "empty", "mismatch"),
    [
        ("/v1/speech", "send at least one word, or ssml", "leave language or voice empty"),
        ("/v1/audio/speech", "send at least one word", "leave lang_code or voice empty"),
        ("/api/tts", "send at least one word", "leave language or speaker_id empty"),
    ],
)
def test_advice_has_the_names_of_the_api(path, empty, mismatch):
    texts = ("send at least one word, or ssml", "leave language or speaker_id empty")
    violations = [FieldViolation("text", text) for text in texts]
    problem = problem_from_error(failure("INVALID_ARGUMENT", reason="SEVERAL_FIELDS", violations=violations), path)
    assert [error.description for error in problem.errors] == [empty, mismatch]
    failed = BackendError("leave timing_types empty", code="UNIMPLEMENTED", reason="TIMINGS_NOT_SERVED")
    assert problem_from_error(failed).detail == "leave timings empty"


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (1.2, "2")])
def test_retry_after_is_whole_seconds_in_the_header_and_exact_in_the_body(seconds, header):
    problem = problem_from_error(failure("RESOURCE_EXHAUSTED", reason="QUEUE_FULL", retry_after_seconds=seconds))
    reply = problem_response(problem, "/v1/speech")
    assert reply.headers["retry-after"] == header
    assert json.loads(reply.body)["retry_after"] == seconds


def test_openais_routes_have_openais_format():
    problem = Problem(HTTPStatus.BAD_REQUEST, "TEXT_EMPTY", "text: is empty", (FieldViolation("text", "is empty"),))
    reply = problem_response(problem, "/v1/audio/speech")
    assert reply.media_type == "application/json"
    error = {"message": "text: is empty", "type": "invalid_request_error", "param": "text", "code": "TEXT_EMPTY"}
    assert json.loads(reply.body) == {"error": error}
    assert problem_response(problem, "/v1/speech").media_type == "application/problem+json"


def test_the_reasons_are_those_of_the_code_and_of_the_docs():
    code = "".join(file.read_text() for file in (ROOT / "services/phonoscope/gateway").rglob("*.py"))
    listed = re.search(r"^REASONS.*?^\)", code, re.MULTILINE | re.DOTALL)
    assert listed
    used = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', code.replace(listed[0], "")))
    assert {name for name in used - set(get_args(Code)) if not name.startswith("OTEL_")} == set(REASONS)
    table = (ROOT / "docs/gateway.md").read_text().split("| reason | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", table)) == set(REASONS)
