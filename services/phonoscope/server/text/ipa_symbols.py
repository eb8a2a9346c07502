"""Parses user-written IPA: checks every symbol by name and normalises alternative spellings.

Called for pronunciations in requests, documents and lexicons. Source: the chart of the International Phonetic
Association (2020), plus the few other symbols that espeak-ng writes.
"""

import unicodedata
from typing import Final

from phonoscope.server.text.phoneme_ids import split_phonemes
from phonoscope.server.types import Voice

_CONSONANTS: Final = "pbtdʈɖcɟkɡqɢʔmɱnɳɲŋɴʙrʀⱱɾɽɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɬɮʋɹɻjɰlɭʎʟʘǀǃǂǁɓɗʄɠʛʍwɥʜʢʡɕʑɺɧɫ"
_VOWELS: Final = "iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒɚɝᵻᵿ"
_MODIFIERS: Final = "ˈˌːˑʰʷʲˠˤⁿˡʼ˞˥˦˧˨˩ "
_SYMBOLS: Final = frozenset(_CONSONANTS + _VOWELS + _MODIFIERS)
# Keyboard characters that users type in place of IPA symbols.
_LOOKALIKES: Final = {"g": "ɡ", ":": "ː", "'": "ˈ", "’": "ˈ", "ʹ": "ˈ", "\t": " ", "\n": " ", "\u00a0": " "}
# Syllable breaks, group breaks, linking marks, ties and brackets have no sound.
_SILENT: Final = frozenset(".‿|‖/[]\u0361\u035c")
_FIRST_COMBINING, _LAST_COMBINING = "\u0300", "\u036f"


class UnknownSymbol(ValueError):
    """A character that is not an IPA symbol; `str()` of it is a message for the caller."""


def read_ipa(text: str) -> str:
    """Returns the phonemes (NFD) without silent symbols.

    Raises:
        UnknownSymbol: a character is not an IPA symbol, or there are no phonemes.
    """
    symbols = []
    for symbol in unicodedata.normalize("NFD", text):
        if symbol in _SILENT:
            continue
        known = _LOOKALIKES.get(symbol, symbol)
        if known not in _SYMBOLS and not _FIRST_COMBINING <= known <= _LAST_COMBINING:
            raise UnknownSymbol(f"{named(symbol)} is not an IPA symbol")
        symbols.append(known)
    phonemes = "".join(symbols).strip()
    if not any(symbol in _CONSONANTS or symbol in _VOWELS for symbol in phonemes):
        raise UnknownSymbol(f"{text!r} contains no vowel and no consonant")
    return phonemes


def known_ipa(ipa: str, voice: Voice) -> str:
    """Returns the phonemes of `ipa` after checking that the voice supports every symbol.

    Raises:
        UnknownSymbol: the voice does not support a symbol, `ipa` is not IPA, or the voice does not accept IPA.
    """
    if "ipa" not in voice.alphabets:
        raise UnknownSymbol(f"{voice.id} does not support IPA; use a respelling (<sub> in SSML), or another voice")
    phonemes = read_ipa(ipa)
    for symbol in split_phonemes(phonemes, voice.phonemes.clusters):
        if symbol not in voice.phonemes.ids:
            raise UnknownSymbol(f"{voice.id} does not support {' '.join(map(named, symbol))}; use another symbol")
    return phonemes


def named(symbol: str) -> str:
    """Returns a symbol formatted for messages: quoted, with its code point and its name."""
    name = unicodedata.name(symbol, "a control character")
    return f"{symbol!r} (U+{ord(symbol):04X}, {name})"
