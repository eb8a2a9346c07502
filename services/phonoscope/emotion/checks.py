"""Checks the texts of a request, or raises one error that names every invalid field. Called by `servicer.py`."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.common.errors import FieldViolation, InvalidRequest
from phonoscope.emotion.types import Sentence

ALLOWED_CONTROLS: Final = "\t\n\r"
LONGEST_SHOWN: Final = 35  # the length that BCP 47 recommends to support
# Violations of one response; it has to fit into the trailers of a call.
MAX_VIOLATIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may contain."""

    max_texts: int
    max_text_characters: int


def checked(texts: Sequence[tuple[str, str]], limits: Limits, languages: Sequence[str]) -> list[Sentence]:
    """Returns the texts as sentences.

    Args:
        texts: each with its language, as received.
        limits: of a request.
        languages: that the model knows, without regions.

    Raises:
        InvalidRequest: with a violation for every invalid field, up to MAX_VIOLATIONS.
    """
    if not texts:
        raise InvalidRequest.of("texts", "is empty; send at least one text", reason="TEXT_EMPTY")
    if len(texts) > limits.max_texts:
        description = f"has {len(texts)} texts; the maximum is {limits.max_texts}; send several requests"
        raise InvalidRequest.of("texts", description, reason="TEXTS_TOO_MANY")
    faults = [
        (reason, FieldViolation(f"texts[{index}].{field}", description))
        for index, (text, language) in enumerate(texts)
        for field, reason, description in _faults(text, language, limits, languages)
    ]
    if faults:
        reasons = {reason for reason, _ in faults}
        reason = faults[0][0] if len(reasons) == 1 else "SEVERAL_FIELDS"
        raise InvalidRequest([violation for _, violation in faults[:MAX_VIOLATIONS]], reason=reason)
    return [Sentence(text, _primary(language)) for text, language in texts]


def _faults(text: str, language: str, limits: Limits, languages: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yields field, reason and description of whatever is wrong with one text."""
    if not text.strip():
        yield "text", "TEXT_EMPTY", "is empty; send at least one word"
    elif len(text) > limits.max_text_characters:
        maximum = limits.max_text_characters
        yield "text", "TEXT_TOO_LONG", f"has {len(text)} characters; the maximum is {maximum}; send single sentences"
    elif control := next((one for one in text if _is_control(one)), ""):
        at = text.index(control)
        description = f"has the control character U+{ord(control):04X} at position {at}; remove it"
        yield "text", "TEXT_CONTROL_CHARACTER", description
    if _primary(language) not in languages:
        known = ", ".join(languages)
        given = repr(language[:LONGEST_SHOWN]) if language else "the empty tag"
        description = f"{given} is not supported; use a BCP 47 tag of one of these languages: {known}"
        yield "language", "LANGUAGE_NOT_SUPPORTED", description


def _primary(language: str) -> str:
    """Returns the language without region and script."""
    return language.replace("_", "-").partition("-")[0].lower()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in ALLOWED_CONTROLS
