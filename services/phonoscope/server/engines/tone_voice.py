"""Voices of the tone engine: plain text, whose letters and digits sound and whose other characters are pauses."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase, digits, punctuation
from typing import Final

from phonoscope.server.types import PhonemeScheme, Voice

# Its pitch is all that is taken from a recording.
REFERENCE_RATE_HZ: Final = 16_000
_MARKS: Final = ("_", "^", "$")
_MARK_FRAMES: Final = 1
_GAP_FRAMES: Final = 4
_STOP_FRAMES: Final = 12
_STOPS: Final = ".,;:!?"


def tone_voice(
    voice_id: str = "tone",
    *,
    language: str = "en-US",
    sample_rate_hz: int = 22_050,
    speakers: Sequence[str] = (),
) -> Voice:
    """Returns a voice for ToneEngine that reads plain text: letters and digits sound, the rest are pauses.

    It takes a recording to speak like.
    """
    return Voice(
        id=voice_id,
        language=language,
        sample_rate_hz=sample_rate_hz,
        phonemes=PhonemeScheme(kind="text", espeak_voice="", ids=_text_ids()),
        speakers=tuple(speakers),
        engine="tone",
        reference_use="optional",
        reference_rate_hz=REFERENCE_RATE_HZ,
    )


def _text_ids() -> dict[str, tuple[int, ...]]:
    symbols = [*_MARKS, " ", *(sign for sign in punctuation if sign not in _MARKS), *digits, *ascii_lowercase]
    ids: dict[str, tuple[int, ...]] = {symbol: (number,) for number, symbol in enumerate(symbols)}
    return ids | {letter.upper(): ids[letter] for letter in ascii_lowercase}


def pauses(ids: Mapping[str, tuple[int, ...]]) -> dict[int, int]:
    """Returns the frames of each id that is silent: marks, spaces and whatever is no letter and no digit."""
    found: dict[int, int] = {}
    for symbol, numbers in ids.items():
        if symbol in _MARKS:
            frames = _MARK_FRAMES
        elif symbol in _STOPS:
            frames = _STOP_FRAMES
        elif not symbol.isalnum():
            frames = _GAP_FRAMES
        else:
            continue
        found |= dict.fromkeys(numbers, frames)
    return found
