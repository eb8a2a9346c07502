"""What a word is, in texts of any script."""

import pytest

from phonoscope.server.text.words import TOKEN, is_speakable, words


def words_of(text: str) -> list[str]:
    return [text[start:stop] for start, stop in words(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One two,  three.", ["One", "two", "three"]),
        ("“Well-known” (don't) U.S.A.", ["Well-known", "don't", "U.S.A"]),
        ("A & B @ 50% $3.50 -5° C++", ["A", "&", "B", "@", "50%", "$3.50", "5°", "C++"]),
        ("— … * # ...", []),
        ("one—two", ["one—two"]),
        ("你好，世界", ["你", "好", "世", "界"]),
        ("我用AI，it（好）x、y", ["我", "用", "AI", "it", "好", "x", "y"]),
        ("カタ ひら 々", ["カ", "タ", "ひ", "ら", "々"]),
        ("abc中文def", ["abc", "中", "文", "def"]),
        ("Привет, мир! שלום", ["Привет", "мир", "שלום"]),
        ("안녕 세계", ["안녕", "세계"]),
        ("a 😀 b", ["a", "b"]),
        ("\U00020000x", ["\U00020000", "x"]),
        ("कुत्ता सोता है।", ["कुत्ता", "सोता", "है"]),
        ("love❤\ufe0f, e\u0301", ["love", "e\u0301"]),
    ],
)
def test_a_word_is_what_stands_between_spaces_or_a_character_where_there_are_none(text: str, found: list[str]) -> None:
    assert words_of(text) == found


def test_words_are_looked_for_between_two_places_and_cut_there() -> None:
    assert list(words("one two three", 2, 6)) == [(2, 3), (4, 6)]


@pytest.mark.parametrize(("text", "is_it"), [("a", True), ("7", True), ("&", True), ("--", False), ("", False)])
def test_signs_that_have_a_name_are_spoken_and_marks_are_not(text: str, is_it: bool) -> None:
    assert is_speakable(text) is is_it


def test_tokens_are_runs_of_letters_characters_without_spaces_and_signs() -> None:
    assert TOKEN.findall("C++ isn't 你好 x_1") == ["C", "+", "+", "isn", "'", "t", "你", "好", "x_1"]
