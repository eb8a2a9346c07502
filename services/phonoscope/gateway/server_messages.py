"""The JSON messages of the WebSocket to its client; the events of POST /v1/speech are the same, with audio inside."""

from dataclasses import asdict
from typing import Final

from phonoscope.common.tracing import current_trace_id
from phonoscope.gateway.backend.base import AudioChunk
from phonoscope.gateway.problems import Problem

Message = dict[str, object]
DONE: Final[Message] = {"type": "done"}
CANCELLED: Final[Message] = {"type": "cancelled"}


def started(first: AudioChunk) -> Message:
    """Returns the message before the first audio."""
    return {
        "type": "started",
        "request_id": first.request_id,
        "voice": first.voice,
        "seed": first.seed,
        "encoding": first.encoding.value,
        "sample_rate_hz": first.sample_rate_hz,
        "trace_id": current_trace_id(),
    }


def audio(chunk: AudioChunk, *, is_timed: bool) -> Message:
    """Returns the message for a chunk; with timings, which may be empty, if they are requested."""
    message: Message = {
        "type": "audio",
        "sequence": chunk.sequence,
        "audio_seconds": chunk.audio_seconds,
        "bytes": len(chunk.audio),
    }
    if chunk.text_span is not None:
        message["text_start"], message["text_stop"] = chunk.text_span
    if chunk.emotion_fallback:
        message["emotion_fallback"] = chunk.emotion_fallback
    if is_timed:
        message["timings"] = asdict(chunk.timings)
    return message


def failed(problem: Problem) -> Message:
    """Returns the message that ends a stream with an error."""
    return {**problem.body(), "type": "error"}
