"""A voice's name says its language."""

import importlib.util

import pytest

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES, language_of
from phonoscope.server.text.phonemizers import build_phonemizers


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("af_heart", "en-US"),
        ("bm_george", "en-GB"),
        ("ff_siwis", "fr-FR"),
        ("pm_alex", "pt-BR"),
        ("zf_xiaoni", "zh-CN"),
        ("jm_kumo", "ja"),
    ],
)
def test_the_first_letter_is_the_language(name, tag):
    language = language_of(name)
    assert language
    assert language.tag == tag


@pytest.mark.parametrize("name", ["heart", "xf_heart", "ax_heart", "a_heart", "aff_heart", "", "_"])
def test_other_names_say_nothing(name):
    assert language_of(name) is None


def test_the_front_end_has_every_language_that_it_reads():
    phonemizers = build_phonemizers()
    for language in LANGUAGES.values():
        if language.is_readable:
            phonemizers.check_voice(language.espeak_voice)


def test_a_language_whose_packages_are_missing_is_not_readable(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not LANGUAGES["z"].is_readable
    assert not LANGUAGES["j"].is_readable
    assert LANGUAGES["a"].is_readable


def test_a_scheme_says_what_its_front_end_reads_itself() -> None:
    for letter in "jz":
        assert LANGUAGES[letter].scheme(VOCABULARY).reads_numbers
        assert LANGUAGES[letter].scheme(VOCABULARY).other_scripts == {"Latin"}
    assert not LANGUAGES["a"].scheme(VOCABULARY).reads_numbers
