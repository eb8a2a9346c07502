"""The page: its static files in page/, read once and served with strict security headers. Built by app.py."""

import html
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/speech.js": ("speech.js", "text/javascript; charset=utf-8"),
    "/reading.js": ("reading.js", "text/javascript; charset=utf-8"),
    "/recording.js": ("recording.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_routes(trace_url: str) -> APIRouter:
    """Returns the routes; `trace_url` is the page's link to a trace."""
    router = APIRouter(include_in_schema=False)
    folder = files("phonoscope.gateway").joinpath("page")
    for path, (name, media_type) in PAGE.items():
        content = folder.joinpath(name).read_bytes()
        if path == "/":
            content = content.replace(b"{{trace_url}}", html.escape(trace_url).encode())
        router.add_api_route(path, _static_file(content, media_type))
    return router


def _static_file(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def static_file() -> Response:
        return Response(content, headers=PAGE_HEADERS, media_type=media_type)

    return static_file
