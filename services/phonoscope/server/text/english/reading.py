"""Pronounces an English word as misaki does: by dictionary, by its stem, by its parts, letter by letter.

Called by `phonemizer.py`. Words with several readings, such as "use", have them by part of speech in the dictionary.
misaki asks a tagger, whose model is a download of its own. Here a word's neighbours say what it is; where they do not,
the reading is the one that is closest to what espeak-ng, which has rules for many of these words, says in its place.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rapidfuzz.distance import Levenshtein

from phonoscope.server.text.english.accents import Accent
from phonoscope.server.text.english.dictionary import BEFORE_PAUSE, DEFAULT, Dictionary
from phonoscope.server.text.english.inflections import inflected
from phonoscope.server.text.english.letters import PRIMARY, SECONDARY, emphasised, ipa_of, weakened, with_stress
from phonoscope.server.text.english.parts_of_speech import chosen_by_neighbours

Next = Literal["vowel", "consonant", "pause"]
"""What follows a word."""

_ANYWHERE: Final = {"an": "ɐn", "i": f"{SECONDARY}I", "in": "ɪn", "the": "ðə"}
_WITHIN: Final = {**_ANYWHERE, "a": "ɐ", "am": "ɐm"}
_WEAK: Final[Mapping[Next, Mapping[str, str]]] = {
    "consonant": {**_WITHIN, "to": "tə"},
    "vowel": {**_WITHIN, "to": "tʊ", "the": "ði"},
    "pause": {**_ANYWHERE, "in": f"{PRIMARY}ɪn"},
}
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z']+")
_WORD: Final = re.compile(r"[A-Za-z]['A-Za-z]*|'[A-Za-z]+")
_MAX_CAPITALS: Final = 5
"""Capitals that the dictionary does not have are names of letters up to this length, and words beyond."""
_LONGEST_DISTANCE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word stands.

    Attributes:
        next: what follows it.
        before, after: the words beside it in its clause, in lower case; "" if there is none.
        heard: returns espeak-ng's IPA of the word in its sentence, adapted to the dictionaries.
    """

    next: Next
    before: str
    after: str
    heard: Callable[[], str]


class Reader:
    """Pronounces words of one accent, `accent`."""

    def __init__(self, accent: Accent, dictionary: Dictionary) -> None:
        self.accent = accent
        self._dictionary = dictionary

    def read(self, word: str, place: Place) -> str | None:
        """Returns the letters of a word; None if the dictionaries do not have it."""
        return self._function_word(word, place) or self._whole(word, place) or self._of_parts(word, place)

    def _function_word(self, word: str, place: Place) -> str | None:
        """Returns the weak form of a short word, which depends on the sound after it."""
        small = word.lower()
        if word.isupper() and word not in ("A", "I"):
            return None
        if small == "vs":
            return self._whole("versus", place)
        if small in ("i", "a") and (word == "i" or (word == "A" and place.before)):
            return None
        return _WEAK[place.next].get(small)

    def _whole(self, word: str, place: Place) -> str | None:
        if not _WORD.fullmatch(word):
            return self._chosen(word, place) if "-" in word else None
        if len(word) == 1:
            return self._spelled(word)
        if word.isupper():
            return self._capitals(word, place)
        letters = self._known(word, place)
        return letters and (letters if word.islower() else with_stress(letters, SECONDARY))

    def _known(self, word: str, place: Place) -> str | None:
        return self._chosen(word, place) or inflected(
            word.lower(), lambda stem: self._chosen(stem, place), is_british=self.accent.is_british
        )

    def _chosen(self, word: str, place: Place) -> str | None:
        """Returns the reading of a word in the dictionary that its place demands."""
        entry = self._dictionary[word]
        if not isinstance(entry, Mapping):
            return entry
        if place.next == "pause" and (strong := entry.get(BEFORE_PAUSE)):
            return strong
        if tag := chosen_by_neighbours(entry, place.before, place.after):
            return entry.get(tag) or entry[DEFAULT]
        readings = [entry[DEFAULT], *(entry[tag] for tag in entry if tag not in (DEFAULT, BEFORE_PAUSE))]
        return _closest([one for one in dict.fromkeys(readings) if one], place)

    def _capitals(self, word: str, place: Place) -> str | None:
        """Returns the reading of a word in capitals: a word, or the names of its letters."""
        entry = self._dictionary.as_written(word)
        if isinstance(entry, str):
            return emphasised(entry)
        as_word, as_letters = self._known(word.lower(), place), self._spelled(word)
        readings = [emphasised(as_word)] if as_word else []
        if as_letters and len(word) <= _MAX_CAPITALS:
            readings.append(as_letters)
        return _closest(readings, place, at_most=1.0 if as_word else _LONGEST_DISTANCE)

    def _spelled(self, word: str) -> str | None:
        """Returns the names of a word's letters, the last one stressed."""
        names = [self._dictionary.as_written(letter) for letter in word.upper() if letter.isalpha()]
        if not all(isinstance(name, str) for name in names):
            return None
        *before, last = weakened("".join(map(str, names))).rpartition(SECONDARY)
        return f"{before[0]}{PRIMARY}{last}"

    def _of_parts(self, word: str, place: Place) -> str | None:
        """Returns the letters of a word with hyphens or capitals inside; less than half of its parts stay stressed."""
        parts = [part for piece in word.split("-") for part in _PART.findall(piece)]
        if len(parts) <= 1 or "".join(parts) != word.replace("-", ""):
            return None
        letters = [self._whole(part, place) for part in parts]
        if not all(letters):
            return None
        return "".join(_balanced([one for one in letters if one]))


def _closest(readings: list[str], place: Place, *, at_most: float = 1.0) -> str | None:
    """Returns the reading closest to what espeak-ng says; None if all differ in more than this share of sounds."""
    if len(readings) <= 1 and at_most >= 1.0:
        return readings[0] if readings else None
    heard = place.heard()
    distances = [Levenshtein.normalized_distance(ipa_of(one), heard) for one in readings]
    best = min(distances, default=at_most)
    return readings[distances.index(best)] if readings and best <= at_most else None


def _balanced(parts: list[str]) -> list[str]:
    """Returns the parts of a compound with the stress of the lighter half weakened, if most have primary stress."""
    if sum(PRIMARY in part for part in parts) <= (len(parts) + 1) // 2:
        return parts
    by_weight = sorted(range(len(parts)), key=lambda index: (PRIMARY in parts[index], len(parts[index]), index))
    light = set(by_weight[: len(parts) // 2])
    return [weakened(part) if index in light else part for index, part in enumerate(parts)]
