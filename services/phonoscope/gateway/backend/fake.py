"""A backend without a speech server, for tests: yields what it was given and records what it was asked."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from phonoscope.gateway.backend.base import (
    AudioChunk,
    Backend,
    BackendError,
    Flush,
    Gender,
    Speech,
    SpeechOptions,
    TextInput,
    Voice,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call for speech. `text` is "" for incremental input; its parts are in `parts`."""

    text: str
    options: SpeechOptions
    timeout_seconds: float
    parts: tuple[str | Flush, ...] = ()


class FakeBackend(Backend):
    """Yields `chunks`, then raises `error` if there is one.

    Args:
        chunks: the audio of every text; the first one carries the seed, the voice and the request id.
        voices: all voices; `list_voices` selects by the start of their language, by gender and engine.

    Attributes:
        error: raised by every call after its last chunk; None for calls that succeed.
        has_server: what `is_serving` returns.
        calls: the calls for speech so far.
        lists: how often the voices were listed.
    """

    def __init__(self, chunks: Sequence[AudioChunk] = (), voices: Sequence[Voice] = ()) -> None:
        self.chunks = chunks
        self.voices = voices
        self.error: BackendError | None = None
        self.has_server = True
        self.calls: list[Call] = []
        self.lists = 0

    async def stream(
        self, text: TextInput, options: SpeechOptions, timeout_seconds: float
    ) -> AsyncGenerator[AudioChunk, None]:
        """Yields the chunks, after all of an incremental input has arrived."""
        if isinstance(text, str):
            self.calls.append(Call(text, options, timeout_seconds))
        else:
            parts = [part async for part in text]
            self.calls.append(Call("", options, timeout_seconds, tuple(parts)))
        for chunk in self.chunks:
            yield chunk
        self._raise_error()

    async def synthesize(self, text: str, options: SpeechOptions, timeout_seconds: float) -> Speech:
        """Returns the chunks' audio, joined."""
        self.calls.append(Call(text, options, timeout_seconds))
        self._raise_error()
        first = self.chunks[0]
        return Speech(
            audio=b"".join(chunk.audio for chunk in self.chunks),
            sample_rate_hz=first.sample_rate_hz,
            encoding=first.encoding,
            audio_seconds=sum(chunk.audio_seconds for chunk in self.chunks),
            seed=first.seed or 0,
            request_id=first.request_id,
            voice=first.voice,
        )

    async def list_voices(
        self,
        timeout_seconds: float,  # noqa: ARG002  the Protocol's signature
        *,
        language: str = "",
        gender: Gender | None = None,
        engine: str = "",
    ) -> Sequence[Voice]:
        """Returns the voices of a language, a gender and an engine."""
        self.lists += 1
        self._raise_error()
        return [
            voice
            for voice in self.voices
            if voice.language.startswith(language)
            and (gender is None or voice.gender == gender.value)
            and engine in ("", voice.engine)
        ]

    async def is_serving(self) -> bool:
        """Returns `has_server`."""
        return self.has_server

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error
