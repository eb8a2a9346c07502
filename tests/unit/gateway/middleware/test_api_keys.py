"""API keys: who is let through."""

import pytest

from phonoscope.gateway.middleware.api_keys import ApiKeyMiddleware


@pytest.fixture
def http(inner, client_of):
    return client_of(ApiKeyMiddleware(inner, ["one", "two"]))


@pytest.mark.parametrize("authorization", ["Bearer one", "bearer two", "Bearer  two "])
async def test_a_valid_key_is_passed(http, inner, authorization):
    reply = await http.post("/v1/speech", content=b"{}", headers={"Authorization": authorization})
    assert (reply.status_code, inner.bodies) == (200, [b"{}"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer three"}, {"Authorization": "Basic one"}])
async def test_without_a_valid_key_a_request_is_rejected(http, inner, headers):
    reply = await http.post("/v1/speech", content=b"{}", headers=headers)
    assert (reply.status_code, reply.json()["reason"]) == (401, "KEY_MISSING")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert inner.bodies == []


@pytest.mark.parametrize(("protocols", "is_valid"), [("a, key.two", True), ("key.", False), ("one", False)])
async def test_a_key_can_be_a_websockets_subprotocol(http, inner, protocols, is_valid):
    reply = await http.get("/v1/speech/stream", headers={"Sec-WebSocket-Protocol": protocols})
    assert (reply.status_code == 200) is is_valid


@pytest.mark.parametrize("path", ["/", "/readyz", "/metrics", "/openapi.json"])
async def test_page_and_probes_need_no_key(http, path):
    assert (await http.get(path)).status_code == 200


async def test_a_websocket_without_a_key_is_closed_where_the_server_cannot_send_a_response(inner):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/speech/stream", "headers": [], "state": {}}
    await ApiKeyMiddleware(inner, ["one"])(scope, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "KEY_MISSING"}]
