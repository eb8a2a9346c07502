"""The forms in which a speech goes over HTTP: its audio alone, or server-sent events that say more.

Used by speech_response.py.

Events follow the HTML standard's server-sent events, with "data" lines only: JSON whose `type` says what it is. Those
of POST /v1/speech are the WebSocket's messages with the audio inside; those of OpenAI's route are OpenAI's.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from phonoscope.gateway import server_messages
from phonoscope.gateway.backend.base import AudioChunk, Encoding
from phonoscope.gateway.problems import Problem

EVENTS: Final = "text/event-stream"
MEDIA_TYPES: Final = {
    Encoding.LINEAR16: "audio/pcm",
    Encoding.WAV: "audio/wav",
    Encoding.FLAC: "audio/flac",
    Encoding.OGG_OPUS: "audio/ogg",
    Encoding.MP3: "audio/mpeg",
    Encoding.AAC: "audio/aac",
    Encoding.MULAW: "audio/basic",
    Encoding.ALAW: "audio/x-alaw-basic",
}


class ResponseFormat(Protocol):
    """How chunks, and what became of them, are spelled in an answer."""

    def media_type(self, first: AudioChunk) -> str:
        """Returns the Content-Type of a speech that begins with `first`."""

    def opening(self, first: AudioChunk) -> bytes:
        """Returns what comes before the first audio."""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns a chunk, spelled; nothing where there is nothing to say."""

    def ending(self) -> bytes:
        """Returns what says that all of it has come."""

    def failure(self, problem: Problem) -> bytes | None:
        """Returns what says that the rest does not come; None where this form cannot say it."""


class PlainAudio:
    """The audio, and nothing else."""

    def media_type(self, first: AudioChunk) -> str:
        """Returns that of the encoding; samples without header say what they are."""
        kind = MEDIA_TYPES[first.encoding]
        if first.encoding is Encoding.LINEAR16:
            return f"{kind}; rate={first.sample_rate_hz}; channels=1; bits=16"
        return kind

    def opening(self, first: AudioChunk) -> bytes:  # noqa: ARG002 - of the Protocol
        """Returns nothing."""
        return b""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns the audio."""
        return chunk.audio

    def ending(self) -> bytes:
        """Returns nothing."""
        return b""

    def failure(self, problem: Problem) -> bytes | None:  # noqa: ARG002 - of the Protocol
        """Returns None: an answer without its end is what tells the caller that audio is missing."""
        return None


class SpeechEvents:
    """Server-sent events of the gateway's own API; with timings where they were asked for."""

    def __init__(self, *, is_timed: bool) -> None:
        self._is_timed = is_timed

    def media_type(self, first: AudioChunk) -> str:  # noqa: ARG002 - of the Protocol
        """Returns that of server-sent events."""
        return EVENTS

    def opening(self, first: AudioChunk) -> bytes:
        """Returns what the WebSocket tells before the first audio."""
        return event(server_messages.started(first))

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns what the WebSocket tells of a chunk, with its audio in base64."""
        return event({**server_messages.audio(chunk, is_timed=self._is_timed), "audio": audio_base64(chunk)})

    def ending(self) -> bytes:
        """Returns what the WebSocket tells at the end."""
        return event(server_messages.DONE)

    def failure(self, problem: Problem) -> bytes | None:
        """Returns what the WebSocket tells of errors."""
        return event(server_messages.failed(problem))


class OpenAiEvents:
    """Server-sent events of OpenAI's API (platform.openai.com/docs/api-reference/audio/speech-audio-delta-event)."""

    def media_type(self, first: AudioChunk) -> str:  # noqa: ARG002 - of the Protocol
        """Returns that of server-sent events."""
        return EVENTS

    def opening(self, first: AudioChunk) -> bytes:  # noqa: ARG002 - of the Protocol
        """Returns nothing."""
        return b""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns a delta."""
        return event({"type": "speech.audio.delta", "audio": audio_base64(chunk)}) if chunk.audio else b""

    def ending(self) -> bytes:
        """Returns what OpenAI's ends with; nobody counts tokens here."""
        return event({"type": "speech.audio.done", "usage": None})

    def failure(self, problem: Problem) -> bytes | None:
        """Returns an error in OpenAI's form."""
        return event({"type": "error", **problem.openai_body()})


def event(data: Mapping[str, Any]) -> bytes:
    """Returns one server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def audio_base64(chunk: AudioChunk) -> str:
    """Returns a chunk's audio as JSON can hold it."""
    return base64.b64encode(chunk.audio).decode()
