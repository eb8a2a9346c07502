"""The composition root passes the settings on to what it builds."""

import pytest

from phonoscope.server.build import build_front_end
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import PhonemeScheme

_SOUNDS = " .,:;?!ˈˌːaæbdðeəɚɛfɡhiɪklmnŋoɔpɹsʃtθuʊvwzʌɑ"
_IDS = {symbol: (index,) for index, symbol in enumerate(("_", "^", "$", *_SOUNDS))}


@pytest.mark.parametrize(("normalization", "word"), [("full", "5 dollars"), ("plain", "$5")])
def test_text_normalization_decides_whether_numbers_become_words(normalization: str, word: str) -> None:
    settings = ServerSettings(text_normalization=normalization)  # type: ignore[arg-type]  # checked when it is loaded
    scheme = PhonemeScheme("espeak", "en-us", _IDS)
    (sentence,) = build_front_end(settings).sentences("$5", scheme)
    assert sentence.text == word
