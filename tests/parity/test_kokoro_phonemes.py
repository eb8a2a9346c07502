"""espeak-ng's phonemes in Kokoro's letters against misaki, which Kokoro was trained with. Skipped without misaki.

English, which has dictionaries, is in test_kokoro_english.py.
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phonoscope.server.build import build_front_end
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY, scheme_of
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.settings import ServerSettings
from phonoscope.server.text.front_end import TextFrontEnd

MISSING = [name for name in ("misaki", "phonemizer") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"misaki or its phonemizer-fork is not installed: {MISSING}")

LETTER = {number: symbol for symbol, number in VOCABULARY.items()}
MISAKI = {"e": "es", "f": "fr-fr", "h": "hi", "i": "it", "p": "pt-br"}
SENTENCES = (
    ("e", "El pájaro rojo canta en el jardín de la casa."),
    ("e", "Mañana iremos al país vecino, ¿vienes con nosotros?"),
    ("e", "La ciudad tiene muchas calles estrechas y antiguas."),
    ("f", "Nous avons mangé un bon pain avec du beurre."),
    ("f", "Aujourd'hui il fait beau, allons à la plage."),
    ("h", "मुझे आज बाज़ार जाना है।"),
    ("h", "क्या आप हिंदी बोलते हैं?"),
    ("i", "Il cielo è azzurro e gli uccelli cantano."),
    ("i", "Mio zio abita a Venezia con la sua famiglia."),
    ("p", "Amanhã vamos à praia com os nossos amigos."),
    ("p", "Não sei onde está o meu coração."),
)


@pytest.fixture(scope="module")
def front_end() -> TextFrontEnd:
    return build_front_end(ServerSettings())


@pytest.fixture(scope="module")
def misaki() -> Iterator[Any]:
    """misaki's front ends on espeak-ng, imported without the others."""
    found = importlib.util.find_spec("misaki")
    assert found
    package = types.ModuleType("misaki")
    package.__path__ = list(found.submodule_search_locations or ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "misaki", package)
        yield importlib.import_module("misaki.espeak")


def _reader(misaki: Any, letter: str) -> Callable[[str], str]:
    other = misaki.EspeakG2P(MISAKI[letter])
    return lambda text: str(other(text)[0])


@pytest.mark.parametrize(("letter", "text"), SENTENCES)
def test_sentences_are_spelled_as_misaki_spells_them(
    letter: str, text: str, front_end: TextFrontEnd, misaki: Any
) -> None:
    language = LANGUAGES[letter]
    scheme = scheme_of(language.espeak_voice, language.spelling, VOCABULARY)
    reading = front_end.sentences(text, scheme)
    ours = "".join(LETTER[int(number)] for sentence in reading for number in sentence.symbols if number)
    assert reading.unknown_phonemes == 0
    assert ours == "".join(symbol for symbol in _reader(misaki, letter)(text) if symbol in VOCABULARY)
