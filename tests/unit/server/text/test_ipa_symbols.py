"""What people write as IPA, checked symbol by symbol."""

import unicodedata

import pytest

from phonoscope.server.text.ipa_symbols import UnknownSymbol, named, read_ipa


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("təˈmɑːtoʊ", "təˈmɑːtoʊ"),
        ("gud", "ɡud"),
        ("'ta:", "ˈtaː"),
        ("/ta.to/", "tato"),
        ("[t͡ʃa]", "tʃa"),
        (" ta\nto ", "ta to"),
        ("sɛ̃", "sɛ\u0303"),
        ("ç", "c\u0327"),
        ("ẽ", "e\u0303"),
        ("ma˥˩", "ma˥˩"),
    ],
)
def test_spellings_of_the_same_sound_become_one(written: str, read: str) -> None:
    assert read_ipa(written) == unicodedata.normalize("NFD", read)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("tAto", "'A' (U+0041, LATIN CAPITAL LETTER A) is not an IPA symbol"),
        ("ta1", "'1' (U+0031, DIGIT ONE) is not an IPA symbol"),
        ("а", "'а' (U+0430, CYRILLIC SMALL LETTER A) is not an IPA symbol"),
        ("ta\x00", "'\\x00' (U+0000, a control character) is not an IPA symbol"),
        ("ta\x1b[2J", "'\\x1b' (U+001B, a control character) is not an IPA symbol"),
        ("ta\u202e", "'\\u202e' (U+202E, RIGHT-TO-LEFT OVERRIDE) is not an IPA symbol"),
        ("ta😀", "'😀' (U+1F600, GRINNING FACE) is not an IPA symbol"),
    ],
)
def test_a_symbol_that_is_not_ipa_is_refused_by_code_point_and_name(written: str, told: str) -> None:
    with pytest.raises(UnknownSymbol) as caught:
        read_ipa(written)
    assert str(caught.value) == told


@pytest.mark.parametrize("written", ["", " ", "ˈ", "ː", "./|", "\u0303", "˥"])
def test_what_has_no_sound_in_it_is_refused(written: str) -> None:
    with pytest.raises(UnknownSymbol, match="contains no vowel"):
        read_ipa(written)


def test_a_symbol_is_shown_quoted_and_escaped() -> None:
    assert named("\n") == "'\\n' (U+000A, a control character)"
