"""SSML elements: the attributes allowed in each, and their values.

Called by `document.py`. Errors name the invalid attribute. Source: SSML 1.1 (W3C Recommendation, 2010), chapter 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.messages import shown
from phonoscope.server.text.ipa_symbols import UnknownSymbol, known_ipa
from phonoscope.server.text.safe_xml import Refusal
from phonoscope.server.text.ssml import values
from phonoscope.server.types import Voice

LONGEST_MARK: Final = 128
LONGEST_IPA: Final = 200
VERSIONS: Final = ("1.0", "1.1")
LANGUAGE_FAILURES: Final = ("changevoice", "ignoretext", "ignorelang", "processorchoice")
T = TypeVar("T")
# Attributes allowed in each element, besides xml:lang, xml:base and similar ones.
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "speak": ("version", "onlangfailure"),
    "p": ("onlangfailure",),
    "s": ("onlangfailure",),
    "break": ("time", "strength"),
    "prosody": ("rate", "pitch", "volume"),
    "emphasis": ("level",),
    "say-as": ("interpret-as", "format", "detail"),
    "sub": ("alias",),
    "phoneme": ("ph", "alphabet"),
    "voice": ("name", "languages", "onlangfailure"),
    "lang": ("onlangfailure",),
    "mark": ("name",),
    "w": ("role", "onlangfailure"),
    "token": ("role", "onlangfailure"),
}


class Unsupported(Refusal):
    """A part of SSML that this reader does not support."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An open element and the state in effect within it.

    Attributes:
        name: of the element; "" for an ignored one.
        at: its start offset.
        prosody: rate, pitch and gain.
        voice, speaker: the current ones; None for the request's own.
        is_heard: whether its text is spoken.
        language_failure: what to do if no voice supports a language, one of LANGUAGE_FAILURES.
    """

    name: str
    at: int
    prosody: Prosody = NEUTRAL
    voice: Voice | None = None
    speaker: int = 0
    attributes: Mapping[str, str] | None = None
    is_heard: bool = True
    language_failure: str = "processorchoice"

    def attribute(self, name: str) -> str:
        """Returns an attribute's value, "" if it is absent."""
        return (self.attributes or {}).get(name, "").strip()


def check_version(frame: Frame) -> None:
    """Rejects a <speak> of an unsupported version."""
    version = frame.attribute("version")
    if version and version not in VERSIONS:
        raise Refusal(f"<speak>: version={shown(version)} is not supported; use {' or '.join(VERSIONS)}", frame.at)


def language_failure(frame: Frame) -> str:
    """Returns an element's setting for unsupported languages, or the inherited one."""
    return _labelled(frame, "onlangfailure", frame.language_failure, {one: one for one in LANGUAGE_FAILURES})


def break_seconds(frame: Frame) -> float:
    """Returns the duration of a <break>."""
    seconds = _labelled(frame, "strength", "medium", values.STRENGTHS_SECONDS)
    return _value(frame, "time", values.seconds) if frame.attribute("time") else seconds


def prosody(frame: Frame) -> Prosody:
    """Returns the inherited prosody as changed by <prosody>."""
    own = frame.prosody
    pitch, pitch_hz = _changed(frame, "pitch", values.Pitch(own.pitch, own.pitch_hz), values.pitch)
    return replace(
        own,
        rate=_changed(frame, "rate", own.rate, values.rate),
        pitch=pitch,
        pitch_hz=pitch_hz,
        gain_db=_changed(frame, "volume", own.gain_db, values.volume_db),
    )


def emphasis(frame: Frame) -> Prosody:
    """Returns the inherited prosody as changed by <emphasis>."""
    own, more = frame.prosody, _labelled(frame, "level", "moderate", values.EMPHASES)
    return replace(
        own,
        rate=own.rate * more.rate,
        pitch=own.pitch * more.pitch,
        pitch_hz=own.pitch_hz * more.pitch,
        gain_db=own.gain_db + more.gain_db,
    )


def mark_name(frame: Frame) -> str:
    """Returns the name of a <mark>."""
    name = frame.attribute("name")
    if not name or len(name) > LONGEST_MARK:
        raise Refusal(f"<mark> requires the attribute name with 1 to {LONGEST_MARK} characters", frame.at)
    return name


def phonemes(frame: Frame, voice: Voice) -> str:
    """Returns the IPA of a <phoneme>, which the voice must support."""
    alphabet, ipa = frame.attribute("alphabet") or "ipa", frame.attribute("ph")
    if alphabet != "ipa":
        raise Unsupported(f"<phoneme>: alphabet={shown(alphabet)} is not supported; use ipa", frame.at)
    if not ipa or len(ipa) > LONGEST_IPA:
        raise Refusal(f"<phoneme> requires the attribute ph with 1 to {LONGEST_IPA} characters of IPA", frame.at)
    try:
        return known_ipa(ipa, voice)
    except UnknownSymbol as fault:
        raise Refusal(f"<phoneme>: ph={shown(ipa)} is not valid: {fault}", frame.at) from None


def say_as_refusal(fault: LookupError | ValueError, frame: Frame, content: str) -> Refusal:
    """Returns the refusal of a <say-as> for what `say_as.say_as` raised."""
    if isinstance(fault, LookupError):
        return Unsupported(f"<say-as>: {fault.args[0]}", frame.at)
    kind = shown(frame.attribute("interpret-as"))
    return Refusal(f"<say-as interpret-as={kind}>: {shown(content.strip())} {fault}", frame.at)


def _labelled(frame: Frame, name: str, default: str, known: Mapping[str, T]) -> T:
    """Returns the value of an attribute's label, or rejects it and lists the valid ones."""
    label = frame.attribute(name) or default
    if label not in known:
        raise Refusal(f"<{frame.name}>: {name}={shown(label)} is not valid; use one of {', '.join(known)}", frame.at)
    return known[label]


def _changed(frame: Frame, name: str, current: T, read: Callable[[str, T], T]) -> T:
    if not frame.attribute(name):
        return current
    return _value(frame, name, lambda value: read(value, current))


def _value(frame: Frame, name: str, read: Callable[[str], T]) -> T:
    """Returns an attribute's parsed value, or rejects it by name."""
    value = frame.attribute(name)
    try:
        return read(value)
    except ValueError as fault:
        raise Refusal(f"<{frame.name}>: {name}={shown(value)} is not valid; {fault}", frame.at) from None
