"""The public Python client of the speech service, for programs and for the command line.

    from phonoscope.client import Client

    with Client("localhost:50051") as client:
        speech = client.synthesize("Hello.", voice="en_US-joe-medium")
        for chunk in client.stream("A longer text."):
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
from phonoscope.client.types import AudioChunk, Encoding, Speech, SpeechOptions, Voice

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AudioChunk",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "Encoding",
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
