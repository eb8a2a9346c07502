"""The formats of an audio response: audio alone, the gateway's events, and OpenAI's."""

import base64
import json
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import pytest

from phonoscope.client.timings import MarkTiming
from phonoscope.gateway import server_messages
from phonoscope.gateway.backend.base import AudioChunk, Encoding, Timings
from phonoscope.gateway.problems import Problem
from phonoscope.gateway.response_formats import (
    EVENTS,
    MEDIA_TYPES,
    OpenAiEvents,
    PlainAudio,
    ResponseFormat,
    SpeechEvents,
    event,
)

CHUNK = AudioChunk(b"\xff\0\x10\x20", 24_000, Encoding.LINEAR16, 0.25, 0, seed=1, request_id="mine", voice="joe")
PROBLEM = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "ENGINE_FAILED", "the engine failed")


def told(data: bytes | None) -> Any:
    """Returns the JSON of one server-sent event."""
    assert data is not None
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    return json.loads(data.removeprefix(b"data: "))


def test_the_media_type_describes_samples_without_a_header() -> None:
    assert PlainAudio().media_type(CHUNK) == "audio/pcm; rate=24000; channels=1; bits=16"
    assert PlainAudio().media_type(replace(CHUNK, sample_rate_hz=8_000)) == "audio/pcm; rate=8000; channels=1; bits=16"


@pytest.mark.parametrize(
    ("encoding", "media_type"),
    [
        (Encoding.WAV, "audio/wav"),
        (Encoding.FLAC, "audio/flac"),
        (Encoding.OGG_OPUS, "audio/ogg"),
        (Encoding.MP3, "audio/mpeg"),
        (Encoding.AAC, "audio/aac"),
        (Encoding.MULAW, "audio/basic"),
        (Encoding.ALAW, "audio/x-alaw-basic"),
    ],
)
def test_other_encodings_have_a_media_type_of_their_own(encoding: Encoding, media_type: str) -> None:
    assert PlainAudio().media_type(replace(CHUNK, encoding=encoding)) == media_type
    assert MEDIA_TYPES.keys() == set(Encoding)


def test_plain_audio_is_the_audio_only() -> None:
    form = PlainAudio()
    assert (form.start(CHUNK), form.audio(CHUNK), form.end()) == (b"", CHUNK.audio, b"")
    assert form.error(PROBLEM) is None, "a stream that is cut says it by itself"


@pytest.mark.parametrize("form", [SpeechEvents(is_timed=False), OpenAiEvents()])
@pytest.mark.parametrize("encoding", Encoding)
def test_events_have_one_media_type_for_every_encoding(form: ResponseFormat, encoding: Encoding) -> None:
    assert form.media_type(replace(CHUNK, encoding=encoding)) == EVENTS == "text/event-stream"


@pytest.mark.parametrize("is_timed", [True, False])
def test_the_gateways_events_are_the_sockets_messages_with_the_audio_inside(is_timed: bool) -> None:
    form = SpeechEvents(is_timed=is_timed)
    chunk = replace(CHUNK, timings=Timings(marks=(MarkTiming("here", 0.5),)))
    assert told(form.start(chunk)) == server_messages.started(chunk)
    heard = told(form.audio(chunk))
    assert base64.b64decode(heard.pop("audio"), validate=True) == chunk.audio
    assert heard == json.loads(json.dumps(server_messages.audio(chunk, is_timed=is_timed)))
    assert ("timings" in heard) is is_timed
    assert told(form.end()) == {"type": "done"}
    assert told(form.error(PROBLEM)) == server_messages.failed(PROBLEM)


def test_openais_events_are_deltas_and_one_that_ends_them() -> None:
    form = OpenAiEvents()
    assert form.start(CHUNK) == b""
    audio = base64.b64encode(CHUNK.audio).decode()
    assert told(form.audio(CHUNK)) == {"type": "speech.audio.delta", "audio": audio}
    assert form.audio(replace(CHUNK, audio=b"")) == b"", "a delta of nothing is none"
    assert told(form.end()) == {"type": "speech.audio.done", "usage": None}


def test_openais_error_is_in_their_format() -> None:
    error = {"message": "the engine failed", "type": "server_error", "param": None, "code": "ENGINE_FAILED"}
    assert told(OpenAiEvents().error(PROBLEM)) == {"type": "error", "error": error}


@pytest.mark.parametrize("text", ["a\nb", "a\r\n\r\ndata: b", "été\u2028", "\x00"])
def test_every_text_stays_within_its_event(text: str) -> None:
    assert told(event({"text": text})) == {"text": text}
    assert event({"text": text}).isascii()
