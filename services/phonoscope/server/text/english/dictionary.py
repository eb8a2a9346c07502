"""The pronunciations of 180,000 English words in each accent: data of the package misaki, which is not imported.

Called by `reading.py`. `phonoscope[kokoro]` brings the package. A dictionary loads in a thread of its own, so that a
server is ready without waiting for it. Of its two parts, "gold" is checked by hand and comes first.
"""

import functools
import importlib.util
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phonoscope.server.text.english.accents import Accent

DEFAULT: Final = "DEFAULT"
BEFORE_PAUSE: Final = "None"

Entry = str | Mapping[str, str | None]
"""A word's letters; or several, by part of speech, where None stands for the names of the word's characters."""

_PACKAGE: Final = "misaki"
_PARTS: Final = ("gold", "silver")


class Dictionary:
    """The words of an accent."""

    def __init__(self, gold: Mapping[str, Entry], silver: Mapping[str, Entry]) -> None:
        self._parts = gold, silver

    def __getitem__(self, word: str) -> Entry | None:
        """Returns the entry of a word as written, or with its first letter in the other case; None without one."""
        for part in self._parts:
            if (entry := part.get(word)) is not None or (entry := part.get(_other_case(word))) is not None:
                return entry
        return None

    def as_written(self, word: str) -> Entry | None:
        """Returns the checked entry of a word in exactly these cases of its letters."""
        return self._parts[0].get(word)


def is_installed() -> bool:
    """Returns whether the dictionaries are there."""
    return _folder() is not None


def load_in_background(accent: Accent) -> None:
    """Begins to load the dictionary of an accent."""
    threading.Thread(target=dictionary_of, args=(accent,), name="english-dictionary", daemon=True).start()


_LOCK: Final = threading.Lock()


def dictionary_of(accent: Accent) -> Dictionary:
    """Returns the dictionary of an accent; waits until it is loaded."""
    with _LOCK:
        return _loaded(accent.dictionaries)


@functools.cache
def _loaded(prefix: str) -> Dictionary:
    folder = _folder()
    if folder is None:
        return Dictionary({}, {})
    return Dictionary(*(json.loads((folder / f"{prefix}_{part}.json").read_bytes()) for part in _PARTS))


@functools.cache
def _folder() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "data" if places else None


def _other_case(word: str) -> str:
    """Returns "The" for "the", "paris" for "Paris"; a word with capitals inside, and a single letter, as it is."""
    if len(word) < len("is") or not word[1:].islower():
        return word
    return word[0].swapcase() + word[1:]
