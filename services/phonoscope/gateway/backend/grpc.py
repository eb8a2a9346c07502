"""The speech server over gRPC: the only module of the gateway that calls phonoscope.client. Built by `__main__`."""

import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final, Self, cast

from opentelemetry.trace import TracerProvider

from phonoscope.client import AsyncClient, AudioChunk, Gender, PhonoscopeClientError, Speech, SpeechOptions, Voice
from phonoscope.common.errors import FieldViolation
from phonoscope.gateway.backend.base import Backend, BackendError, Code, TextInput

# The limit of gRPC's read buffer for a stream with a slow reader; gRPC's default is megabytes for each stream.
READ_AHEAD_BYTES: Final = 64 * 1024
HEALTH_TIMEOUT_SECONDS: Final = 1.0
# Fields of the protobuf messages that have another name in SpeechOptions.
_OPTION_NAMES: Final = {
    "speaker_id": "voice",
    "audio_config.encoding": "encoding",
    "audio_config.sample_rate_hertz": "sample_rate_hz",
    "audio_config.volume_gain_db": "volume_gain_db",
}


class GrpcBackend(Backend):
    """Calls one speech server, or all servers behind one name in turn, through one channel."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, target: str, tracer_provider: TracerProvider | None = None) -> AsyncGenerator[Self, None]:
        """Yields a backend for `target`, and closes its channel afterwards. It connects with the first call."""
        client = AsyncClient(
            target,
            tracer_provider=tracer_provider,
            load_balancing="round_robin",
            read_ahead_bytes=READ_AHEAD_BYTES,
            waits_when_busy=False,  # the HTTP client decides: it gets the delay in Retry-After
        )
        async with client:
            yield cls(client)

    def stream(
        self, text: TextInput, options: SpeechOptions, timeout_seconds: float
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields audio while the rest is being synthesized; closing the generator cancels the call."""
        if isinstance(text, str):
            return _with_backend_errors(self._client.stream(text, timeout_seconds=timeout_seconds, **options))
        return _with_backend_errors(self._client.stream_pieces(text, timeout_seconds=timeout_seconds, **options))

    async def synthesize(self, text: str, options: SpeechOptions, timeout_seconds: float) -> Speech:
        """Returns the audio of a whole text."""
        with _backend_errors():
            return await self._client.synthesize(text, timeout_seconds=timeout_seconds, **options)

    async def list_voices(
        self, timeout_seconds: float, *, language: str = "", gender: Gender | None = None, engine: str = ""
    ) -> Sequence[Voice]:
        """Returns the voices of a language, a gender and an engine, the default voice first."""
        with _backend_errors():
            return await self._client.voices(language, gender=gender, engine=engine, timeout_seconds=timeout_seconds)

    async def is_serving(self) -> bool:
        """Returns whether the health service reports SERVING; False when there is no answer."""
        try:
            return await self._client.health(timeout_seconds=HEALTH_TIMEOUT_SECONDS) == "SERVING"
        except PhonoscopeClientError:
            return False


async def _with_backend_errors(stream: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[AudioChunk, None]:
    with _backend_errors():
        async with contextlib.aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk


@contextlib.contextmanager
def _backend_errors() -> Iterator[None]:
    """Raises BackendError in place of the client's exceptions."""
    try:
        yield
    except PhonoscopeClientError as error:
        raise BackendError(
            error.message,
            code=cast("Code", error.code.name),
            reason=error.reason,
            violations=[FieldViolation(_option_name(each.field), each.description) for each in error.violations],
            retry_after_seconds=error.retry_after_seconds,
        ) from error


def _option_name(field: str) -> str:
    return _OPTION_NAMES.get(field, field)
