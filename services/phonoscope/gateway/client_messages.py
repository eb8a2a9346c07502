"""The messages that a client sends over the WebSocket, as pydantic models; server_messages.py has the replies."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from phonoscope.gateway.schemas import RequestModel, SpeechSettings


class StartMessage(SpeechSettings):
    """First message of a text over WebSocket: how it is spoken."""

    type: Literal["start"]


class TextMessage(RequestModel):
    """The next piece of the text, of any size."""

    type: Literal["text"]
    text: str


class ControlMessage(RequestModel):
    """flush: speak what came so far. end: the text is over. cancel: make no more of it."""

    type: Literal["flush", "end", "cancel"]


ClientMessage = StartMessage | TextMessage | ControlMessage
CLIENT_MESSAGE: Final[TypeAdapter[ClientMessage]] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])
MESSAGE_SCHEMAS: Final[Mapping[str, type[RequestModel]]] = {
    "start": StartMessage,
    "text": TextMessage,
    "flush": ControlMessage,
    "end": ControlMessage,
    "cancel": ControlMessage,
}
"""The schema of a message, by its `type`."""
