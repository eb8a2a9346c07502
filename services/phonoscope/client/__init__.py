"""The Python client of the speech service, for programs and for the command line.

    from phonoscope.client import Client

    with Client("localhost:50051") as client:
        speech = client.synthesize("Hello.", voice="en_US-joe-medium")
        for chunk in client.stream("A longer text."):
            play(chunk.audio)
        for chunk in client.stream_pieces(tokens):
            play(chunk.audio)
        speech = client.synthesize(ssml="<speak>…</speak>", timing_types=[TimingType.WORD])
        for word in speech.timings.words:
            show(word.word, at=word.start_seconds)

`AsyncClient` has the same methods for asyncio. Both use one channel for all their calls; every failed call raises a
PhonoscopeClientError (errors.py shows the tree). options.py documents the options of a request.
"""

from phonoscope.client.aio import AsyncClient
from phonoscope.client.blocking import Client
from phonoscope.client.errors import (
    AccessDenied,
    Cancelled,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PhonoscopeClientError,
    ResourceExhausted,
    ServerError,
    Unavailable,
    Unimplemented,
)
from phonoscope.client.options import SpeechOptions
from phonoscope.client.timings import MarkTiming, PhonemeTiming, Timings, VisemeTiming, WordTiming
from phonoscope.client.types import (
    FLUSH,
    AudioChunk,
    Encoding,
    Flush,
    Gender,
    Pronunciation,
    Recording,
    Speech,
    TextFormat,
    TimingType,
    UnpronounceableText,
    Voice,
)

__all__ = [
    "FLUSH",
    "AccessDenied",
    "AsyncClient",
    "AudioChunk",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "Encoding",
    "Flush",
    "Gender",
    "InvalidArgument",
    "MarkTiming",
    "NotFound",
    "PhonemeTiming",
    "PhonoscopeClientError",
    "Pronunciation",
    "Recording",
    "ResourceExhausted",
    "ServerError",
    "Speech",
    "SpeechOptions",
    "TextFormat",
    "TimingType",
    "Timings",
    "Unavailable",
    "Unimplemented",
    "UnpronounceableText",
    "VisemeTiming",
    "Voice",
    "WordTiming",
]
