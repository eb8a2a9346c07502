"""Each language of IndexTTS is a voice that speaks like a recording, and gets text as it is written."""

import pytest

from phonoscope.server.engines.indextts.languages import LANGUAGES, MAX_SPEED, MIN_DURATION_FACTOR, Language
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters

TEXTS = {
    "zh": "今天是2024年5月1日。",
    "en": "It is 14:30 and costs $5.",
    "ja": "今日は2024年です。",
    "es": "Son las 14:30.",
    "ar": "الساعة 5.",
}


def test_these_are_its_languages() -> None:
    assert [language.voice(22_050).id for language in LANGUAGES] == [
        *("indextts-zh", "indextts-en", "indextts-ja", "indextts-es", "indextts-ar")
    ]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_numbers_are_left_to_the_library(language: Language) -> None:
    scheme = language.voice(22_050).phonemes
    front_end = TextFrontEnd(Letters())
    front_end.check(scheme)
    sentences = front_end.sentences(TEXTS[language.code], scheme)
    assert [sentence.text for sentence in sentences] == [TEXTS[language.code]]


def test_no_speed_is_served_that_has_no_effect() -> None:
    assert 1 / MAX_SPEED >= MIN_DURATION_FACTOR
    assert {language.voice(22_050).max_speed for language in LANGUAGES} == {MAX_SPEED}
