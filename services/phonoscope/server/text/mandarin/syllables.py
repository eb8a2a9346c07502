"""Writes a syllable of pinyin in IPA, with its tone in Chao's letters after the vowel. Called by `reading.py`.

Sources: the spelling rules of Hanyu Pinyin (ISO 7098); of several usual transcriptions, the one of misaki's legacy
Chinese, on which Kokoro v1.0 was trained: broad, with nasal finals after the tone and tone 3 in full.
"""

from typing import Final

TONES: Final = {"1": "˥", "2": "˧˥", "3": "˧˩˧", "4": "˥˩", "5": ""}

_INITIALS: Final = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "tɕ", "q": "tɕʰ", "x": "ɕ", "zh": "ʈʂ", "ch": "ʈʂʰ", "sh": "ʂ", "r": "ɻ", "z": "ts", "c": "tsʰ", "s": "s",
}  # fmt: skip
# The bar is where the tone is written.
_FINALS: Final = {
    "a": "a|", "ai": "ai|", "an": "a|n", "ang": "a|ŋ", "ao": "au|",
    "e": "ɤ|", "ei": "ei|", "en": "ə|n", "eng": "ə|ŋ", "er": "ɚ|", "ê": "ɛ|",
    "i": "i|", "ia": "ja|", "ian": "jɛ|n", "iang": "ja|ŋ", "iao": "jau|", "ie": "je|", "in": "i|n", "ing": "i|ŋ",
    "io": "jɔ|", "iong": "jʊ|ŋ", "iou": "jou|",
    "o": "wo|", "ong": "ʊ|ŋ", "ou": "ou|",
    "u": "u|", "ua": "wa|", "uai": "wai|", "uan": "wa|n", "uang": "wa|ŋ", "uei": "wei|", "uen": "wə|n",
    "ueng": "wə|ŋ", "uong": "ʊ|ŋ", "uo": "wo|",
    "ü": "y|", "üan": "ɥɛ|n", "üe": "ɥe|", "ün": "y|n",
}  # fmt: skip
_WHOLE: Final = {"o": "ɔ|", "m": "m|", "n": "n|", "ng": "ŋ|", "hm": "hm|", "hng": "hŋ|", "r": "ɚ|"}
_SHORTENED: Final = {"iu": "iou", "ui": "uei", "un": "uen"}
_AFTER_PALATALS: Final = {"u": "ü", "ue": "üe", "uan": "üan", "un": "ün"}
_APICALS: Final = {**dict.fromkeys(("zh", "ch", "sh", "r"), "ɻ\u0329|"), **dict.fromkeys("zcs", "ɹ\u0329|")}


def ipa_of(pinyin: str) -> str:
    """Returns the IPA of a syllable such as "zhong1" or "lv4", tone 5 or none for neutral; "" if it is not pinyin."""
    tone = TONES.get(pinyin[-1:])
    letters = (pinyin if tone is None else pinyin[:-1]).replace("v", "ü")
    sound = _WHOLE.get(letters) or _sound(letters)
    return sound.replace("|", tone or "")


def _sound(letters: str) -> str:
    initial = letters[:2] if letters[:2] in _INITIALS else letters[:1]
    if initial not in _INITIALS:
        return _FINALS.get(_without_semivowel(letters), "")
    final = letters[len(initial) :]
    if final == "i" and initial in _APICALS:
        return _INITIALS[initial] + _APICALS[initial]
    if initial in "jqx":
        final = _AFTER_PALATALS.get(final, final)
    final = _FINALS.get(_SHORTENED.get(final, final), "")
    return final and _INITIALS[initial] + final


def _without_semivowel(letters: str) -> str:
    """Returns the final of a syllable without an initial, which pinyin writes with y or w: "you" is iou."""
    first, rest = letters[:1], letters[1:]
    if first == "y":
        if rest[:1] == "i":
            return rest
        return "ü" + rest[1:] if rest[:1] == "u" else "i" + ("ou" if rest == "ou" else rest)
    if first == "w":
        return rest if rest[:1] == "u" else "u" + rest
    return letters
