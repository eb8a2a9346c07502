"""The page's files and their headers."""

import httpx
import pytest
from fastapi import FastAPI

from phonoscope.gateway.page_routes import PAGE, page_routes


@pytest.fixture
async def page():
    app = FastAPI()
    app.include_router(page_routes('http://grafana/?a=1&b="{trace_id}"'))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield http


@pytest.mark.parametrize("path", PAGE)
async def test_every_file_is_served_with_its_type_and_a_strict_policy(page, path):
    reply = await page.get(path)
    assert reply.headers["content-type"] == PAGE[path][1]
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_the_url_of_a_trace_is_escaped(page):
    assert 'data-trace-url="http://grafana/?a=1&amp;b=&quot;{trace_id}&quot;"' in (await page.get("/")).text
