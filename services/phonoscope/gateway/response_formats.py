"""The formats of an audio response: the bytes alone, or server-sent events with JSON.

Used by speech_response.py.

Events have "data" lines only (https://html.spec.whatwg.org/multipage/server-sent-events.html). Those of POST
/v1/speech are the WebSocket's messages with the audio inside; those of OpenAI's route are OpenAI's.
"""

import base64
import json
from collections.abc import Mapping
from typing import Final, Protocol

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
    """How an audio stream becomes a response body."""

    def media_type(self, first: AudioChunk) -> str:
        """Returns the Content-Type of a stream that begins with `first`."""

    def start(self, first: AudioChunk) -> bytes:
        """Returns the bytes before the first audio."""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns the bytes of a chunk, which may be empty."""

    def end(self) -> bytes:
        """Returns the bytes that mark the end of a complete stream."""

    def error(self, problem: Problem) -> bytes | None:
        """Returns the bytes that report an error within the stream; None if the format cannot report it."""


class PlainAudio:
    """The audio only."""

    def media_type(self, first: AudioChunk) -> str:
        """Returns the encoding's media type; with sample rate and format for samples without a header."""
        kind = MEDIA_TYPES[first.encoding]
        if first.encoding is Encoding.LINEAR16:
            return f"{kind}; rate={first.sample_rate_hz}; channels=1; bits=16"
        return kind

    def start(self, first: AudioChunk) -> bytes:  # noqa: ARG002  the Protocol's signature
        """Returns no bytes."""
        return b""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns the audio."""
        return chunk.audio

    def end(self) -> bytes:
        """Returns no bytes."""
        return b""

    def error(self, problem: Problem) -> bytes | None:  # noqa: ARG002  the Protocol's signature
        """Returns None: the connection is closed without the end of the response, which clients report."""
        return None


class SpeechEvents:
    """Server-sent events of the gateway's own API; with timings if they are requested."""

    def __init__(self, *, is_timed: bool) -> None:
        self._is_timed = is_timed

    def media_type(self, first: AudioChunk) -> str:  # noqa: ARG002  the Protocol's signature
        """Returns the media type of server-sent events."""
        return EVENTS

    def start(self, first: AudioChunk) -> bytes:
        """Returns the WebSocket's message before the first audio."""
        return event(server_messages.started(first))

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns the WebSocket's message for a chunk, with the audio in base64."""
        return event({**server_messages.audio(chunk, is_timed=self._is_timed), "audio": audio_base64(chunk)})

    def end(self) -> bytes:
        """Returns the WebSocket's message at the end."""
        return event(server_messages.DONE)

    def error(self, problem: Problem) -> bytes | None:
        """Returns the WebSocket's message for an error."""
        return event(server_messages.failed(problem))


class OpenAiEvents:
    """Server-sent events of OpenAI's API (platform.openai.com/docs/api-reference/audio/speech-audio-delta-event)."""

    def media_type(self, first: AudioChunk) -> str:  # noqa: ARG002  the Protocol's signature
        """Returns the media type of server-sent events."""
        return EVENTS

    def start(self, first: AudioChunk) -> bytes:  # noqa: ARG002  the Protocol's signature
        """Returns no bytes."""
        return b""

    def audio(self, chunk: AudioChunk) -> bytes:
        """Returns a delta event, if the chunk has audio."""
        return event({"type": "speech.audio.delta", "audio": audio_base64(chunk)}) if chunk.audio else b""

    def end(self) -> bytes:
        """Returns the final event; tokens are not counted here."""
        return event({"type": "speech.audio.done", "usage": None})

    def error(self, problem: Problem) -> bytes | None:
        """Returns an error in OpenAI's format."""
        return event({"type": "error", **problem.openai_body()})


def event(data: Mapping[str, object]) -> bytes:
    """Returns one server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def audio_base64(chunk: AudioChunk) -> str:
    """Returns a chunk's audio in base64."""
    return base64.b64encode(chunk.audio).decode()
