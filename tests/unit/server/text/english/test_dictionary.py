"""The dictionaries of the installed package, and none where it is missing."""

import importlib.util

import pytest

from phonoscope.server.text.english import dictionary
from phonoscope.server.text.english.accents import AMERICAN, BRITISH
from phonoscope.server.text.english.dictionary import Dictionary


def test_the_checked_part_comes_first_and_the_first_letter_may_be_in_either_case() -> None:
    words = Dictionary({"dog": "gold", "Paris": "city", "NASA": "space"}, {"dog": "silver", "cat": "silver"})
    assert [words[one] for one in ("dog", "Dog", "cat", "paris", "NASA")] == [
        "gold",
        "gold",
        "silver",
        "city",
        "space",
    ]
    assert words["nasa"] is words["DOG"] is words["x"] is None
    assert words.as_written("Dog") is None


@pytest.fixture
def forgetful() -> None:
    """Finds the package anew, before the test and after it."""
    dictionary._folder.cache_clear()
    yield
    dictionary._folder.cache_clear()


def test_a_missing_package_has_no_dictionary(monkeypatch: pytest.MonkeyPatch, forgetful: None) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not dictionary.is_installed()


@pytest.mark.skipif(not dictionary.is_installed(), reason="misaki is missing: pip install 'phonoscope[kokoro]'")
@pytest.mark.parametrize(("accent", "bath"), [(AMERICAN, "bˈæθ"), (BRITISH, "bˈɑːθ")])
def test_each_accent_has_its_words(accent, bath) -> None:
    assert dictionary.dictionary_of(accent)["bath"] == bath
