"""Reads what people write as IPA: checks every symbol by name, and settles for one spelling where there are several.

Called for pronunciations of requests, documents and lexicons. Source: the chart of the International Phonetic
Association (2020), and the few symbols beyond it that espeak-ng writes.
"""

import unicodedata
from typing import Final

from phonoscope.server.text.phoneme_ids import split_phonemes
from phonoscope.server.types import Voice

_CONSONANTS: Final = "pbtdʈɖcɟkɡqɢʔmɱnɳɲŋɴʙrʀⱱɾɽɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɬɮʋɹɻjɰlɭʎʟʘǀǃǂǁɓɗʄɠʛʍwɥʜʢʡɕʑɺɧɫ"
_VOWELS: Final = "iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒɚɝᵻᵿ"
_MODIFIERS: Final = "ˈˌːˑʰʷʲˠˤⁿˡʼ˞˥˦˧˨˩ "
_SYMBOLS: Final = frozenset(_CONSONANTS + _VOWELS + _MODIFIERS)
# Keyboards have no IPA: what is typed in its place.
_LOOKALIKES: Final = {"g": "ɡ", ":": "ː", "'": "ˈ", "’": "ˈ", "ʹ": "ˈ", "\t": " ", "\n": " ", "\u00a0": " "}
# Breaks between syllables, groups and linked words say nothing that a voice could hear; nor do ties and brackets.
_SILENT: Final = frozenset(".‿|‖/[]\u0361\u035c")
_FIRST_COMBINING, _LAST_COMBINING = "\u0300", "\u036f"


class UnknownSymbol(ValueError):
    """A character that no IPA has; `str()` of it is fit for the caller."""


def read_ipa(text: str) -> str:
    """Returns the phonemes (NFD) without what is silent.

    Raises:
        UnknownSymbol: a character is no IPA, or there are no phonemes at all.
    """
    symbols = []
    for symbol in unicodedata.normalize("NFD", text):
        if symbol in _SILENT:
            continue
        known = _LOOKALIKES.get(symbol, symbol)
        if known not in _SYMBOLS and not _FIRST_COMBINING <= known <= _LAST_COMBINING:
            raise UnknownSymbol(f"{named(symbol)} is no IPA symbol")
        symbols.append(known)
    phonemes = "".join(symbols).strip()
    if not any(symbol in _CONSONANTS or symbol in _VOWELS for symbol in phonemes):
        raise UnknownSymbol(f"{text!r} has no sound in it")
    return phonemes


def known_ipa(ipa: str, voice: Voice) -> str:
    """Returns phonemes of which the voice knows every symbol.

    Raises:
        UnknownSymbol: it does not, or they are no IPA, or the voice takes no IPA.
    """
    if "ipa" not in voice.alphabets:
        raise UnknownSymbol(f"{voice.id} takes no phonemes; send a respelling, or another speaker_id")
    phonemes = read_ipa(ipa)
    for symbol in split_phonemes(phonemes, voice.phonemes.clusters):
        if symbol not in voice.phonemes.ids:
            raise UnknownSymbol(f"{voice.id} has no sound for {' '.join(map(named, symbol))}")
    return phonemes


def named(symbol: str) -> str:
    """Returns a symbol as a message may show it: quoted, with its number and its name."""
    name = unicodedata.name(symbol, "a control character")
    return f"{symbol!r} (U+{ord(symbol):04X}, {name})"
