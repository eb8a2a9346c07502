"""The speech server, as the routes see it: one client, deadlines from the request. Built by `__main__`."""

import math
from collections.abc import AsyncGenerator
from typing import Unpack

from starlette.datastructures import Headers

from phonoscope.client import AsyncClient, AudioChunk, PhonoscopeClientError, SpeechOptions
from phonoscope.gateway.problems import ProblemError, field_error

TIMEOUT_HEADER = "X-Timeout-Seconds"
PROBE_SECONDS = 1.0


class Backend:
    """Calls the speech server with no more time than the caller has.

    Attributes:
        client: all calls go over its one channel.
        is_draining: makes /readyz say so.
    """

    def __init__(self, client: AsyncClient, max_timeout_seconds: float) -> None:
        self.client = client
        self.is_draining = False
        self._max_timeout_seconds = max_timeout_seconds

    def timeout(self, headers: Headers) -> float:
        """Returns the seconds that a request has, by its header X-Timeout-Seconds and the gateway's own bound.

        Raises:
            RequestRefused: the header is no positive number.
        """
        stated = headers.get(TIMEOUT_HEADER)
        if stated is None:
            return self._max_timeout_seconds
        try:
            seconds = float(stated)
        except ValueError:
            seconds = math.nan
        if not (seconds > 0 and math.isfinite(seconds)):
            raise _bad_timeout(stated)
        return min(seconds, self._max_timeout_seconds)

    def stream(
        self, text: str, timeout_seconds: float, **options: Unpack[SpeechOptions]
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields audio while the rest is being made; the caller closes it."""
        return self.client.stream(text, timeout_seconds=timeout_seconds, **options)

    async def is_ready(self) -> bool:
        """Whether the speech server is SERVING, and this gateway not about to leave."""
        try:
            return not self.is_draining and await self.client.health(timeout_seconds=PROBE_SECONDS) == "SERVING"
        except PhonoscopeClientError:
            return False


def _bad_timeout(stated: str) -> ProblemError:
    return field_error(
        TIMEOUT_HEADER,
        f"{stated[:32]!r} is no number of seconds above 0; send one such as 10",
        reason="TIMEOUT_INVALID",
    )
