"""Piper's id scheme: converts a sentence's phonemes to begin, phoneme, pad, phoneme, pad, …, end.

Called by `front_end`. The scheme is that of Piper's training code, as observed in piper-tts; tests/parity compares
this module with it.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.types import PhonemeScheme

PAD: Final = "_"
BEGIN: Final = "^"
END: Final = "$"
MARKS: Final = (PAD, BEGIN, END)

_LANGUAGE_FLAG: Final = re.compile(r"\([a-z]+(?:-[a-z0-9]+)*\)")  # espeak-ng's "(en)" at a language change
SYLLABLE_END: Final = "\u2060"
"""Ends a syllable of a language whose characters are syllables, without a sound: aligns characters and phonemes."""
# Symbols that are not speech on their own: spaces, punctuation, stress, length, breath.
SILENT: Final = frozenset(
    SYLLABLE_END + " \t\n.,;:?!¡¿…-–—_^$'\"()[]{}«»„“”‘’‚‹›。、，！？：；「」『』（）《》ˈˌːˑ#↓↑"
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """Phonemes as a voice's integers.

    Attributes:
        ids: including begin and end, and a pad after every phoneme.
        voiced: whether any phoneme is more than punctuation, space or stress.
        unknown: number of phonemes left out because the voice has no id for them, in neither case of a letter.
        places: index in `ids` of each symbol, then of the end mark; an unknown symbol has the index of the next one.
    """

    ids: tuple[int, ...]
    voiced: bool
    unknown: int
    places: tuple[int, ...] = ()


def split_phonemes(phonemes: str, clusters: frozenset[tuple[str, ...]] = frozenset()) -> list[str]:
    """Splits IPA into code points (NFD) without language flags; joins `clusters`, longest first."""
    symbols = list(unicodedata.normalize("NFD", _LANGUAGE_FLAG.sub("", phonemes)))
    return _join_clusters(symbols, clusters) if clusters else symbols


def spell(symbols: Sequence[str], scheme: PhonemeScheme) -> Spelling:
    """Returns the ids of one sentence's phonemes in the voice's scheme."""
    pad = scheme.ids[PAD]
    ids = [*scheme.ids[BEGIN], *pad]
    voiced, unknown = False, 0
    places = []
    for symbol in symbols:
        places.append(len(ids))
        known = _ids_of(symbol, scheme)
        if known is None:
            unknown += 1
            continue
        for numbers in known:
            ids += numbers
            ids += pad
        voiced = voiced or symbol not in SILENT
    places.append(len(ids))
    ids += scheme.ids[END]
    return Spelling(tuple(ids), voiced, unknown, tuple(places))


def _ids_of(symbol: str, scheme: PhonemeScheme) -> list[tuple[int, ...]] | None:
    """Returns a symbol's ids, or those of the letters that it has in the other case; None if it is unknown.

    A text voice may have been trained on one case only. Some letters have two in the other case: "ß" is "SS".
    """
    if (known := scheme.ids.get(symbol)) is not None:
        return [known]
    if scheme.kind == "text":
        for letters in (symbol.lower(), symbol.casefold(), symbol.upper()):
            if all(letter in scheme.ids for letter in letters):
                return [scheme.ids[letter] for letter in letters]
    return None


def _join_clusters(symbols: list[str], clusters: frozenset[tuple[str, ...]]) -> list[str]:
    joined: list[str] = []
    lengths = _lengths(clusters)
    position = 0
    while position < len(symbols):
        length = next((n for n in lengths if tuple(symbols[position : position + n]) in clusters), 1)
        joined.append("".join(symbols[position : position + length]))
        position += length
    return joined


@functools.lru_cache(maxsize=64)
def _lengths(clusters: frozenset[tuple[str, ...]]) -> tuple[int, ...]:
    return tuple(sorted({len(cluster) for cluster in clusters}, reverse=True))
