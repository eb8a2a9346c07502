"""Kokoro's alphabet: the number of each phoneme, and how espeak-ng's IPA is written in it.

Called by `config.py` and `languages.py`. Kokoro was trained on the phonemes of misaki, which has one letter for each
diphthong and affricate: "A" is eɪ. A scheme joins the phonemes that have one letter (clusters) and gives the others
their numbers, so the front end, pronunciations, timings and visemes have IPA, and only the numbers are Kokoro's.

English comes from `text/english/`, which has changed what espeak-ng and the dictionaries write differently.

Sources: the numbers are those of the published `config.json` of Kokoro-82M; the spelling follows the tables that
misaki 0.9 documents for espeak-ng. docs/kokoro.md lists the differences.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

from phonoscope.server.types import PhonemeScheme

# Runs of consecutive numbers: the first one, and the symbols.
_RUNS: Final = (
    (1, ";:,.!?"),
    (9, '—…"()“” \u0303ʣʥʦʨᵝꭧAI'),
    (31, "O"),
    (33, "Q"),
    (35, "ST"),
    (39, "W"),
    (41, "Yᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"),
    (75, "βɔɕç"),
    (80, "ɖðʤə"),
    (85, "ɚɛɜ"),
    (90, "ɟ"),
    (92, "ɡ"),
    (99, "ɥ"),
    (101, "ɨɪʝ"),
    (110, "ɯɰŋɳɲɴø"),
    (118, "ɸθœ"),
    (123, "ɹ"),
    (125, "ɾɻ"),
    (128, "ʁɽʂʃʈʧ"),
    (135, "ʊʋ"),
    (138, "ʌɣɤ"),
    (142, "χʎ"),
    (147, "ʒʔ"),
    (156, "ˈˌː"),
    (162, "ʰ"),
    (164, "ʲ"),
    (169, "↓"),
    (171, "→↗↘"),
    (177, "ᵻ"),
)
VOCABULARY: Final[Mapping[str, int]] = {
    symbol: first + offset for first, symbols in _RUNS for offset, symbol in enumerate(symbols)
}
PAD: Final = 0
"""The number at both ends of a sentence."""

_SYLLABIC: Final = "\u0329"
# Written between phonemes by espeak-ng; misaki removes it.
_HYPHEN: Final = "-"
# Between two sounds that are not one, and after a syllable of Mandarin.
_SYLLABLE_END: Final = "\u2060"

_DIPHTHONGS: Final = {"aɪ": "I", "aʊ": "W", "eɪ": "A", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ"}
_SYLLABICS: Final = {f"{consonant}{_SYLLABIC}": f"ᵊ{consonant}" for consonant in "lmnrɹ"}
# Brackets are wide in the phonemes of our own front ends: "(en)" is espeak-ng's change to a language.
_MARKS: Final = {_SYLLABLE_END: "", "（": "(", "）": ")"}
_ENGLISH: Final = {
    **_DIPHTHONGS,
    **_SYLLABICS,
    **_MARKS,
    f"ʔn{_SYLLABIC}": "tn",
    f"ʔˌn{_SYLLABIC}": "tn",
    "ʲo": "jo",
    "ʲə": "jə",
    "ʲ": "",
    "e": "A",
    "r": "ɹ",
    "x": "k",
    "c\u0327": "k",  # ç, decomposed
    "ɚ": "əɹ",
    "ɬ": "l",
    "ɾ": "T",
    "ʔ": "t",
    "o": "ɔ",
    "\u0303": "",
    _SYLLABIC: "",
    _HYPHEN: "",
}
AMERICAN: Final[Mapping[str, str]] = {**_ENGLISH, "oʊ": "O", "ɜː": "ɜɹ", "ɜːɹ": "ɜɹ", "ː": ""}
BRITISH: Final[Mapping[str, str]] = {**_ENGLISH, "əʊ": "Q", "eə": "ɛː"}
OTHERS: Final[Mapping[str, str]] = {
    **_DIPHTHONGS,
    "ts": "ʦ",
    "dz": "ʣ",
    "ss": "S",
    "oʊ": "O",
    "əʊ": "Q",
    "c\u0327": "ç",
    "ʲ": "",
    _HYPHEN: "",
}
"""Of all languages but English: misaki has one table for them."""

# What is written in the same way in English and in Mandarin, but not sounded so.
_NOT_IN_MANDARIN: Final = frozenset({"e", "o", "x", "ɚ"})
MANDARIN: Final[Mapping[str, str]] = {
    **{ipa: written for ipa, written in AMERICAN.items() if ipa not in _NOT_IN_MANDARIN},
    "əl": "ᵊl",
    "ɐ": "ə",
    "ɪə": "iə",
    "ʈʂ": "ꭧ",
    "tʂ": "ꭧ",
    "tɕ": "ʨ",
    "ts": "ʦ",
    f"ɻ{_SYLLABIC}": "ɨ",
    f"ɹ{_SYLLABIC}": "ɨ",
    "˥": "→",
    "˧˥": "↗",
    "˧˩˧": "↓",
    "˨˩˦": "↓",
    "˨˩": "↓",
    "˥˩": "↘",
}
"""Of Mandarin with English words in it; tones in Chao's letters."""

