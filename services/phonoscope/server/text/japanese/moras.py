"""Writes the kana of a pronunciation in IPA. Called by `reading.py` and `phonemizer.py`.

Sources: the syllabary, and of several usual transcriptions the one of misaki's Japanese, on which Kokoro v1.0 was
trained: broad, with ɴ for a nasal that has no place of its own, and without pitch accent. Long consonants are written
as in IPA: 切手 is "kʲitːe".
"""

import re
from typing import Final

_VOWELS: Final = "aiɯeo"
# Five kana, the consonants before a, i and u, and the vowel u after its consonant.
_ROWS: Final = (
    ("アイウエオ", "", "", "", "ɯ"),
    ("カキクケコ", "k", "kʲ", "k", "ɯ"),
    ("ガギグゲゴ", "ɡ", "ɡʲ", "ɡ", "ɯ"),
    ("サシスセソ", "s", "ɕ", "s", "ɨ"),
    ("ザジズゼゾ", "dz", "dʑ", "z", "ɨ"),
    ("タチツテト", "t", "tɕ", "ts", "ɨ"),
    ("ダヂヅデド", "d", "dʑ", "z", "ɨ"),
    ("ナニヌネノ", "n", "ɲ", "n", "ɯ"),
    ("ハヒフヘホ", "h", "ç", "ɸ", "ɯ"),
    ("バビブベボ", "b", "bʲ", "b", "ɯ"),
    ("パピプペポ", "p", "pʲ", "p", "ɯ"),
    ("マミムメモ", "m", "mʲ", "m", "ɯ"),
    ("ラリルレロ", "ɾ", "ɾʲ", "ɾ", "ɯ"),
)
_OTHERS: Final = {
    "ヤ": ("j", "a"), "ユ": ("j", "ɯ"), "ヨ": ("j", "o"), "ワ": ("ɰ", "a"), "ヰ": ("", "i"), "ヱ": ("", "e"),
    "ヲ": ("", "o"), "ヴ": ("v", "ɯ"), "ヷ": ("v", "a"), "ヸ": ("vʲ", "i"), "ヹ": ("v", "e"), "ヺ": ("v", "o"),
}  # fmt: skip
_SMALL: Final = {
    "ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "a", "ュ": "ɨ", "ョ": "o", "ヮ": "a",
}  # fmt: skip
_ALONE: Final = dict(zip("ァィゥェォャュョヮヵヶ", "アイウエオヤユヨワカケ", strict=True))
_GLIDES: Final = "ャュョ"
# The consonant of a kana before a small one, where it is not its own.
_BEFORE_SMALL: Final = {"ウ": "ɰ", "イ": "j", "ク": "kʷ", "グ": "ɡʷ"}
_PALATAL_BEFORE_I: Final = "テデツフヴ"
_SAME_AS_B: Final = "ヴ"  # before a glide: ヴュ is the sound of ビュ

LONG: Final = "ー"
SHORT_STOP: Final = "ッ"
NASAL: Final = "ン"
_NASALS: Final = {"m": ("m", "p", "b"), "ŋ": ("k", "ɡ"), "ɲ": ("ɲ", "tɕ", "dʑ"), "n": ("n", "t", "d", "ɾ", "z")}
_AFFRICATES: Final = ("ts", "dz")
_PLACELESS: Final = "ɴ"
_LENGTH: Final = "ː"

_TO_KATAKANA: Final = {code: code + 0x60 for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
_EXTENSIONS: Final = dict(zip("ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ", "クシストヌハヒフヘホムラリルレロ", strict=True))
_FLAT: Final = str.maketrans(_TO_KATAKANA | {ord(one): plain for one, plain in _EXTENSIONS.items()})


def _moras() -> dict[str, tuple[str, str]]:
    """Returns consonant and vowel of each kana, and of each pair of a kana and a small one."""
    moras = {
        kana: ((plain, before_i, before_u, plain, plain)[column], u if vowel == "ɯ" else vowel)
        for row, plain, before_i, before_u, u in _ROWS
        for column, (kana, vowel) in enumerate(zip(row, _VOWELS, strict=True))
    } | _OTHERS
    pairs = {kana + small: _pair(kana, moras[kana][0], small) for kana in moras for small in _SMALL}
    return moras | pairs | {small: moras[whole] for small, whole in _ALONE.items()}


def _pair(kana: str, consonant: str, small: str) -> tuple[str, str]:
    is_glide, vowel = small in _GLIDES, _SMALL[small]
    if kana in _BEFORE_SMALL and not is_glide:
        return _BEFORE_SMALL[kana], vowel
    if kana in _SAME_AS_B and is_glide:
        return "bʲ", vowel
    if not consonant.endswith(("ʲ", "ɕ", "ʑ", "ɲ", "ç")) and (
        is_glide or (small == "ィ" and kana in _PALATAL_BEFORE_I)
    ):
        return consonant + ("ʲ" if consonant else "j"), vowel
    return consonant, vowel


_MORAS: Final = _moras()
_MORA: Final = re.compile("|".join(sorted(map(re.escape, _MORAS), key=len, reverse=True)) + "|.", re.DOTALL)

LONG_CONSONANTS: Final = {
    consonant: consonant[0] + _LENGTH + consonant[1:]
    if consonant.startswith(("ts", "tɕ", "dz", "dʑ"))
    else consonant + _LENGTH
    for consonant, _ in _MORAS.values()
    if consonant and consonant[0] not in "jɰ"
}
"""Consonants after ッ, by the short ones."""


def katakana(text: str) -> str:
    """Returns a text with its kana as katakana."""
    return text.translate(_FLAT)


def is_read(kana: str) -> bool:
    """Returns whether a katakana has a sound."""
    return kana in _MORAS or kana in (LONG, SHORT_STOP, NASAL)


def ipa_of(kana: str) -> str:
    """Returns the IPA of katakana; leaves other characters as they are."""
    units = _MORA.findall(kana)
    return "".join(
        _sound(unit, units[index - 1] if index else "", units[index + 1] if index + 1 < len(units) else "")
        for index, unit in enumerate(units)
    )


def _sound(unit: str, before: str, after: str) -> str:
    """Returns the sound of a kana, or of a pair, between two others; "" for those that have none."""
    if unit == LONG:
        return _LENGTH
    if unit == NASAL:
        return _nasal_before(_MORAS[after][0] if after in _MORAS else "")
    if unit == SHORT_STOP:
        return "" if after in _MORAS and _MORAS[after][0] in LONG_CONSONANTS else "ʔ"
    if unit not in _MORAS:
        return unit
    consonant, vowel = _MORAS[unit]
    if before == SHORT_STOP:
        consonant = LONG_CONSONANTS.get(consonant, consonant)
    return consonant + vowel + _lengthening(unit, vowel)


def _lengthening(unit: str, vowel: str) -> str:
    """Returns the mark of length for a small vowel that repeats the one before it: ネェ is "neː"."""
    whole, small = unit[0], unit[1:]
    is_vowel = small in _ALONE and small not in _GLIDES
    return _LENGTH if is_vowel and _MORAS[whole][1] == vowel else ""


def _nasal_before(consonant: str) -> str:
    if not consonant or consonant in _AFFRICATES:
        return _PLACELESS
    return next((nasal for nasal, ones in _NASALS.items() if consonant.startswith(ones)), _PLACELESS)
