"""Gives each voice the phonemizer of its name. Built by `build.py`."""

from collections.abc import Mapping

from phonoscope.server.text.english.accents import ACCENTS
from phonoscope.server.text.english.phonemizer import English
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.japanese.phonemizer import VOICE as JAPANESE
from phonoscope.server.text.japanese.phonemizer import Japanese
from phonoscope.server.text.mandarin.phonemizer import VOICE as MANDARIN
from phonoscope.server.text.mandarin.phonemizer import Mandarin
from phonoscope.server.text.phonemizer import Clause, Phonemizer, Preparable


class Phonemizers:
    """A Phonemizer that asks one of several.

    Args:
        own: phonemizers by the name of the voice that they have.
        others: the phonemizer of all other voices.
    """

    def __init__(self, own: Mapping[str, Phonemizer], others: Phonemizer) -> None:
        self._own = own
        self._others = others

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when the voice's phonemizer has no such voice."""
        self._of(voice).check_voice(voice)

    def prepare(self, voice: str) -> None:
        """Begins to load what the voice's first text would wait for."""
        phonemizer = self._of(voice)
        if isinstance(phonemizer, Preparable):
            phonemizer.prepare(voice)

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Reads all of `text` with the voice's phonemizer."""
        return self._of(voice).clauses(text, voice)

    def _of(self, voice: str) -> Phonemizer:
        return self._own.get(voice, self._others)


def build_phonemizers() -> Phonemizers:
    """Returns the phonemizers of every voice.

    Raises:
        StartupError: espeak-ng cannot be loaded.
    """
    espeak = Espeak()
    own: dict[str, Phonemizer] = {JAPANESE: Japanese(espeak), MANDARIN: Mandarin(espeak)}
    return Phonemizers(own | dict.fromkeys(ACCENTS, English(espeak)), espeak)
