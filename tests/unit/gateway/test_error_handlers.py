"""Exceptions of routes as responses."""

import pytest

from phonoscope.gateway.backend.base import BackendError


async def test_an_unknown_path_is_a_problem(http):
    reply = await http.get("/nothing")
    assert (reply.status_code, reply.json()["reason"]) == (404, "PATH_UNKNOWN")
    assert reply.json()["detail"] == "path '/nothing' does not exist; /openapi.json lists all paths"


async def test_another_method_is_a_problem_with_the_allowed_ones(http):
    reply = await http.delete("/v1/speech")
    assert (reply.status_code, reply.headers["allow"], reply.json()["reason"]) == (405, "POST", "METHOD_UNKNOWN")


async def test_an_invalid_body_is_a_problem_that_names_the_member(http):
    body = {"model": "tts-1", "input": "a", "voice": "alloy", "response_format": "mp4"}
    reply = await http.post("/v1/audio/speech", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["param"]) == (400, "BODY_INVALID", "response_format")


@pytest.mark.parametrize(
    ("path", "example"), [("/v1/speech", '{"text": "Hello."}'), ("/v1/audio/speech", '"input": "Hello."')]
)
async def test_a_body_that_is_no_object_is_told_one_of_that_path(http, path, example):
    for content in (b"{", b"[]"):
        reply = await http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert (reply.status_code, example in str(reply.json().get("detail") or reply.json()["error"])) == (400, True)


async def test_an_error_of_the_backend_has_its_status_and_its_reason_is_logged(http, backend, logger):
    backend.error = BackendError("the queue is full", code="RESOURCE_EXHAUSTED", reason="QUEUE_FULL")
    reply = await http.get("/v1/voices")
    assert (reply.status_code, reply.json()["reason"], reply.headers["retry-after"]) == (429, "QUEUE_FULL", "1")
    [line] = [call for call in logger.calls if call.args == ("http_request",)]
    assert (line.kwargs["status"], line.kwargs["reason"]) == (429, "QUEUE_FULL")


async def test_a_defect_is_logged_and_a_problem_without_its_details(http, backend, logger, monkeypatch):
    async def fail(timeout_seconds, **query):
        raise RuntimeError("secret")

    monkeypatch.setattr(backend, "list_voices", fail)
    with pytest.raises(RuntimeError):  # after the response, for uvicorn
        await http.get("/v1/voices")
    [line] = [call for call in logger.calls if call.args == ("gateway_failed",)]
    assert line.kwargs["route"] == "/v1/voices"
