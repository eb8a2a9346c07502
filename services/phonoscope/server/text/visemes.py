"""Maps phonemes to mouth shapes: the fifteen visemes of MPEG-4 (ISO/IEC 14496-2, table C-1).

The table covers sounds of English; those of other languages map to the viseme with the same place of articulation.
Glottal sounds have no visible movement and map to the viseme of silence.
"""

from typing import Final

SILENCE: Final = "sil"
_SOUNDS: Final = {
    "pp": "p b m ɓ ɸ β ʙ ɱ ʘ",
    "ff": "f v ʋ ⱱ",
    "th": "θ ð",
    "dd": "t d ʈ ɖ ɗ ǀ ǃ ǂ",
    "kk": "k ɡ q ɢ ŋ ɴ x ɣ χ ʁ ɠ ʛ ħ ʕ ɰ",
    "ch": "ʃ ʒ ɕ ʑ ʂ ʐ ç ʝ c ɟ ʄ ɧ",
    "ss": "s z ɬ ɮ",
    "nn": "n l ɲ ɳ ɭ ʎ ʟ ɫ ɾ ɺ",
    "rr": "ɹ r ɻ ɽ ʀ ɝ ɜ ɚ",
    "aa": "a ɑ æ ɐ ɶ ʌ",
    "e": "e ɛ ø œ ə ɘ ɤ",
    "ih": "i ɪ y ʏ ɨ ᵻ j ɥ",
    "oh": "o ɔ ɒ ɵ ɞ",
    "ou": "u ʊ ʉ ɯ ᵿ w ʍ",
}
VISEMES: Final = (SILENCE, *_SOUNDS)
"""In the order of their numbers."""
_OF_SOUND: Final = {sound: viseme for viseme, sounds in _SOUNDS.items() for sound in sounds.split()}
_STRESS: Final = "ˈˌ"


def viseme_of(phoneme: str) -> str:
    """Returns the viseme of a phoneme, which may include stress, length and diacritics."""
    return _OF_SOUND.get(phoneme.lstrip(_STRESS)[:1], SILENCE)
