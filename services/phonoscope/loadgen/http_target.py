"""Servers that speak over HTTP, so that peers are measured by the same tool; openai_api.py and piper_api.py are kinds.

Built by `phonoscope bench --target`; generator.py asks for the status and makes calls. Connections are kept where the
server keeps them, one for each call at once; proxies of the environment are not used.
"""

import asyncio
from collections.abc import AsyncGenerator
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Protocol, Self

import httpx

from phonoscope.loadgen.barge_in import listen
from phonoscope.loadgen.plan import CallResult, PlannedCall
from phonoscope.loadgen.player import Player
from phonoscope.loadgen.target import HEALTH_TIMEOUT_SECONDS, NO_AUDIO, SERVING
from phonoscope.loadgen.wav_stream import BadAudio

REFUSALS: Final = frozenset({400, 404, 413, 422})
"""Statuses that say that the request itself is wrong."""
AWAY: Final = frozenset({502, 503, 504})
"""What a proxy answers for a server that is not there, and a server that is not ready."""


class AudioStream(Protocol):
    """Tells how much audio a body holds."""

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of what came; raises BadAudio."""

    def end(self) -> None:
        """Takes the end of the body; raises BadAudio where it came too soon."""


class HttpApi(Protocol):
    """A kind of speech server: what to send it, and how to read what it sends."""

    @property
    def status_path(self) -> str:
        """What to GET, to see whether the server is there."""

    def request(self, client: httpx.AsyncClient, call: PlannedCall) -> httpx.Request:
        """Returns the request of one call."""

    def audio_of(self, response: httpx.Response) -> AudioStream:
        """Returns what reads the body of a reply of status 200."""


class RefusedReply(Exception):
    """The server answered with a status other than 2xx."""

    def __init__(self, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class HttpSpeechServer:
    """A server at `address`, such as "http://localhost:5000", that speaks `api`; each call ends by its deadline."""

    def __init__(self, address: str, api: HttpApi, *, calls_at_once: int, deadline_seconds: float) -> None:
        self.address = address
        self._api = api
        self._deadline_seconds = deadline_seconds
        self._client = httpx.AsyncClient(
            base_url=address,
            timeout=None,  # noqa: S113 - one deadline holds for the whole call
            limits=httpx.Limits(max_connections=calls_at_once + 1, max_keepalive_connections=calls_at_once),
            trust_env=False,
        )

    async def status(self) -> str:
        """Returns SERVING when anything but 502, 503 or 504 is answered: few servers say how they are."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
                response = await self._client.get(self._api.status_path)
        except (httpx.TransportError, TimeoutError) as error:
            return error_name(error)
        return f"HTTP {response.status_code}" if response.status_code in AWAY else SERVING

    async def make(self, call: PlannedCall, due: float) -> CallResult:
        """Makes one call to its end, and returns what it was, measured from the loop's time `due`."""
        now = asyncio.get_running_loop().time
        player = Player()
        failure: Exception | None = None
        is_cancelled = False
        try:
            async with asyncio.timeout(self._deadline_seconds):
                is_cancelled = await listen(self._audio(call), call, player)
        except (httpx.TransportError, httpx.DecodingError, TimeoutError, RefusedReply, BadAudio) as ended:
            failure = ended
        is_heard = is_cancelled or player.audio_seconds > 0
        error = error_name(failure) if failure else "" if is_heard else NO_AUDIO
        return CallResult(
            call=call,
            seconds=now() - due,
            error=error,
            is_refused=isinstance(failure, RefusedReply) and failure.status in REFUSALS,
            first_audio_seconds=None if player.first_audio_at is None else player.first_audio_at - due,
            audio_seconds=player.audio_seconds,
            gaps_seconds=tuple(player.gaps_seconds),
            underruns=player.underruns,
            retry_after_seconds=failure.retry_after_seconds if isinstance(failure, RefusedReply) else None,
            is_away=isinstance(failure, httpx.TransportError),
            is_cancelled=is_cancelled,
        )

    async def _audio(self, call: PlannedCall) -> AsyncGenerator[float, None]:
        """Yields the seconds of a stream as they come, and those of a unary reply when all of it is there.

        Closing it closes the response, and the connection where the body has not ended.
        """
        response = await self._client.send(self._api.request(self._client, call), stream=True)
        try:
            if not response.is_success:
                raise RefusedReply(response.status_code, retry_after_seconds(response))
            audio, whole_seconds = self._api.audio_of(response), 0.0
            async for piece in response.aiter_bytes():
                if not (seconds := audio.seconds_of(piece)):
                    continue
                whole_seconds += seconds
                if call.is_stream:
                    yield seconds
            audio.end()
            if not call.is_stream and whole_seconds:
                yield whole_seconds
        finally:
            await response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()


def error_name(failure: Exception) -> str:
    """Returns what to count a failure under; the words of gRPC where they mean the same."""
    match failure:
        case RefusedReply():
            return f"HTTP {failure.status}"
        case BadAudio():
            return failure.reason
        case TimeoutError() | httpx.TimeoutException():
            return "DEADLINE_EXCEEDED"
        case httpx.ConnectError():
            return "UNAVAILABLE"
        case httpx.DecodingError():
            return "BODY_UNREADABLE"
        case _:
            return "CONNECTION_BROKEN"


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Returns when the server asks to come back (Retry-After of RFC 9110: seconds, or a date); None without it."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        back, sent = (parsedate_to_datetime(date) for date in (asked, response.headers.get("date", "")))
        return max(0.0, (back - sent).total_seconds())
    except (ValueError, TypeError):
        return None
