"""Mixtures of voices, as Kokoro's users write them: "af_bella(2)+af_sky(1)". Called by `voice_choice.py`.

A mixture is a voice of its own to all layers but the engine, which blends the loaded voices by their weights. Its id
is canonical, so that the same weights have the same name: whole numbers without a common divisor; 1 is left out. It
is valid in a request, so that numbers above the maximum become decimal fractions.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.messages import listed, shown
from phonoscope.server.types import Mixture, Voice

MAX_PARTS: Final = 8
WEIGHT_RANGE: Final = (Decimal("0.0001"), Decimal(1000))
_SIGNS: Final = frozenset("+()")
_STEPS: Final = 10_000  # of a weight of 1
_PART: Final = re.compile(r"(?P<name>[^()]+)(?:\((?P<weight>[^()]*)\))?")
_EXAMPLE: Final = "af_bella(2)+af_sky(1)"


def is_mixture(name: str) -> bool:
    """Whether a name is written as a mixture is, or as a part of one."""
    return not _SIGNS.isdisjoint(name)


def parts_of(written: str) -> list[tuple[str, int]]:
    """Returns the names in a mixture, each with its weight in steps of 1 / 10 000.

    Raises:
        InvalidRequest: MIXTURE_INVALID: it has too many parts, or one that is not NAME or NAME(WEIGHT).
    """
    if (count := written.count("+") + 1) > MAX_PARTS:
        raise _invalid(f"has {count} voices; mix at most {MAX_PARTS}")
    return [_part(part.strip()) for part in written.split("+")]


def _part(written: str) -> tuple[str, int]:
    if not written:
        raise _invalid(f"has a + without a voice on both sides; write a mixture such as {_EXAMPLE}")
    if written.count("(") > written.count(")"):
        raise _invalid(f"{shown(written)} has no closing bracket; write NAME or NAME(WEIGHT), as in {_EXAMPLE}")
    if not (match := _PART.fullmatch(written)):
        raise _invalid(f"{shown(written)} is not part of a mixture; write NAME or NAME(WEIGHT), as in {_EXAMPLE}")
    name = match["name"].strip()
    return name, _steps(name, match["weight"])


def _steps(name: str, written: str | None) -> int:
    """Returns a weight in steps; an absent one is 1."""
    if written is None:
        return _STEPS
    low, high = WEIGHT_RANGE
    try:
        weight = Decimal(written)
        is_valid = low <= weight <= high  # raises for NaN
    except InvalidOperation:
        is_valid = False
    if not is_valid:
        raise _invalid(f"the weight {shown(written)} of {shown(name)} is not valid; use a number from {low} to {high}")
    return round(weight * _STEPS)


def mixture_of(parts: Sequence[tuple[Voice, int]], able: Sequence[str]) -> Voice:
    """Returns the voice that mixes these by their weights; one voice alone is itself.

    It has the language, and with it the front end, of the first.

    Args:
        parts: loaded voices and weights, at least one.
        able: names of voices that can be mixed, for the error.

    Raises:
        InvalidRequest: MIXTURE_INVALID: two of them cannot be mixed, or are the same.
    """
    voices = [voice for voice, _ in parts]
    for number, voice in enumerate(voices):
        _check_mixable(voice, voices[0], able)
        if voice in voices[:number]:
            raise _invalid(f"has {voice.id} twice; write it once, with the sum of its weights")
    if len(voices) == 1:
        return voices[0]
    divisor = math.gcd(*(weight for _, weight in parts))
    mixture = tuple((voice.id, weight // divisor) for voice, weight in parts)
    genders = {voice.gender for voice in voices}
    gender = voices[0].gender if len(genders) == 1 else ""
    name = _name_of(mixture)
    return replace(voices[0], id=name, mixture=mixture, gender=gender, grade="", quality="", aliases=())


def _name_of(mixture: Mixture) -> str:
    unit = Decimal(1)
    while max(weight for _, weight in mixture) * unit > WEIGHT_RANGE[1]:
        unit /= 10
    weights = ((name, (weight * unit).normalize()) for name, weight in mixture)
    return "+".join(name if weight == 1 else f"{name}({weight:f})" for name, weight in weights)


def _check_mixable(voice: Voice, first: Voice, able: Sequence[str]) -> None:
    if voice.mixture:
        raise _invalid(f"{voice.id} is a mixture itself; write each of its voices with a weight")
    if not voice.mixing_group:
        advice = f"mix voices such as {listed(able)}" if able else "no loaded voice can be mixed"
        raise _invalid(f"{voice.id} cannot be mixed, because its engine does not support it; {advice}")
    if voice.mixing_group != first.mixing_group:
        raise _invalid(
            f"{first.id} and {voice.id} cannot be mixed, because they are voices of two models, "
            f"{first.mixing_group} and {voice.mixing_group}; use voices of one model"
        )


def _invalid(description: str) -> InvalidRequest:
    return InvalidRequest.of("speaker_id", description, reason="MIXTURE_INVALID")
