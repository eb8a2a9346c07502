"""A voice's name says its language."""

import pytest

from phonoscope.server.engines.kokoro.languages import LANGUAGES, language_of
from phonoscope.server.text.espeak import Espeak


@pytest.mark.parametrize(
    ("name", "tag"),
    [("af_heart", "en-US"), ("bm_george", "en-GB"), ("ff_siwis", "fr-FR"), ("pm_alex", "pt-BR"), ("zf_xiaoni", "zh")],
)
def test_the_first_letter_is_the_language(name, tag):
    language = language_of(name)
    assert language
    assert language.tag == tag


@pytest.mark.parametrize("name", ["heart", "xf_heart", "ax_heart", "a_heart", "aff_heart", "", "_"])
def test_other_names_say_nothing(name):
    assert language_of(name) is None


def test_espeak_ng_has_every_language_that_it_reads():
    espeak = Espeak()
    for language in LANGUAGES.values():
        if language.espeak_voice:
            espeak.check_voice(language.espeak_voice)
