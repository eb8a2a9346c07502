"""What is told of a speech besides its audio: the JSON of the WebSocket, and of the events of POST /v1/speech."""

from dataclasses import asdict
from typing import Any, Final

from phonoscope.common.tracing import current_trace_id
from phonoscope.gateway.backend.base import AudioChunk
from phonoscope.gateway.problems import Problem

Message = dict[str, Any]
DONE: Final[Message] = {"type": "done"}
CANCELLED: Final[Message] = {"type": "cancelled"}


def started(first: AudioChunk) -> Message:
    """Returns what a first chunk tells of its speech."""
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
    """Returns what is told of a chunk; with timings where they were asked for, though there be none."""
    message = {
        "type": "audio",
        "sequence": chunk.sequence,
        "audio_seconds": chunk.audio_seconds,
        "bytes": len(chunk.audio),
    }
    if chunk.text_span is not None:
        message["text_start"], message["text_stop"] = chunk.text_span
    if is_timed:
        message["timings"] = asdict(chunk.timings)
    return message


def failed(problem: Problem) -> Message:
    """Returns the end of a speech whose rest does not come."""
    return {**problem.body(), "type": "error"}
