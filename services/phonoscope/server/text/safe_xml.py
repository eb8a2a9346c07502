"""Reads untrusted XML: no document type and thus no entities; depth and number of elements are limited.

Called by `ssml/` and `pls.py`. expat parses the document as a stream, without a tree; its byte offsets become
character offsets of the document. Source: XML 1.0 and Namespaces in XML 1.0 (W3C).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from xml.parsers import expat

from phonoscope.server.text.xml_prefixes import Declarations, missing_declarations

XML_NAMESPACE: Final = "http://www.w3.org/XML/1998/namespace"
MAX_DEPTH: Final = 32
MAX_ATTRIBUTES: Final = 16
MAX_ATTRIBUTE_CHARACTERS: Final = 1_024
_SEPARATOR: Final = " "


@dataclass(frozen=True, slots=True)
class Name:
    """The name of an element or an attribute.

    Attributes:
        namespace: its URI, "" for none.
        local: the name itself.
        prefix: as written, "" for none.
    """

    namespace: str
    local: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.prefix}:{self.local}" if self.prefix else self.local


class XmlFault(ValueError):
    """An unreadable document: line and column from 1, the reason, and the Reader's exception, if any."""

    def __init__(self, line: int, column: int, fault: str, refusal: "Refusal | None" = None) -> None:
        super().__init__(f"line {line}, column {column}: {fault}")
        self.line = line
        self.column = column
        self.fault = fault
        self.refusal = refusal


class Refusal(ValueError):
    """Raised by a Reader: the document is XML but not valid input; `at` is a character offset."""

    def __init__(self, fault: str, at: int) -> None:
        super().__init__(fault)
        self.fault = fault
        self.at = at


class Reader(Protocol):
    """Receives the content of a document in order; `at` is a character offset in the document."""

    def open(self, name: Name, attributes: Mapping[Name, str], at: int) -> None:
        """Handles the start of an element."""

    def close(self, name: Name, at: int) -> None:
        """Handles the end of an element."""

    def text(self, text: str, at: int, stop: int) -> None:
        """Handles text from characters `at` to `stop`; if the lengths are equal, characters map one to one."""


def read_xml(document: str, reader: Reader, *, max_elements: int, allows_undeclared_prefixes: bool = False) -> None:
    """Parses a document and passes its content to `reader`.

    Args:
        document: the whole text.
        reader: receives the content.
        max_elements: more are refused.
        allows_undeclared_prefixes: whether a prefix without a declaration has a namespace of its own, which starts
            with `xml_prefixes.UNDECLARED`, instead of being a fault.

    Raises:
        XmlFault: it is not XML, contains something not allowed here, or `reader` rejected it.
    """
    missing = missing_declarations(document.encode()) if allows_undeclared_prefixes else Declarations()
    _Reading(document, reader, max_elements, missing).run()


def place_of(document: str, at: int) -> tuple[int, int]:
    """Returns the line and column, from 1, of a character offset."""
    return document.count("\n", 0, at) + 1, at - document.rfind("\n", 0, at)


class _Reading:
    def __init__(self, document: str, reader: Reader, max_elements: int, missing: Declarations) -> None:
        self._document = document
        self._missing = missing
        self._bytes = document.encode()
        self._reader = reader
        self._elements_left = max_elements
        self._max_elements = max_elements
        self._depth = 0
        self._byte = self._character = 0  # the same position in both units
        self._text: tuple[str, int] | None = None  # waits until its end is known
        parser = expat.ParserCreate("utf-8", _SEPARATOR)
        parser.namespace_prefixes = True
        parser.buffer_text = False
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._say
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.CommentHandler = self._pass_over
        parser.ProcessingInstructionHandler = self._pass_over
        parser.StartCdataSectionHandler = self._pass_over
        parser.EndCdataSectionHandler = self._pass_over
        self._parser = parser

    def run(self) -> None:
        try:
            self._parser.Parse(self._missing.inserted(self._bytes), True)  # noqa: FBT003  expat's own
            self._tell_text()
        except Refusal as refusal:
            raise XmlFault(*place_of(self._document, refusal.at), refusal.fault, refusal) from None
        except expat.ExpatError as error:
            at = self._at(self._parser.ErrorByteIndex)
            raise XmlFault(*place_of(self._document, at), expat.ErrorString(error.code)) from None

    def _at(self, byte: int) -> int:
        """Returns the character offset of one of the parser's byte offsets; calls must ascend."""
        byte = self._missing.original(byte)
        if byte > self._byte:
            self._character += len(self._bytes[self._byte : byte].decode(errors="ignore"))
            self._byte = byte
        return self._character

    def _here(self) -> int:
        return self._at(self._parser.CurrentByteIndex)

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._tell_text()
        at = self._here()
        self._depth += 1
        self._elements_left -= 1
        if self._depth > MAX_DEPTH:
            raise Refusal(f"elements are nested more than {MAX_DEPTH} levels deep; use fewer levels", at)
        if self._elements_left < 0:
            raise Refusal(f"the document has more than {self._max_elements} elements; split it", at)
        if len(attributes) > MAX_ATTRIBUTES:
            raise Refusal(f"<{_name(name)}> has {len(attributes)} attributes; use at most {MAX_ATTRIBUTES}", at)
        for attribute, value in attributes.items():
            if len(value) > MAX_ATTRIBUTE_CHARACTERS:
                length = f"{len(value)} characters; use at most {MAX_ATTRIBUTE_CHARACTERS}"
                raise Refusal(f"the attribute {_name(attribute)} has {length}", at)
        self._reader.open(_name(name), {_name(key): value for key, value in attributes.items()}, at)

    def _close(self, name: str) -> None:
        self._tell_text()
        self._depth -= 1
        self._reader.close(_name(name), self._here())

    def _say(self, text: str) -> None:
        self._tell_text()
        self._text = text, self._here()

    def _pass_over(self, *_: str) -> None:
        self._tell_text()

    def _refuse_doctype(self, *_: object) -> None:
        at = self._document.rfind("<!DOCTYPE", 0, self._here())  # expat is at its end by now
        raise Refusal("a document type declaration is not allowed; remove <!DOCTYPE …>", at)

    def _tell_text(self) -> None:
        """Passes text on once its end is known."""
        if self._text is not None:
            (text, at), self._text = self._text, None
            self._reader.text(text, at, self._here())


def _name(joined: str) -> Name:
    """Parses a name in expat's form: "local", "namespace local", or "namespace local prefix"."""
    match joined.split(_SEPARATOR):
        case [namespace, local, prefix]:
            return Name(namespace, local, prefix)
        case [namespace, local]:
            return Name(namespace, local)
        case _:
            return Name("", joined)
