"""What espeak-ng makes of characters: a word, a code, silence."""

import pytest

from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.readability import Readability


@pytest.fixture(scope="module")
def readability() -> Readability:
    return Readability(Espeak())


@pytest.mark.parametrize("voice", ["en-us", "es", "fr", "hi", "it", "pt-br", "de"])
def test_a_code_such_as_chinese_letter_is_not_speech(readability: Readability, voice: str) -> None:
    assert not readability.is_spoken("你", voice)
    assert not readability.is_spoken("\u16a0", voice)
    assert readability.is_spoken("%", voice)
