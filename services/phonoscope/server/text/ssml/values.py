"""Parses SSML attribute values into ratios, decibels and seconds. Source: SSML 1.1, sections 3.2.3 and 3.2.4.

SSML leaves the meaning of labels such as "slow" to the processor; the values here are ours. Every function raises
ValueError with the valid values.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from phonoscope.server.emotions import Prosody

RATES: Final[Mapping[str, float]] = {
    "x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.35, "x-fast": 1.75
}  # fmt: skip
PITCHES: Final[Mapping[str, float]] = {
    "x-low": 0.7, "low": 0.85, "medium": 1.0, "default": 1.0, "high": 1.2, "x-high": 1.45
}  # fmt: skip
VOLUMES_DB: Final[Mapping[str, float]] = {
    "silent": -math.inf, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0
}  # fmt: skip
EMPHASES: Final[Mapping[str, Prosody]] = {
    "strong": Prosody(rate=0.85, pitch=1.12, gain_db=3.0),
    "moderate": Prosody(rate=0.92, pitch=1.06, gain_db=1.5),
    "none": Prosody(),
    "reduced": Prosody(rate=1.1, pitch=0.97, gain_db=-2.0),
}
STRENGTHS_SECONDS: Final[Mapping[str, float]] = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0
}  # fmt: skip
RATE_RANGE: Final = (0.25, 4.0)
PITCH_RANGE: Final = (0.5, 2.0)
HERTZ_RANGE: Final = (20.0, 1000.0)
VOLUME_RANGE_DB: Final = (-96.0, 16.0)
LONGEST_BREAK_SECONDS: Final = 10.0

_NUMBER: Final = r"(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})"
_PERCENT: Final = re.compile(rf"([+-]?){_NUMBER}%")
_RATIO: Final = re.compile(_NUMBER)
_SEMITONES: Final = re.compile(rf"([+-]){_NUMBER}st")
_HERTZ: Final = re.compile(rf"([+-]?){_NUMBER}Hz")
_DECIBELS: Final = re.compile(rf"([+-]){_NUMBER}dB")
_SECONDS: Final = re.compile(rf"\+?{_NUMBER}(ms|s)")


class Pitch(NamedTuple):
    """A ratio to the speaker's own pitch, and an offset in hertz."""

    ratio: float
    hertz: float


def rate(value: str, current: float) -> float:
    """Parses a speaking rate into a ratio: a label, a percentage of the default rate, or a change in percent."""
    if value in RATES:
        return RATES[value]
    if found := _PERCENT.fullmatch(value):
        asked = float(found[2]) / 100
        ratio = asked if not found[1] else _changed(found[1], asked) * current
    elif found := _RATIO.fullmatch(value):
        ratio = float(found[1])
    else:
        raise ValueError(f"use one of {', '.join(RATES)}, or a percentage such as 80% or +10%")
    return _within(ratio, RATE_RANGE, "25% to 400% of the default rate")


def pitch(value: str, current: Pitch) -> Pitch:
    """Parses a pitch: a label, hertz, or a change in percent, semitones or hertz."""
    if value in PITCHES:
        return Pitch(PITCHES[value], 0.0)
    if (found := _PERCENT.fullmatch(value)) and found[1]:
        changed = _turned(current, _changed(found[1], float(found[2]) / 100))
    elif found := _SEMITONES.fullmatch(value):
        changed = _turned(current, 2 ** (_signed(found[1], float(found[2])) / 12))
    elif (found := _HERTZ.fullmatch(value)) and found[1]:
        changed = Pitch(current.ratio, current.hertz + _signed(found[1], float(found[2])))
    elif found:
        changed = Pitch(0.0, float(found[2]))
    else:
        advice = "hertz such as 120Hz, or a change such as +10%, -2st or +15Hz"
        raise ValueError(f"use one of {', '.join(PITCHES)}, {advice}")
    return _limited(changed)


def _turned(pitch: Pitch, ratio: float) -> Pitch:
    return Pitch(pitch.ratio * ratio, pitch.hertz * ratio)


def _limited(pitch: Pitch) -> Pitch:
    """Checks that a pitch is in the range of any voice; the actual voice's range is applied when it is known."""
    if not pitch.hertz:
        return Pitch(_within(pitch.ratio, PITCH_RANGE, "a pitch within one octave of the voice's own"), 0.0)
    low, high = HERTZ_RANGE
    least = -high if pitch.ratio else low
    return Pitch(pitch.ratio, _within(pitch.hertz, (least, high), f"{least:g}Hz to {high:g}Hz"))


def volume_db(value: str, current: float) -> float:
    """Parses a gain in decibels: a label, or a change in decibels or in percent of the amplitude."""
    if value in VOLUMES_DB:
        return VOLUMES_DB[value]
    if found := _DECIBELS.fullmatch(value):
        change = _signed(found[1], float(found[2]))
    elif (found := _PERCENT.fullmatch(value)) and found[1]:
        ratio = _changed(found[1], float(found[2]) / 100)
        change = 20 * math.log10(ratio) if ratio > 0 else -math.inf
    else:
        raise ValueError(f"use one of {', '.join(VOLUMES_DB)}, or a change such as +6dB, -3.5dB or +10%")
    if change == -math.inf:
        return change
    return min(current + _within(change, VOLUME_RANGE_DB, "-96dB to +16dB"), VOLUME_RANGE_DB[1])


def seconds(value: str) -> float:
    """Parses a duration in CSS format, such as 500ms or 1.5s, into seconds."""
    if not (found := _SECONDS.fullmatch(value)):
        raise ValueError("use a duration such as 500ms or 1.5s")
    duration = float(found[1]) / (1000 if found[2] == "ms" else 1)
    return _within(duration, (0.0, LONGEST_BREAK_SECONDS), f"at most {LONGEST_BREAK_SECONDS:g}s")


def _signed(sign: str, number: float) -> float:
    return -number if sign == "-" else number


def _changed(sign: str, share: float) -> float:
    return 1 + _signed(sign, share)


def _within(value: float, limits: tuple[float, float], words: str) -> float:
    low, high = limits
    nearest = min(max(value, low), high)
    if not math.isclose(value, nearest):  # two steps of six semitones may exceed an octave by a rounding error
        raise ValueError(f"use {words}")
    return nearest
