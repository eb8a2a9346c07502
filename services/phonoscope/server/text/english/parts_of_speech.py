"""Guesses from its neighbours whether a word is a noun, a verb or a participle. Called by `reading.py`.

English marks parts of speech by position: an article or a preposition comes before a noun, a pronoun or a modal verb
before a verb, an article after one.
"""

from collections.abc import Mapping
from typing import Final, Literal

Part = Literal["NOUN", "VERB", "VBD", "VBN"]
"""Of the dictionary's entries: a noun, a verb, its past tense, its past participle."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BEFORE_VERB: Final = _words(
    "to will would can could shall should may might must do does did don't doesn't didn't can't cannot won't "
    "i you we they he she it who please not let's"
)
_BEFORE_NOUN: Final = _words(
    "a an the these those my your his her its our their some any no every each another such whose own other same "
    "of in for with by from at into on under between without"
)
_AFTER_VERB: Final = _words("a an the this that these those my your his her its our their it them him us me any all")
# Before a noun, unless what follows shows that it is a subject.
_BEFORE_EITHER: Final = _words("this that")
_BE: Final = _words("be is are am was were been being it's that's we're you're they're i'm")
_BEFORE_PARTICIPLE: Final = _BE | _words("have has had having already i've we've you've they've")


def chosen_by_neighbours(entry: Mapping[str, str | None], before: str, after: str) -> Part | None:
    """Returns the part of speech of a word, as far as it makes a difference to its reading; None if unclear.

    Args:
        entry: the word's readings by part of speech.
        before: the word before it in lower case; "" where a clause begins.
        after: the word after it; "" where a clause ends.
    """
    if "VBD" in entry and "VBN" not in entry:  # "used"
        return "VBD" if after == "to" and before not in _BE else None
    if "VBN" in entry and before in _BEFORE_PARTICIPLE:
        return "VBN"
    return _noun_or_verb(before, after) if {"NOUN", "VERB"} & entry.keys() else None


def _noun_or_verb(before: str, after: str) -> Part | None:
    if before in _BEFORE_VERB:
        return "VERB"
    if before in _BEFORE_NOUN or after == "of":
        return "NOUN"
    if after in _AFTER_VERB:
        return "VERB"
    return "NOUN" if before in _BEFORE_EITHER else None