# Sounds of English that Japanese has, too, but writes otherwise; its phonemizer respells the English ones.
_NOT_IN_JAPANESE: Final = frozenset({"e", "o", "x", "r", "ɾ", "ʔ", "ː", "ʲ", "ʲo", "ʲə"})
_STOPPED: Final = "kɡsɕztdnɲhɸbpmɾv"
_STOPPED_PALATALS: Final = "kɡsztdnhɸbpmɾv"
JAPANESE: Final[Mapping[str, str]] = {
    **{ipa: written for ipa, written in AMERICAN.items() if ipa not in _NOT_IN_JAPANESE},
    "tɕ": "ʨ",
    "dʑ": "ʥ",
    "ts": "ʦ",
    "dz": "ʣ",
    "ɰ": "β",
    "ʷ": "ᵝ",
    "c\u0327": "ç",
    # Long consonants, which misaki writes with a stop before the short one.
    **{f"{consonant}ː": f"ʔ{consonant}" for consonant in _STOPPED},
    **{f"{consonant}ʲː": f"ʔ{consonant}ʲ" for consonant in _STOPPED_PALATALS},
    "c\u0327ː": "ʔç",
    "tːɕ": "ʔʨ",
    "dːʑ": "ʔʥ",
    "tːs": "ʔʦ",
    "dːz": "ʔʣ",
    "kʷː": "ʔkᵝ",
    "ɡʷː": "ʔɡᵝ",
}
"""Of Japanese with English words in it; without pitch accent, which the voices were not trained with."""


def scheme_of(espeak_voice: str, spelling: Mapping[str, str], vocabulary: Mapping[str, int]) -> PhonemeScheme:
    """Returns the scheme of a language: each phoneme, or cluster of phonemes, with its numbers.

    Args:
        espeak_voice: espeak-ng's name of the language.
        spelling: phonemes of espeak-ng (NFD) as Kokoro writes them; what is not in it is written as it is.
        vocabulary: the number of each of Kokoro's symbols.

    Raises:
        KeyError: the vocabulary lacks a symbol of the spelling.
    """
    ids: dict[str, tuple[int, ...]] = {
        symbol: (number,) for symbol, number in vocabulary.items() if unicodedata.is_normalized("NFD", symbol)
    }
    ids |= {ipa: tuple(vocabulary[symbol] for symbol in written) for ipa, written in spelling.items()}
    ids |= {"_": (), "^": (PAD,), "$": (PAD,)}  # Piper's marks: no pad between phonemes, one at each end
    clusters = frozenset(tuple(ipa) for ipa in spelling if len(ipa) > 1)
    return PhonemeScheme("espeak", espeak_voice, ids, clusters)
