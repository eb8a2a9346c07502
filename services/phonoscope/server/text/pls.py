"""Reads W3C Pronunciation Lexicon files (PLS 1.0, 2008), a format that other speech services also accept.

Called by `lexicon_files.py`. Every grapheme of a lexeme becomes an entry with the preferred phoneme, or else the first
phoneme, or else the first alias. Only alphabet="ipa" is supported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phonoscope.server.text.lexicon import BadPronunciation, Lexicon
from phonoscope.server.text.safe_xml import XML_NAMESPACE, Name, Refusal, XmlFault, place_of, read_xml
from phonoscope.server.types import Pronunciation

NAMESPACE: Final = "http://www.w3.org/2005/01/pronunciation-lexicon"
MAX_ELEMENTS: Final = 400_000
_ROOT: Final = "lexicon"
_PARENTS: Final[Mapping[str, str]] = {
    "lexeme": _ROOT,
    "grapheme": "lexeme",
    "phoneme": "lexeme",
    "alias": "lexeme",
    "example": "lexeme",
    "meta": _ROOT,
    "metadata": _ROOT,
}
_LANG: Final = Name(XML_NAMESPACE, "lang", "xml")


@dataclass(frozen=True, slots=True)
class PronunciationLexicon:
    """The content of a file: the language, as a BCP 47 tag, and entries for a Lexicon."""

    language: str
    pronunciations: tuple[Pronunciation, ...]


def read_pls(document: str) -> PronunciationLexicon:
    """Returns the content of a document.

    Raises:
        XmlFault: it is not PLS, or an entry is invalid; with line and column.
    """
    reader = _LexiconReader()
    read_xml(document, reader, max_elements=MAX_ELEMENTS)
    pronunciations = tuple(pronunciation for pronunciation, _ in reader.entries)
    try:
        Lexicon.of(pronunciations)
    except BadPronunciation as bad:
        line, column = place_of(document, reader.entries[bad.index][1])
        raise XmlFault(line, column, f"<{_ELEMENTS.get(bad.part, bad.part)}> {bad.fault}") from None
    return PronunciationLexicon(reader.language, pronunciations)


_ELEMENTS: Final = {"phrase": "grapheme", "ipa": "phoneme", "respelling": "alias"}


class _LexiconReader:
    """Receives elements and text in order and builds entries from them.

    Attributes:
        language: of the document.
        entries: each with the offset of its grapheme.
    """

    def __init__(self) -> None:
        self.language = ""
        self.entries: list[tuple[Pronunciation, int]] = []
        self._path: list[str] = []
        self._text = ""
        self._begins = self._lexeme_begins = 0
        self._is_preferred = False
        self._graphemes: list[tuple[str, int]] = []
        self._phonemes: list[tuple[str, bool]] = []
        self._aliases: list[str] = []

    def open(self, name: Name, attributes: Mapping[Name, str], at: int) -> None:
        """Handles the start of an element."""
        own = {attribute.local: value for attribute, value in attributes.items() if not attribute.namespace}
        if not self._path:
            self._root(name, own.get("alphabet", ""), attributes.get(_LANG, ""), at)
        elif "metadata" not in self._path:
            parent = self._path[-1]
            if name.namespace not in ("", NAMESPACE) or _PARENTS.get(name.local) != parent:
                raise Refusal(f"<{name}> is not allowed in <{parent}>; remove it", at)
            if name.local == "phoneme" and own.get("alphabet", "ipa") != "ipa":
                raise Refusal(f'<phoneme>: alphabet="{own["alphabet"]}" is not supported; use ipa', at)
        self._path.append(name.local)
        self._text, self._begins = "", at
        if name.local == "lexeme":
            self._lexeme_begins = at
        self._is_preferred = own.get("prefer", "") == "true"

    def close(self, name: Name, at: int) -> None:  # noqa: ARG002  faults are reported at a lexeme's start
        """Handles the end of an element."""
        self._path.pop()
        if "metadata" in self._path:
            return
        text = " ".join(self._text.split())
        match name.local:
            case "grapheme":
                self._graphemes.append((text, self._begins))
            case "phoneme":
                self._phonemes.append((text, self._is_preferred))
            case "alias":
                self._aliases.append(text)
            case "lexeme":
                self._add(self._lexeme_begins)

    def text(self, text: str, at: int, stop: int) -> None:  # noqa: ARG002  the position is not needed
        """Handles text."""
        self._text += text

    def _root(self, name: Name, alphabet: str, language: str, at: int) -> None:
        if name.local != _ROOT:
            raise Refusal(f"the root element is <{name}>; use <lexicon>", at)
        if alphabet and alphabet != "ipa":
            raise Refusal(f'<lexicon>: alphabet="{alphabet}" is not supported; use ipa', at)
        if not language:
            raise Refusal('<lexicon> has no xml:lang; add the language of its words, such as xml:lang="en-US"', at)
        self.language = language

    def _add(self, at: int) -> None:
        """Adds the entries of a lexeme."""
        if not self._graphemes:
            raise Refusal("<lexeme> has no <grapheme>; add one with the written word", at)
        if not self._phonemes and not self._aliases:
            raise Refusal("<lexeme> has neither <phoneme> nor <alias>; add one with the pronunciation", at)
        preferred = [ipa for ipa, is_preferred in self._phonemes if is_preferred] + [ipa for ipa, _ in self._phonemes]
        ipa, alias = next(iter(preferred), ""), next(iter(self._aliases), "")
        for grapheme, begins in self._graphemes:
            self.entries.append((Pronunciation(grapheme, ipa=ipa, respelling="" if ipa else alias), begins))
        self._graphemes, self._phonemes, self._aliases = [], [], []
