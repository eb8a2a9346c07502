"""A full stop after an abbreviation does not end the sentence where it surely goes on."""

import pytest

from phonoscope.server.text.abbreviations import may_abbreviate, surely_abbreviates


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Dr| Smith"),
        ("en", "MR| BROWN"),
        ("en", "(Prof| Adams"),
        ("en", "J| R. Tolkien"),
        ("en", "England vs| Wales"),
        ("en", "the U.S| Army"),
        ("en", "No| 5"),
        ("de", "Dr| Müller"),
        ("de", "z.B| Obst"),
        ("fr", "M| Dupont"),
        ("es", "Sr| López"),
        ("es", "Sr| “López”"),
    ],
)
def test_the_sentence_surely_continues(language: str, text: str) -> None:
    stop = text.index("|")
    assert surely_abbreviates(text.replace("|", "."), stop, language)
    assert may_abbreviate(text.replace("|", "."), stop, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I said No| Five left"),
        ("en", "in the U.S| She left"),
        ("en", "Plan B| The end"),
        ("en", "at 3 p.m| Dinner"),
        ("en", "paper, etc| More"),
        ("en", "the doctor| He"),
        ("en", "Call the Dr|"),
        ("en", "in 1990| He"),
        ("de", "der Hund| Er"),
    ],
)
def test_the_sentence_may_end(language: str, text: str) -> None:
    assert not surely_abbreviates(text.replace("|", "."), text.index("|"), language)


def test_ordinals_are_known_by_language() -> None:
    assert may_abbreviate("am 3. Mai", 4, "de")
    assert not may_abbreviate("page 3. Now", 6, "en")
    assert not may_abbreviate("im Jahr 1990. Mai", 12, "de")


def test_numbers_end_sentences_but_number_the_items_of_a_list() -> None:
    assert not may_abbreviate("It cost $3.50. Now", 13, "en")
    assert not may_abbreviate("It was 1,000. Now", 12, "en")
    assert may_abbreviate("text\n  2. Second", 8, "en")


def test_short_words_of_unknown_languages_are_left_alone() -> None:
    assert may_abbreviate("ul. Nowa", 2, "pl")
    assert not may_abbreviate("ulica. Nowa", 5, "pl")
