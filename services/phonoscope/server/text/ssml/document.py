"""Converts an SSML document to a script, element by element, as expat reports them.

`resolver.py` calls `read_document` for a request's `ssml`. A passage continues across elements that change prosody
or pronunciation, so that a sentence keeps its intonation; it ends at a sentence, a paragraph, a break or a change of
speaker.
Source: SSML 1.1 (W3C Recommendation, 2010), chapter 3. docs/ssml.md lists what is supported and explains the values.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.text.passage import Override, Passage, Script
from phonoscope.server.text.passage_builder import PassageBuilder
from phonoscope.server.text.safe_xml import XML_NAMESPACE, Name, Refusal, XmlFault, place_of, read_xml
from phonoscope.server.text.ssml.elements import (
    ATTRIBUTES,
    Frame,
    Unsupported,
    break_seconds,
    check_version,
    emphasis,
    language_failure,
    mark_name,
    phonemes,
    prosody,
    say_as_refusal,
)
from phonoscope.server.text.ssml.passing_over import CENSORED, named_or_same, with_usable_values
from phonoscope.server.text.ssml.say_as import say_as
from phonoscope.server.text.ssml.speakers import NobodySpeaks, Speakers, Voices
from phonoscope.server.text.words import is_speakable
from phonoscope.server.types import Voice

NAMESPACE: Final = "http://www.w3.org/2001/10/synthesis"
SCHEMA_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"  # says where a schema is, not how to speak
MAX_ELEMENTS: Final = 10_000
MAX_PAUSE_SECONDS: Final = 300.0
PARAGRAPH_SECONDS: Final = 0.4
_LANG: Final = Name(XML_NAMESPACE, "lang", "xml")
# Elements whose text is not spoken.
_UNHEARD: Final = frozenset({"metadata", "meta", "lexicon", "desc"})
_TEXT_ONLY: Final = frozenset({"say-as", "sub", "phoneme"})
_EMPTY: Final = frozenset({"break", "mark"})
_BLANK: Final = str.maketrans("\t\n\r", "   ")
_PLACEHOLDER: Final = "a"


def read_document(ssml: str, voice: Voice, voices: Voices, *, skips_unsupported: bool) -> Script:
    """Returns the script of a document.

    Args:
        ssml: the document.
        voice: the default voice, used where the document names none.
        voices: looks up other voices.
        skips_unsupported: whether to ignore unsupported elements and attributes instead of rejecting them.

    Raises:
        InvalidRequest: SSML_INVALID, SSML_UNSUPPORTED, or the reason a voice is unavailable; with line and column.
    """
    reader = _DocumentReader(voice, voices, skips_unsupported=skips_unsupported)
    try:
        read_xml(ssml, reader, max_elements=MAX_ELEMENTS, allows_undeclared_prefixes=True)
        return reader.script()
    except XmlFault as fault:
        reason = "SSML_UNSUPPORTED" if isinstance(fault.refusal, Unsupported) else "SSML_INVALID"
        raise InvalidRequest.of("ssml", str(fault), reason=reason) from None
    except NobodySpeaks as nobody:
        line, column = place_of(ssml, nobody.at)
        description = f"line {line}, column {column}: {nobody.error.violations[0].description}"
        raise InvalidRequest.of("ssml", description, reason=nobody.error.reason) from None


class _DocumentReader:
    """Receives elements and text in order and builds passages from them."""

    def __init__(self, voice: Voice, voices: Voices, *, skips_unsupported: bool) -> None:
        self._speakers = Speakers(voice, voices)
        self._skips_unsupported = skips_unsupported
        self._frames: list[Frame] = []
        self._passages: list[Passage] = []
        self._builder = PassageBuilder()
        self._pause_seconds = 0.0  # before the next passage
        self._all_pauses_seconds = 0.0
        self._content: list[tuple[str, int, int]] = []  # of an element whose text is interpreted or replaced
        self._begins: Mapping[str, Callable[[Frame], Frame]] = {
            "speak": self._speak,
            "p": self._paragraph,
            "s": self._sentence,
            "break": self._break,
            "prosody": lambda frame: replace(frame, prosody=prosody(self._usable(frame, prosody))),
            "emphasis": lambda frame: replace(frame, prosody=emphasis(self._usable(frame, emphasis))),
            "voice": partial(named_or_same, self._speakers) if skips_unsupported else self._speakers.named,
            "mark": self._mark,
        }
        self._ends: Mapping[str, Callable[[Frame, int], None]] = {
            "p": lambda _frame, _at: self._end_passage("."),
            "s": lambda _frame, _at: self._end_passage("."),
            "say-as": self._say_as,
            "sub": self._sub,
            "phoneme": self._phoneme,
        }

    def script(self) -> Script:
        """Returns all passages; call it after the end of the document."""
        self._end_passage(".")
        return Script(tuple(self._passages), self._pause_seconds)

    # --- Reader interface ----------------------------------------------------------------------------------------

    def open(self, name: Name, attributes: Mapping[Name, str], at: int) -> None:
        """Handles the start of an element."""
        outer = self._frames[-1] if self._frames else Frame("", at)
        if outer.name in _TEXT_ONLY or outer.name in _EMPTY:
            allowed = "contain only text" if outer.name in _TEXT_ONLY else "be empty"
            raise Refusal(f"<{outer.name}> must {allowed}; move <{name}> out of it", at)
        local = self._served(name, at)
        if not self._frames and local != "speak":
            raise Refusal(f"the root element is <{name}>; use <speak>", at)
        if not local:
            self._frames.append(replace(outer, name="", at=at, is_heard=outer.is_heard and name.local not in _UNHEARD))
            return
        frame = replace(outer, name=local, at=at, attributes=self._checked(local, attributes, at))
        frame = replace(frame, language_failure=language_failure(frame))
        begin = self._begins.get(local)
        if begin is not None and outer.is_heard:
            frame = begin(frame)
        if ((language := attributes.get(_LANG, "")) or local == "lang") and outer.is_heard:
            frame = self._speakers.of_language(frame, language)
        if local in _TEXT_ONLY:
            self._content = []
        self._frames.append(frame)

    def close(self, name: Name, at: int) -> None:  # noqa: ARG002  expat checks that it matches the start tag
        """Handles the end of an element."""
        frame = self._frames.pop()
        if frame.is_heard and (end := self._ends.get(frame.name)):
            end(frame, at)

    def text(self, text: str, at: int, stop: int) -> None:
        """Handles text."""
        frame = self._frames[-1]
        if not frame.is_heard:
            return
        if frame.name in _EMPTY:
            if text.strip():
                raise Refusal(f"<{frame.name}> must be empty; write <{frame.name}/>", at)
        elif frame.name in _TEXT_ONLY:
            self._content.append((text, at, stop))
        else:
            self._say(text.translate(_BLANK), at, stop)

    def _served(self, name: Name, at: int) -> str:
        """Returns an element's name; "" if it is ignored."""
        if name.namespace in ("", NAMESPACE) and name.local in ATTRIBUTES:
            return name.local
        if not self._skips_unsupported:
            supported = ", ".join(ATTRIBUTES)
            raise Unsupported(f"<{name}> is not supported; remove it, or use one of {supported}", at)
        return ""

    def _checked(self, local: str, attributes: Mapping[Name, str], at: int) -> Mapping[str, str]:
        """Returns an element's supported attributes."""
        own: dict[str, str] = {}
        for attribute, value in attributes.items():
            if attribute.namespace == XML_NAMESPACE:
                continue
            if attribute.namespace == "" and attribute.local in ATTRIBUTES[local]:
                own[attribute.local] = value
            elif attribute.namespace != SCHEMA_INSTANCE and not self._skips_unsupported:
                supported = ", ".join(ATTRIBUTES[local])
                description = f"the attribute {attribute} is not supported; remove it, or use one of {supported}"
                raise Unsupported(f"<{local}>: {description}", at)
        return own

    # --- start of elements ---------------------------------------------------------------------------------------

    def _usable(self, frame: Frame, read: Callable[[Frame], object]) -> Frame:
        return with_usable_values(frame, read) if self._skips_unsupported else frame

    def _speak(self, frame: Frame) -> Frame:
        if self._frames and not self._skips_unsupported:  # in the <media> of another maker
            raise Refusal("<speak> is nested in <speak>; use it only as the root element", frame.at)
        check_version(frame)
        return frame

    def _paragraph(self, frame: Frame) -> Frame:
        self._check_outside(("p", "s"), frame)
        self._end_passage(".")
        if self._passages:
            self._wait(PARAGRAPH_SECONDS, frame.at)
        return frame

    def _sentence(self, frame: Frame) -> Frame:
        self._check_outside(("s",), frame)
        self._end_passage(".")
        return frame

    def _check_outside(self, names: tuple[str, ...], frame: Frame) -> None:
        for open_frame in self._frames:
            if open_frame.name in names:
                outer = open_frame.name
                raise Refusal(f"<{frame.name}> is nested in <{outer}>; close <{outer}> first", frame.at)

    def _break(self, frame: Frame) -> Frame:
        if seconds := break_seconds(self._usable(frame, break_seconds)):
            self._end_passage(",")
            self._wait(seconds, frame.at)
        return frame

    def _wait(self, seconds: float, at: int) -> None:
        self._pause_seconds += seconds
        self._all_pauses_seconds += seconds
        if self._all_pauses_seconds > MAX_PAUSE_SECONDS:
            raise Refusal(f"the pauses add up to more than {MAX_PAUSE_SECONDS:g} s; split the document", at)

    def _mark(self, frame: Frame) -> Frame:
        self._building(frame).add_mark(mark_name(frame))
        return frame

    # --- end of elements -----------------------------------------------------------------------------------------

    def _say_as(self, frame: Frame, at: int) -> None:
        content, start, _ = self._taken(at)
        kind, form = frame.attribute("interpret-as"), frame.attribute("format")
        language = self._speakers.voice(frame).language
        try:
            pieces = say_as(kind, form, content, language)
        except (LookupError, ValueError) as fault:
            if self._skips_unsupported:
                if kind not in CENSORED:
                    self._say_plainly(content, start, frame)
                return
            raise say_as_refusal(fault, frame, content) from None
        builder = self._building(frame)
        for piece in pieces:
            override = Override(0, 0, alone=piece.alone) if piece.alone else None
            source = (start + piece.start, start + piece.stop)
            builder.add_replaced(piece.text, source, frame.prosody, override)

    def _sub(self, frame: Frame, at: int) -> None:
        _, start, stop = self._taken(at)
        alias = frame.attribute("alias").translate(_BLANK)
        if not alias:
            raise Refusal("<sub> has no attribute alias; set it to the text to speak", frame.at)
        self._building(frame).add_replaced(alias, (start, stop), frame.prosody)

    def _phoneme(self, frame: Frame, at: int) -> None:
        content, start, stop = self._taken(at)
        try:
            ipa = phonemes(frame, self._speakers.voice(frame))
        except Refusal:
            if not self._skips_unsupported:
                raise
            self._say_plainly(content, start, frame)
            return
        text = content.translate(_BLANK).strip()
        word = text if is_speakable(text) else _PLACEHOLDER
        self._building(frame).add_replaced(word, (start, stop), frame.prosody, Override(0, 0, ipa=ipa))

    def _say_plainly(self, content: str, at: int, frame: Frame) -> None:
        self._building(frame).add(content.translate(_BLANK), at, frame.prosody)

    def _taken(self, at: int) -> tuple[str, int, int]:
        """Returns the text of the element that has just ended, and its source offsets."""
        parts, self._content = self._content, []
        start, stop = (parts[0][1], parts[-1][2]) if parts else (at, at)
        return "".join(text for text, _, _ in parts), start, stop

    # --- passages ------------------------------------------------------------------------------------------------

    def _say(self, text: str, at: int, stop: int) -> None:
        builder = self._building(self._frames[-1])
        prosody = self._frames[-1].prosody
        if stop - at == len(text):
            builder.add(text, at, prosody)
        else:  # a character reference
            builder.add_reference(text, (at, stop), prosody)

    def _building(self, frame: Frame) -> PassageBuilder:
        """Returns the current passage, or a new one if the speaker changes."""
        if (self._builder.voice, self._builder.speaker) != (frame.voice, frame.speaker):
            self._end_passage(",")
            self._builder = PassageBuilder(frame.voice, frame.speaker)
        return self._builder

    def _end_passage(self, ending: str) -> None:
        passage = self._builder.close(ending)
        self._builder = PassageBuilder(self._builder.voice, self._builder.speaker)
        if passage is None:
            return
        pause, self._pause_seconds = self._pause_seconds, 0.0
        self._passages.append(replace(passage, pause_seconds=pause))
