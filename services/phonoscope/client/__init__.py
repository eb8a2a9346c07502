"""The public Python client of the speech service, for programs and for the command line.

    from phonoscope.client import Client

    with Client("localhost:50051") as client:
        speech = client.synthesize("Hello.", voice="en_US-joe-medium")
        for chunk in client.stream("A longer text."):
            play(chunk.audio)
        for chunk in client.stream_pieces(tokens):
            play(chunk.audio)

`AsyncClient` offers the same for asyncio. Both hold one channel for all their calls; every failure is a
PhonoscopeClientError (errors.py draws the tree).
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
from phonoscope.client.types import FLUSH, AudioChunk, Encoding, Flush, Speech, SpeechOptions, Voice

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
    "InvalidArgument",
    "NotFound",
    "PhonoscopeClientError",
    "ResourceExhausted",
    "ServerError",
    "Speech",
    "SpeechOptions",
    "Unavailable",
    "Unimplemented",
    "Voice",
]
