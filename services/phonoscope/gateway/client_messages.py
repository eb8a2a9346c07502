"""The messages that a client sends over the WebSocket, as pydantic models; server_messages.py has the replies."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from phonoscope.gateway.schemas import RequestModel, SpeechSettings


class StartMessage(SpeechSettings):
    """The first message of a text: how it is synthesized."""

    type: Literal["start"]


class TextMessage(RequestModel):
    """The next part of the text, of any length."""

    type: Literal["text"]
    text: str


class ControlMessage(RequestModel):
    """flush: synthesize what has arrived so far. end: the text is complete. cancel: stop synthesis."""

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
