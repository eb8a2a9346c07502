"""Plain forms of characters that only look different."""

import pytest

from phonoscope.server.text.normalise import normalise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("𝗛𝗲𝗹𝗹𝗼 𝓪𝔟𝕔 𝟓", "Hello abc 5"),
        ("Ｈｉ ５０％", "Hi 50%"),
        ("ʜᴇʟʟᴏ", "hello"),
        ("ﬁ ﬄ ﬆ", "fi ffl st"),
        ("Ⅳ ⅩⅣ ⅯⅯⅩⅩⅣ ⅰ", "4 14 2024 1"),
        ("ⅩⅤⅤ", "XVV"),
        ("①② ⑳ a③b ⓿ ❶ ➉", "1 2 20 a 3 b 0 1 10"),
        ("Ⓐⓑ 🄲 🅓 🅰", "Ab C D A"),
        ("⑴ ⒈ ⒜", "(1) 1. (a)"),
        ("25℃ 5㎏ 10㎡ ℡", "25 °C 5 kg 10 m² TEL"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("a ➜ b", "a → b"),
        ("donʼt", "don’t"),
    ],
)
def test_characters_have_their_plain_form(text: str, plain: str) -> None:
    assert normalise(text).text == plain


@pytest.mark.parametrize("text", ["x² ½ ⁻⁵ ™ № ª ¾", "，。！？：；（）「」"])
def test_characters_with_a_meaning_of_their_own_stay(text: str) -> None:
    assert normalise(text).text == text
