"""Finds the namespace prefixes that a document uses without declaring them, as documents of other SSML makers do.

Called by `safe_xml.py`. `<amazon:effect>` is an error of Namespaces in XML 1.0 where nothing declares "amazon"; Polly
and Google accept it. The document is read with a declaration added to its root element.
"""

import contextlib
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

UNDECLARED: Final = "urn:phonoscope:undeclared:"
"""The start of the namespace of an undeclared prefix; the prefix follows."""
MAX_PREFIXES: Final = 16
_RESERVED: Final = frozenset({"", "xml", "xmlns"})


@dataclass(frozen=True, slots=True)
class Declarations:
    """Declarations to insert into a document.

    Attributes:
        at: byte offset, directly behind the name of the root element.
        text: attributes, each after a space; empty where every prefix is declared at the root.
    """

    at: int = 0
    text: bytes = b""

    def inserted(self, document: bytes) -> bytes:
        """Returns the document with the declarations."""
        return document[: self.at] + self.text + document[self.at :]

    def original(self, byte: int) -> int:
        """Returns the byte offset in the document for one in the document with the declarations."""
        return byte if byte <= self.at else max(self.at, byte - len(self.text))


def missing_declarations(document: bytes) -> Declarations:
    """Returns declarations of the prefixes that the root element does not declare; those inside may be redundant.

    Reads up to the first fault, which the actual parser reports.
    """
    scan = _Scan()
    with contextlib.suppress(expat.ExpatError):
        scan.run(document)
    prefixes = scan.used - scan.declared - _RESERVED
    if not prefixes or len(prefixes) > MAX_PREFIXES:
        return Declarations()
    text = "".join(f' xmlns:{prefix}="{UNDECLARED}{prefix}"' for prefix in sorted(prefixes))
    return Declarations(scan.at, text.encode())


class _Scan:
    """Reads names without namespaces.

    Attributes:
        at: byte offset behind the name of the root element.
        declared: prefixes that the root element declares.
        used: prefixes of all names.
    """

    def __init__(self) -> None:
        self.at = 0
        self.declared: set[str] = set()
        self.used: set[str] = set()
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._open
        self._parser.StartDoctypeDeclHandler = self._stop

    def run(self, document: bytes) -> None:
        self._parser.Parse(document, True)  # noqa: FBT003  expat's own

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if not self.at:
            self.at = self._parser.CurrentByteIndex + len(f"<{name}".encode())
            self.declared = {key.removeprefix("xmlns:") for key in attributes if key.startswith("xmlns:")}
        names = (name, *(key for key in attributes if not key.startswith("xmlns:")))
        self.used.update(each.partition(":")[0] for each in names if ":" in each)

    def _stop(self, *_: object) -> None:
        """A document type may define entities: nothing of it is read."""
        raise expat.ExpatError("a document type")
