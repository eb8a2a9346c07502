"""HEAD on every path that answers GET, and the absolute form of a request's target."""

import pytest

from phonoscope.gateway.middleware.http_semantics import AbsoluteTargetMiddleware
from phonoscope.gateway.page_routes import PAGE


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/v1/models", "/v1/voices", "/openapi.json", *PAGE]
)
async def test_head_has_the_status_and_headers_of_get_and_no_body(http, path):
    got, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    ignored = {"content-length"} if path == "/metrics" else set()  # which grows with every request
    assert {name: head.headers[name] for name in head.headers if name not in ignored} == {
        name: got.headers[name] for name in got.headers if name not in ignored
    }


async def test_head_on_a_path_that_only_takes_a_post_is_refused(http):
    reply = await http.head("/v1/speech")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


async def test_a_refused_method_is_told_of_head_beside_get(http):
    assert (await http.delete("/v1/voices")).headers["allow"] == "GET, HEAD"


async def test_head_is_counted_as_head(http, logger):
    await http.head("/v1/voices")
    [line] = [call for call in logger.calls if call.args == ("http_request",)]
    assert (line.kwargs["method"], line.kwargs["route"], line.kwargs["sent_bytes"]) == ("HEAD", "/v1/voices", 0)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://gateway/v1/voices", "/v1/voices"),
        ("HTTPS://gateway:8080/a%20b", "/a b"),
        ("http://gateway", "/"),
        ("http://[/healthz", "/"),
        ("/http://gateway/", "/http://gateway/"),
    ],
)
async def test_the_path_of_an_absolute_target_is_served(target, path):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["path"])

    scope = {"type": "http", "path": target, "raw_path": target.encode()}
    await AbsoluteTargetMiddleware(app)(scope, None, None)
    assert seen == [path]
