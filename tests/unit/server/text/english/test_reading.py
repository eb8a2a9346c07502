"""A word is pronounced by dictionary, stem, parts or letters, as its place in the sentence demands."""

from collections.abc import Callable

import pytest

from phonoscope.server.text.english.accents import AMERICAN
from phonoscope.server.text.english.dictionary import Dictionary
from phonoscope.server.text.english.reading import Next, Place, Reader

Read = Callable[..., str | None]


@pytest.fixture
def read(small: Dictionary) -> Read:
    def said(word: str, follows: Next = "consonant", before: str = "", after: str = "", heard: str = "") -> str | None:
        return Reader(AMERICAN, small).read(word, Place(follows, before, after, lambda: heard))

    return said


@pytest.mark.parametrize(
    ("word", "consonant", "vowel", "pause"),
    [
        ("the", "ðə", "ði", "ðə"),
        ("to", "tə", "tʊ", "tu"),
        ("a", "ɐ", "ɐ", "ˈA"),
        ("am", "ɐm", "ɐm", "æm"),
        ("in", "ɪn", "ɪn", "ˈɪn"),
        ("I", "ˌI", "ˌI", "ˌI"),
    ],
)
def test_short_words_are_weak_before_others(read: Read, word: str, consonant: str, vowel: str, pause: str) -> None:
    assert read(word, "consonant") == consonant
    assert read(word, "vowel") == vowel
    assert read(word, "pause") == pause


def test_a_capital_a_within_a_sentence_is_a_letter(read: Read) -> None:
    assert read("A", before="vitamin") == "ˈA"
    assert read("A") == "ɐ"


def test_a_strong_form_stands_before_a_pause(read: Read) -> None:
    assert (read("her"), read("her", "pause")) == ("hɜɹ", "hˌɜɹ")


def test_neighbours_choose_among_readings(read: Read) -> None:
    assert read("use", before="the") == "jˈus"
    assert read("use", before="to") == "jˈuz"
    assert read("used", before="she", after="to") == "jˈust"


def test_else_the_reading_is_the_one_closest_to_espeak_ng(read: Read) -> None:
    assert read("live", heard="lˈɪv") == "lˈɪv"
    assert read("live", heard="lˈaɪv") == "lˈIv"


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("And", "ˌænd"),
        ("Dog", "dˈɔɡ"),
        ("paris", "pˈæɹɪs"),
        ("DOG", "dˈɔɡ"),
        ("NASA", "nˈæsə"),
        ("dog's", "dˈɔɡz"),
        ("planked", "plˈæŋkt"),
        ("vs", "vˈɜɹsəs"),
        ("B", "bˈi"),
        ("leather-bound", "lˈɛðəɹbˌWnd"),
    ],
)
def test_a_word_is_found_in_another_form(read: Read, word: str, letters: str) -> None:
    assert read(word, heard="x") == letters


def test_capitals_are_names_of_letters_where_espeak_ng_says_so(read: Read) -> None:
    assert read("FBI", heard="ˌɛfbˌiːˈaɪ") == "ˌɛfbˌiˈI"
    assert read("US", heard="jˌuˈɛs") == "jˌuˈɛs"
    assert read("US", heard="ˈʌs") == "ˈʌs"
    assert read("FAB", heard="fˈæb") is None


def test_a_compound_is_its_parts_with_one_main_stress(read: Read) -> None:
    assert read("GitHub") == "ɡˌɪthˈʌb"
    assert read("dog-kit") == "dˌɔɡkˈɪt"
    assert read("dog-and-apple") == "dˈɔɡændˈæpᵊl"


@pytest.mark.parametrize("word", ["Kubernetes", "dog-xyzzy", "C#", "50%", "café", "e.g", "x-", "GitXyzzy"])
def test_what_no_dictionary_has_is_not_guessed(read: Read, word: str) -> None:
    assert read(word, heard="kjubənɛtiz") is None
