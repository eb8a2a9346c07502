"""A word with an ending that no dictionary has sounds like its stem, and the ending as its last sound demands."""

import pytest

from phonoscope.server.text.english.inflections import inflected

STEMS = {
    "dog": "dˈɔɡ", "plank": "plˈæŋk", "box": "bˈɑks", "glass": "ɡlˈæs", "city": "sˈɪɾi", "knit": "nˈɪt",
    "plan": "plˈæn", "wade": "wˈAd", "bake": "bˈAk", "want": "wˈɑnt", "clear": "klˈɪə",
}  # fmt: skip


def said(word: str, *, is_british: bool = False) -> str | None:
    return inflected(word, STEMS.get, is_british=is_british)


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("dogs", "dˈɔɡz"),
        ("dog's", "dˈɔɡz"),
        ("dogs'", "dˈɔɡz"),
        ("planks", "plˈæŋks"),
        ("boxes", "bˈɑksᵻz"),
        ("cities", "sˈɪɾiz"),
        ("planked", "plˈæŋkt"),
        ("planned", "plˈænd"),
        ("waded", "wˈAdᵻd"),
        ("wanted", "wˈɑntᵻd"),
        ("knitted", "nˈɪɾᵻd"),
        ("knitting", "nˈɪɾɪŋ"),
        ("baking", "bˈAkɪŋ"),
        ("planning", "plˈænɪŋ"),
    ],
)
def test_endings_of_american_english(word: str, letters: str) -> None:
    assert said(word) == letters


@pytest.mark.parametrize(("word", "letters"), [("boxes", "bˈɑksɪz"), ("knitting", "nˈɪtɪŋ"), ("wanted", "wˈɑntɪd")])
def test_endings_of_british_english(word: str, letters: str) -> None:
    assert said(word, is_british=True) == letters


def test_a_silent_r_before_a_vowel_is_left_to_others() -> None:
    assert said("clearing", is_british=True) is None


@pytest.mark.parametrize("word", ["glass", "need", "s", "ing", "cats", "'s"])
def test_what_has_no_known_stem_is_not_guessed(word: str) -> None:
    assert inflected(word, {"glas": "ɡlæs", "ne": "ni", "": "x"}.get, is_british=False) is None
