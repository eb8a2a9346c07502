"""Completes the IPA of libespeak-ng 1.52.0, which omits or misspells a few phonemes.

`espeak.py` requests phonemes with a separator between them; a separator followed by nothing marks a phoneme that the
library has but does not write. Voices expect the full spelling, which piper-tts's build of the library writes. The
rules come from comparing the two over 30 000 words; docs/text.md lists the remaining differences.
"""

import re
from typing import Final

SEPARATOR: Final = "\x01"
"""Stands between phonemes; no IPA symbol, and no character that `normalise` lets through."""

_VOWEL: Final = "[ˈˌ]?[aeiouyæøœɐɑɒɔɘəɚɛɜɞɤɨɪɯɵɶʉʊʌʏᵻ]"

# A front vowel glides into a vowel: "see it" is siːʲ ɪt. One silent phoneme is the glide, two are a pause.
_GLIDE_BETWEEN_WORDS: Final = re.compile(rf"([iɪ]ː*){SEPARATOR}(?= (?:{_VOWEL}|\())")
_GLIDE_WITHIN_WORD: Final = re.compile(f"([iɪ]ː*){SEPARATOR}(?={SEPARATOR}(?:{_VOWEL}|{SEPARATOR}ɾ))")
# Other silent phonemes occur where a glide is possible: at the end of Italian words, after a German long vowel.
_ITALIAN_GLIDE_BETWEEN_WORDS: Final = re.compile(rf"(iː*){SEPARATOR}(?= (?:{_VOWEL}|\())")
_GERMAN_GLIDE_WITHIN_WORD: Final = re.compile(f"([iɪ]){SEPARATOR}(?={SEPARATOR}{_VOWEL})")
# A tap after a silent schwa loses its symbol, "ser"; Spanish also writes a trill that way, before vowels. German r is
# a trill after a plosive and before a vowel, "drei".
_TAP: Final = re.compile(f"(?:(?<={SEPARATOR}{SEPARATOR})|(?<= {SEPARATOR})|(?<=^{SEPARATOR}))r")
_SPANISH_TAP: Final = re.compile(f"{_TAP.pattern}(?!{SEPARATOR}{_VOWEL})")
_GERMAN_TRILL: Final = re.compile(f"(?<=[pbtdkɡ]{SEPARATOR})ɾ(?={SEPARATOR}{_VOWEL})")


def complete(separated: str, language: str) -> str:
    """Returns the IPA of `separated` phonemes with the omitted symbols restored, for a language such as "en"."""
    between, within = _GLIDE_BETWEEN_WORDS, _GLIDE_WITHIN_WORD
    separated = (_SPANISH_TAP if language == "es" else _TAP).sub("ɾ", separated)
    if language == "de":
        within = _GERMAN_GLIDE_WITHIN_WORD
        separated = _GERMAN_TRILL.sub("r", separated)
    elif language == "it":
        between = _ITALIAN_GLIDE_BETWEEN_WORDS
    return within.sub(r"\1ʲ", between.sub(r"\1ʲ", separated)).replace(SEPARATOR, "")
