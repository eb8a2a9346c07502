"""Liveness, readiness and metrics."""

import gzip

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics


async def test_liveness_does_not_depend_on_the_speech_server(http, backend):
    backend.has_server = False
    assert (await http.get("/healthz")).text == "ok\n"


async def test_readiness_follows_the_speech_server_and_draining(http, backend, readiness):
    assert (await http.get("/readyz")).text == "ready\n"
    backend.has_server = False
    reply = await http.get("/readyz")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert reply.text == "the speech server is not ready\n"
    backend.has_server, readiness.is_draining = True, True
    reply = await http.get("/readyz")
    assert (reply.status_code, reply.text) == (503, "the gateway is shutting down\n")


async def test_metrics_have_the_format_that_the_scraper_accepts(http):
    await http.get("/healthz")
    reply = await http.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert 'http_route="/healthz"' in reply.text
    assert "content-encoding" not in reply.headers
    async with http.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as reply:
        assert b"http_server" in gzip.decompress(b"".join([part async for part in reply.aiter_raw()]))


async def test_a_strict_parser_of_openmetrics_reads_the_whole_page(http):
    await http.post("/v1/speech", json={"text": "Hello."})
    reply = await http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    families = {family.name for family in parse_openmetrics(reply.text)}
    assert families >= {"http_server_request_duration_seconds", "gateway_time_to_first_audio_seconds"}
