"""English inflections: finds the stem of a word that a dictionary lacks, and pronounces its ending.

Called by `reading.py`. The endings -s, -ed and -ing sound as the last sound of the stem demands, and in American
English a t between vowels is a tap.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

_VOICELESS_BEFORE_S: Final = frozenset("ptkfθ")
_SIBILANTS: Final = frozenset("szʃʒʧʤ")
_VOICELESS_BEFORE_ED: Final = frozenset("pkfθsʃʧ")
_BEFORE_TAP: Final = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
_DOUBLED: Final = re.compile(r"([bdgklmnprtvz])\1$")
_MIN_STEM: Final = 2


def inflected(word: str, stem_of: Callable[[str], str | None], *, is_british: bool) -> str | None:
    """Returns the letters of a word with an ending, in lower case; None if no stem is known.

    Args:
        word: such as "canoe's" or "planked".
        stem_of: returns the letters of a stem, or None.
        is_british: see Accent.
    """
    for ending, stems in ((_s, _without_s), (_ed, _without_ed), (_ing, _without_ing)):
        for stem in stems(word):
            if len(stem) >= _MIN_STEM and (letters := stem_of(stem)):
                return ending(letters, is_british)
    return None


def _without_s(word: str) -> Iterator[str]:
    if word.endswith(("'s", "s'")):
        yield word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
        if word.endswith("ies"):
            yield word[:-3] + "y"
        elif word.endswith("es"):
            yield word[:-2]


def _without_ed(word: str) -> Iterator[str]:
    if word.endswith("ied"):
        yield word[:-3] + "y"
    elif word.endswith("ed") and not word.endswith("eed"):
        yield word[:-1]
        yield word[:-2]
        if _DOUBLED.search(word[:-2]):
            yield word[:-3]


def _without_ing(word: str) -> Iterator[str]:
    if word.endswith("ing"):
        yield word[:-3]
        yield word[:-3] + "e"
        if _DOUBLED.search(word[:-3]):
            yield word[:-4]


def _s(stem: str, is_british: bool) -> str:  # noqa: FBT001  as the others
    last = stem[-1]
    if last in _VOICELESS_BEFORE_S:
        return stem + "s"
    return stem + (_weak_i(is_british) if last in _SIBILANTS else "") + "z"


def _ed(stem: str, is_british: bool) -> str:  # noqa: FBT001
    last = stem[-1]
    if last in _VOICELESS_BEFORE_ED:
        return stem + "t"
    if last not in "td":
        return stem + "d"
    return (stem if last == "d" else _tapped(stem, is_british)) + _weak_i(is_british) + "d"


def _ing(stem: str, is_british: bool) -> str | None:  # noqa: FBT001
    if is_british and stem[-1] in "əː":
        return None  # a silent r would be heard again, and these letters do not tell it from none
    return _tapped(stem, is_british) + "ɪŋ"


def _tapped(stem: str, is_british: bool) -> str:  # noqa: FBT001
    is_tap = not is_british and stem[-1] == "t" and stem[-2:-1] in _BEFORE_TAP
    return stem[:-1] + "ɾ" if is_tap else stem


def _weak_i(is_british: bool) -> str:  # noqa: FBT001
    return "ɪ" if is_british else "ᵻ"
