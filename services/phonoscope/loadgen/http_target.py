"""Speech servers with an HTTP API as targets; openai_api.py and piper_api.py implement the APIs.

Built by cli/load_target.py; generator.py checks the status and makes calls. Connections are kept alive if the server
allows it, up to one per call in flight; proxies of the environment are not used.
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

REFUSAL_STATUSES: Final = frozenset({400, 404, 413, 422})
"""Statuses for an invalid request."""
AWAY_STATUSES: Final = frozenset({502, 503, 504})
"""Statuses of a proxy without a server behind it, and of a server that is not ready."""


class AudioStream(Protocol):
    """Measures the audio in a response body."""

    def seconds_of(self, piece: bytes) -> float:
        """Returns the duration of the audio in a piece of the body; raises BadAudio."""

    def end(self) -> None:
        """Handles the end of the body; raises BadAudio when it is incomplete."""


class HttpApi(Protocol):
    """API of a speech server: how to build a request and how to read the response."""

    @property
    def status_path(self) -> str:
        """Path to GET in order to check that the server is there."""

    def request(self, client: httpx.AsyncClient, call: PlannedCall) -> httpx.Request:
        """Returns the request of one call."""

    def audio_of(self, response: httpx.Response) -> AudioStream:
        """Returns the reader for the body of a successful response."""


class RefusedReply(Exception):
    """The server answered with a status other than 2xx."""

    def __init__(self, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class HttpSpeechServer:
    """A server at a URL such as "http://localhost:5000" with the API `api`; each call has a deadline."""

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
        """Returns SERVING for every status but 502, 503 and 504, since few servers report their health."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
                response = await self._client.get(self._api.status_path)
        except (httpx.TransportError, TimeoutError) as error:
            return error_name(error)
        return f"HTTP {response.status_code}" if response.status_code in AWAY_STATUSES else SERVING

    async def make(self, call: PlannedCall, due: float) -> CallResult:
        """Makes one call and returns its result; times count from the loop's time `due`."""
        now = asyncio.get_running_loop().time
        player = Player()
        failure: Exception | None = None
        is_cancelled = False
        try:
            async with asyncio.timeout(self._deadline_seconds):
                is_cancelled = await listen(self._audio(call), call, player)
        except (httpx.TransportError, httpx.DecodingError, TimeoutError, RefusedReply, BadAudio) as ended:
            failure = ended
        has_audio = is_cancelled or player.audio_seconds > 0
        error = error_name(failure) if failure else "" if has_audio else NO_AUDIO
        return CallResult(
            call=call,
            seconds=now() - due,
            error=error,
            is_refused=isinstance(failure, RefusedReply) and failure.status in REFUSAL_STATUSES,
            first_audio_seconds=None if player.first_audio_at is None else player.first_audio_at - due,
            audio_seconds=player.audio_seconds,
            gaps_seconds=tuple(player.gaps_seconds),
            underruns=player.underruns,
            retry_after_seconds=failure.retry_after_seconds if isinstance(failure, RefusedReply) else None,
            is_away=isinstance(failure, httpx.TransportError),
            is_cancelled=is_cancelled,
        )

    async def _audio(self, call: PlannedCall) -> AsyncGenerator[float, None]:
        """Yields the seconds of audio: of a stream as they arrive, of a unary reply once it is complete.

        Closing it closes the response, and the connection if the body has not ended.
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
    """Returns the name under which a failure is counted: gRPC's name where it means the same."""
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
    """Returns the seconds of Retry-After (RFC 9110: seconds, or a date); None without it."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        back, sent = (parsedate_to_datetime(date) for date in (asked, response.headers.get("date", "")))
        return max(0.0, (back - sent).total_seconds())
    except (ValueError, TypeError):
        return None
