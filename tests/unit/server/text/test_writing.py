"""Scripts of texts, and of languages."""

import unicodedata

import pytest

from phonoscope.server.text.writing import languages_written_in, scripts_in, scripts_of


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("Hello", ["Latin"]),
        ("Привет, world and all", ["Latin", "Cyrillic"]),
        ("ありがとう", ["Kana"]),
        ("日本語の本", ["Kana", "Han"]),
        ("中文", ["Han"]),
        ("한국어", ["Hangul"]),
        ("שלום ", ["Hebrew"]),
        ("ﬁ é Å", ["Latin"]),
        ("123 — 😀", []),
        ("", []),
    ],
)
def test_a_texts_scripts_come_the_most_frequent_first_and_kana_before_its_han(text: str, scripts: list[str]) -> None:
    assert scripts_in(text) == scripts


# fmt: off
SCRIPTS = [
    "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "THAANA", "DEVANAGARI", "BENGALI", "GURMUKHI",
    "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "TIBETAN", "MYANMAR",
    "GEORGIAN", "HANGUL", "ETHIOPIC", "KHMER",
]
# fmt: on


@pytest.mark.parametrize("script", SCRIPTS)
def test_blocks_agree_with_the_names_of_their_letters(script: str) -> None:
    """Unicode names each letter by its script; every one that is named here and placed at all is placed rightly."""
    letters = [chr(code) for code in range(0x250) if chr(code).isalpha()]
    letters += [chr(code) for code in range(0x370, 0x2000) if chr(code).isalpha()]
    own = [letter for letter in letters if unicodedata.name(letter, "").split(" ")[0] == script]
    placed = {tuple(scripts_in(letter * 2)) for letter in own}  # one Greek letter is a symbol
    assert (script.capitalize(),) in placed
    assert placed <= {(script.capitalize(),), ()}


@pytest.mark.parametrize(
    ("language", "scripts"),
    [("ja", {"Kana", "Han"}), ("zh-CN", {"Han"}), ("RU_ru", {"Cyrillic"}), ("en-US", {"Latin"}), ("xx", {"Latin"})],
)
def test_languages_are_written_in_their_scripts_and_in_latin_where_nothing_is_known(
    language: str, scripts: set[str]
) -> None:
    assert scripts_of(language) == scripts


@pytest.mark.parametrize("text", ["π ≈ 3.14", "5 µm", "10 Ω", "α + β = Δ"])
def test_a_single_greek_letter_is_a_symbol_and_of_no_script(text: str) -> None:
    assert "Greek" not in scripts_in(text)


def test_greek_words_are_of_the_greek_script() -> None:
    assert scripts_in("το π είναι") == ["Greek"]


def test_a_message_names_three_languages_of_a_script_and_none_of_latin() -> None:
    assert languages_written_in("Cyrillic") == "ru, uk, be"
    assert languages_written_in("Latin") == ""
