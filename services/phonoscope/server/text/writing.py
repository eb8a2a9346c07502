"""Detects the scripts of a text and lists the scripts of a language.

`auto` uses both to select a voice; `characters.py` asks for the scripts of single letters.

Source: Unicode Standard Annex 24 (script names), by blocks; CLDR's likely scripts for the languages that espeak-ng
supports. Languages not listed here use Latin.
"""

import bisect
import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from typing import Final

_BLOCKS: Final = (
    (0x0041, "Latin"), (0x005B, ""), (0x0061, "Latin"), (0x007B, ""), (0x00AA, "Latin"), (0x02B0, ""),
    (0x0370, "Greek"), (0x0400, "Cyrillic"), (0x0530, "Armenian"), (0x0590, "Hebrew"), (0x0600, "Arabic"),
    (0x0700, ""), (0x0750, "Arabic"), (0x0780, "Thaana"), (0x07C0, ""), (0x08A0, "Arabic"), (0x0900, "Devanagari"),
    (0x0980, "Bengali"), (0x0A00, "Gurmukhi"), (0x0A80, "Gujarati"), (0x0B00, "Oriya"), (0x0B80, "Tamil"),
    (0x0C00, "Telugu"), (0x0C80, "Kannada"), (0x0D00, "Malayalam"), (0x0D80, "Sinhala"), (0x0E00, "Thai"),
    (0x0E80, "Lao"), (0x0F00, "Tibetan"), (0x1000, "Myanmar"), (0x10A0, "Georgian"), (0x1100, "Hangul"),
    (0x1200, "Ethiopic"), (0x13A0, ""), (0x1780, "Khmer"), (0x1800, ""), (0x1C80, "Cyrillic"), (0x1C90, "Georgian"),
    (0x1CC0, ""), (0x1E00, "Latin"), (0x1F00, "Greek"), (0x2000, ""), (0x2C60, "Latin"), (0x2C80, ""),
    (0x2D00, "Georgian"), (0x2D30, ""), (0x2DE0, "Cyrillic"), (0x2E00, ""), (0x3005, "Han"), (0x3008, ""),
    (0x3041, "Kana"), (0x3100, ""), (0x3130, "Hangul"), (0x3190, ""), (0x31F0, "Kana"), (0x3200, ""),
    (0x3400, "Han"), (0x4DC0, ""), (0x4E00, "Han"), (0xA000, ""), (0xA640, "Cyrillic"), (0xA6A0, ""),
    (0xA720, "Latin"), (0xA800, ""), (0xAC00, "Hangul"), (0xD7FC, ""), (0xF900, "Han"), (0xFB00, "Latin"),
    (0xFB07, ""), (0xFB1D, "Hebrew"), (0xFB50, "Arabic"), (0xFE00, ""), (0xFE70, "Arabic"), (0xFEFF, ""),
    (0xFF21, "Latin"), (0xFF5B, ""), (0xFF66, "Kana"), (0xFFA0, "Hangul"), (0xFFE0, ""), (0x20000, "Han"),
    (0x32000, ""),
)  # fmt: skip
_STARTS: Final = [start for start, _ in _BLOCKS]
_LANGUAGES: Final = {
    "Greek": "el grc",
    "Cyrillic": "ru uk be bg mk sr kk ky tt ba cv mn tg",
    "Armenian": "hy",
    "Hebrew": "he",
    "Arabic": "ar fa ur sd ug ps",
    "Devanagari": "hi mr ne kok sa",
    "Bengali": "bn as bpy",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Oriya": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Myanmar": "my",
    "Georgian": "ka",
    "Hangul": "ko",
    "Ethiopic": "am ti",
    "Han": "zh cmn yue hak ja",
    "Kana": "ja",
}
_OTHER_SCRIPT: Final = "Latin"
_SAMPLED: Final = 64  # code points
_SAMPLES: Final = 4
_GREEK: Final = "\u0370-\u03ff\u1f00-\u1fff"
_SYMBOL_LETTERS: Final = re.compile(f"(?<![{_GREEK}])[{_GREEK}](?![{_GREEK}])|\u00b5")


def scripts_in(text: str) -> list[str]:
    """Returns the scripts of a text's letters, most frequent first; kana precedes Han if both occur.

    A single Greek letter, such as π, is a symbol and of no script.
    """
    counts = Counter(script_of(letter) for letter in _SYMBOL_LETTERS.sub("", text) if letter.isalpha())
    del counts[""]
    if counts["Kana"]:
        counts["Kana"] += counts["Han"]
    return [script for script, count in counts.most_common() if count]


def has_letters_of(scripts: Collection[str], text: str) -> bool:
    """Returns whether a text has a letter of one of the scripts; stops at the first such letter."""
    return any(script_of(letter) in scripts for letter in text if letter.isalpha())


def script_of(letter: str) -> str:
    """Returns the script of a letter's block; "" for a block that is not listed."""
    return _BLOCKS[_block(letter)][1]


def is_of_latin_script(character: str) -> bool:
    """Returns whether a letter or mark goes with Latin letters: the script itself, modifiers, combining marks."""
    if script_of(character) == "Latin":
        return True
    name = unicodedata.name(character, "")
    return name.startswith(("LATIN ", "SUPERSCRIPT LATIN ", "MODIFIER LETTER ", "COMBINING "))


@functools.lru_cache(maxsize=1024)
def samples_of_block(letter: str) -> tuple[str, ...]:
    """Returns a few letters that stand for all of a letter's block."""
    start = max(_STARTS[_block(letter)], ord(letter) & ~0xFF)
    letters = [chr(code) for code in range(start, start + _SAMPLED) if chr(code).isalpha()]
    return tuple(letters[:: max(1, len(letters) // _SAMPLES)]) or (letter,)


def _block(letter: str) -> int:
    return bisect.bisect_right(_STARTS, ord(letter)) - 1


def scripts_of(language: str) -> frozenset[str]:
    """Returns the scripts that a language, such as "ja" or "zh-CN", is written in."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    own = frozenset(script for script, languages in _LANGUAGES.items() if primary in languages.split())
    return own or frozenset({_OTHER_SCRIPT})


def languages_written_in(script: str) -> str:
    """Returns the languages of a script, formatted for messages: "ru, uk, be"; "" if there are too many to list."""
    return ", ".join(_LANGUAGES.get(script, "").split()[:3])
