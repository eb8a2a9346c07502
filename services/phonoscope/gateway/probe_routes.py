"""GET /healthz, /readyz and /metrics: liveness, readiness and Prometheus. Built by app.py."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from phonoscope.common.exposition import Exposition
from phonoscope.gateway.readiness import Readiness


class ProbeRoutes:
    """The routes for orchestrators and for Prometheus; they are not part of the OpenAPI document."""

    def __init__(self, readiness: Readiness, exposition: Exposition) -> None:
        self._readiness = readiness
        self._exposition = exposition

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/healthz", self.healthz)
        router.add_api_route("/readyz", self.readyz)
        router.add_api_route("/metrics", self.metrics)
        return router

    async def healthz(self) -> Response:
        """Reports that the process responds."""
        return PlainTextResponse("ok\n")

    async def readyz(self) -> Response:
        """Reports whether requests can be served."""
        if await self._readiness.is_ready():
            return PlainTextResponse("ready\n")
        cause = "the gateway is shutting down\n" if self._readiness.is_draining else "the speech server is not ready\n"
        return PlainTextResponse(cause, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"})

    async def metrics(self, request: Request) -> Response:
        """Returns the metrics in the format that the scraper accepts."""
        accept, encoding = (request.headers.get(name, "") for name in ("accept", "accept-encoding"))
        page = await asyncio.to_thread(self._exposition.page, accept, encoding)
        headers = {"Content-Type": page.content_type} | ({"Content-Encoding": "gzip"} if page.is_gzip else {})
        return Response(page.body, headers=headers)
