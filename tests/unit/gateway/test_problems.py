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
