"""The letters of misaki's dictionaries: their IPA, and the stress of a word.

Called by `reading.py`, `inflections.py` and `phonemizer.py`. A letter stands for a diphthong or an affricate ("A" is
eɪ), a raised schwa for the syllable of the consonant after it. Source: the phonemes that misaki documents for English.
"""

import re
from typing import Final

from phonoscope.server.text.phoneme_ids import SYLLABLE_END

PRIMARY: Final = "ˈ"
SECONDARY: Final = "ˌ"
VOWELS: Final = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ" + "eoɚ")
"""Of the dictionaries, then those that espeak-ng has besides. The article "a", ɐ, is none: misaki looks beyond it."""
CONSONANTS: Final = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ" + "ᵊʔrx")

_SYLLABIC: Final = "\u0329"
_RAISED_SCHWA: Final = re.compile("ᵊ([lmnɹ])")
# Two letters of the dictionaries that would look like one sound.
_APART: Final = re.compile("(?<=t)(?=ʃ)|(?<=d)(?=ʒ)|(?<=[aɔ])(?=ɪ)|(?<=[aə])(?=ʊ)")
_SOUNDS: Final = str.maketrans(
    {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ"}
)
_FIRST_VOWEL: Final = re.compile(f"[{''.join(sorted(VOWELS))}]")


def ipa_of(letters: str) -> str:
    """Returns the IPA of a word that is written in the letters of a dictionary."""
    return _RAISED_SCHWA.sub(rf"\1{_SYLLABIC}", _APART.sub(SYLLABLE_END, letters).translate(_SOUNDS))


def begins_with_vowel(phonemes: str) -> bool | None:
    """Returns whether the first sound of letters or IPA is a vowel; None if there is no sound."""
    return next((one in VOWELS for one in phonemes if one in VOWELS or one in CONSONANTS), None)


def weakened(letters: str) -> str:
    """Returns a word with secondary stress for primary, and none for secondary."""
    return letters.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)


def with_stress(letters: str, stress: str) -> str:
    """Returns a word without stress with `stress` before its first vowel; others as they are."""
    if PRIMARY in letters or SECONDARY in letters:
        return letters
    return _FIRST_VOWEL.sub(lambda vowel: stress + vowel.group(), letters, count=1)


def emphasised(letters: str) -> str:
    """Returns a word with primary stress, in place of secondary or of none."""
    stressed = with_stress(letters, PRIMARY)
    return stressed if PRIMARY in stressed else stressed.replace(SECONDARY, PRIMARY)
