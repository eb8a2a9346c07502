"""The language of a Kokoro voice, from the first letter of its name. Called by `loading.py`.

The letters are those of the published voices: "af_heart" speaks American English ("a") and is female ("f").
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from phonoscope.server.engines.kokoro.alphabet import AMERICAN, BRITISH, JAPANESE, MANDARIN, OTHERS, scheme_of
from phonoscope.server.types import PhonemeScheme


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A language of Kokoro's voices.

    Attributes:
        name: in English, for messages.
        tag: BCP 47.
        espeak_voice: the front end's name of it: espeak-ng's, or that of another phonemizer.
        spelling: how the phonemes of the front end are written in Kokoro's alphabet.
        packages: what its front end needs; `phonoscope[kokoro]` brings them.
        dictionary: a package that its front end reads better with; "" for none.
        other_scripts: what its front end reads besides its own script.
        reads_numbers: whether its front end puts numbers into words itself.
    """

    name: str
    tag: str
    espeak_voice: str
    spelling: Mapping[str, str]
    packages: tuple[str, ...] = ()
    dictionary: str = ""
    other_scripts: frozenset[str] = frozenset()
    reads_numbers: bool = False

    @property
    def is_readable(self) -> bool:
        """Whether all that its front end imports is installed."""
        return all(map(importlib.util.find_spec, self.packages))

    def scheme(self, vocabulary: Mapping[str, int]) -> PhonemeScheme:
        """Returns how a voice of this language represents text.

        Args:
            vocabulary: the number of each of Kokoro's symbols.

        Raises:
            KeyError: the vocabulary lacks a symbol of the spelling.
        """
        scheme = scheme_of(self.espeak_voice, self.spelling, vocabulary)
        return replace(scheme, other_scripts=self.other_scripts, reads_numbers=self.reads_numbers)

    @property
    def lacks_dictionary(self) -> bool:
        """Whether its front end could read better."""
        return bool(self.dictionary) and importlib.util.find_spec(self.dictionary) is None


LANGUAGES: Final[Mapping[str, Language]] = {
    "a": Language("American English", "en-US", "en-us-misaki", AMERICAN, dictionary="misaki"),
    "b": Language("British English", "en-GB", "en-gb-misaki", BRITISH, dictionary="misaki"),
    "e": Language("Spanish", "es", "es", OTHERS),
    "f": Language("French", "fr-FR", "fr", OTHERS),
    "h": Language("Hindi", "hi", "hi", OTHERS),
    "i": Language("Italian", "it", "it", OTHERS),
    "p": Language("Brazilian Portuguese", "pt-BR", "pt-br", OTHERS),
    "j": Language(
        "Japanese",
        "ja",
        "ja-misaki",
        JAPANESE,
        packages=("pyopenjtalk",),
        other_scripts=frozenset({"Latin"}),
        reads_numbers=True,
    ),
    "z": Language(
        "Mandarin Chinese",
        "zh-CN",
        "cmn-misaki",
        MANDARIN,
        packages=("jieba", "pypinyin"),
        other_scripts=frozenset({"Latin"}),
        reads_numbers=True,
    ),
}


def language_of(voice_name: str) -> Language | None:
    """Returns the language of a voice such as "af_heart"; None if its name does not say."""
    prefix, underscore, _ = voice_name.partition("_")
    is_named = bool(underscore) and len(prefix) == len("af") and prefix[1] in "fm"
    return LANGUAGES.get(prefix[0]) if is_named else None
