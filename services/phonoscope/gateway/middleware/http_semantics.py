"""What HTTP asks of every server, and frameworks leave to the application. Built by app.py.

Source: RFC 9110, section 9.3.2 (HEAD), and RFC 9112, section 3.2.2 (absolute form).
"""

from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AbsoluteTargetMiddleware:
    """Serves `GET http://host/path`, the form that proxies receive, as `GET /path`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request (ASGI)."""
        if scope["type"] == "http" and scope["path"].lower().startswith(("http://", "https://")):
            raw_path = _path_of(scope["raw_path"])
            scope.update(raw_path=raw_path, path=unquote(raw_path.decode("ascii")))
        await self._app(scope, receive, send)


def _path_of(target: bytes) -> bytes:
    """Returns the path of a URL; "/" if that has none or is not valid."""
    try:
        return urlsplit(target).path or b"/"
    except ValueError:  # such as a bracket that is not closed
        return b"/"


class HeadMiddleware:
    """Answers HEAD as GET without a body, on every path that supports GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request (ASGI)."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
