"""The messages that a client sends over the WebSocket, as pydantic models; server_messages.py has the replies."""

import codecs
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, field_validator

from phonoscope.gateway.schemas import RequestModel, SpeechSettings


class StartMessage(SpeechSettings):
    """The first message of a text: how it is synthesized."""

    type: Literal["start"]


class TextMessage(RequestModel):
    """The next part of the text, of any length. It may end within a character: TextJoiner joins the halves."""

    type: Literal["text"]
    text: str

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: object) -> object:
        """Accepts lone surrogates, in place of the base's check."""
        return value


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


class TextJoiner:
    """Joins surrogate pairs that are split between two messages of one text.

    A character beyond U+FFFF, such as an emoji, is two units of JavaScript's strings, which a client may send apart.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def add(self, part: str) -> str:
        """Returns the complete characters so far. Half of one waits; it is U+FFFD if another character follows."""
        return self._decoder.decode(part.encode("utf-16-le", "surrogatepass"))

    def end(self) -> str:
        """Returns what is left: U+FFFD for half of a character, else ""."""
        return self._decoder.decode(b"", final=True)
