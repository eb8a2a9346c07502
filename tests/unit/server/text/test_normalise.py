"""Text is made fit to be read, and the way back to the original text stays known."""

import re

import pytest

from phonoscope.server.text.normalise import normalise


@pytest.mark.parametrize(
    "text",
    ["Plain text.", "", "Two\nlines.", "Café “Ünal” — 3,50 €…", "你好，世界！", "Привет", "नमस्ते", "x² ½ π ₽"],
)
def test_readable_text_stays_as_it_is(text: str) -> None:
    normal = normalise(text)
    assert normal.text == text
    assert normal.anchors == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301te\u0301", "été"),
        ("\u1112\u1161\u11ab", "한"),
        ("a\u00a0b\u202fc\u3000d\te", "a b c d e"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\u2029b\x0cc", "a\n\nb\n\nc"),
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\u200bwidth", "zero width"),
        ("\ufeffbyte\u2060order\u200emark", "byteordermark"),
        ("nul\0bell\x07", "nulbell"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("private\ue000use", "privateuse"),
        ("non\u2011breaking", "non-breaking"),
    ],
)
def test_odd_characters_become_plain_ones_or_leave(text: str, expected: str) -> None:
    assert normalise(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi 😀 there", "Hi   there"),
        ("Great 👍🏽.", "Great."),
        ("Hi 👨‍👩‍👧!", "Hi!"),
        ("flag 🇩🇪 here", "flag    here"),
        ("5️⃣ things", "5 things"),
        ("Really ❓", "Really ?"),
        ("A❗", "A!"),
    ],
)
def test_emoji_leave_words_apart_and_marks_in_place(text: str, expected: str) -> None:
    assert normalise(text).text == expected


def test_joiners_stay_in_scripts_that_spell_with_them() -> None:
    assert normalise("می\u200cروم").text == "می\u200cروم"
    assert normalise("a\u200cb").text == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "plain words only",
        "one\r\ntwo\r\nthree",
        "😀 one 👍🏽 two! 🇩🇪 three",
        "e\u0301te\u0301 one\u00ad two\u2029three e\u0301",
        "\ufeffone two\u200b three",
    ],
)
def test_every_word_is_found_again_in_the_original(text: str) -> None:
    normal = normalise(text)
    for word in ("one", "two", "three"):
        if word in text:
            assert normal.original(normal.text.index(word)) == text.index(word)


def test_the_ends_map_to_the_ends() -> None:
    for text in ("abc", "a\r\nb", "e\u0301", "x\u200d"):
        normal = normalise(text)
        assert normal.original(0) == 0
        assert normal.original(len(normal.text)) == len(text)


def test_offsets_never_go_back_nor_past_the_original() -> None:
    text = "e\u0301\r\n😀 a\u2029\u2029b ❓e\u0301e\u0301\u0301 \u0958x"
    normal = normalise(text)
    offsets = [normal.original(index) for index in range(len(normal.text) + 1)]
    assert offsets == sorted(offsets)
    assert offsets[-1] == len(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("“e\u0301te\u0301” x", ["e\u0301te\u0301", "x"]),
        ("«c\u0327a»", ["c\u0327a"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8”", ["\u1112\u1161\u11ab\u1100\u116e\u11a8"]),
        ("\u0438\u0306\u0438\u0306—", ["\u0438\u0306\u0438\u0306"]),
    ],
)
def test_decomposed_characters_are_where_they_were_one_by_one(text: str, words: list[str]) -> None:
    normal = normalise(text)
    spans = [match.span() for match in re.finditer(r"\w+", normal.text)]
    assert [text[normal.original(start) : normal.original(stop)] for start, stop in spans] == words


@pytest.mark.parametrize("character", ["\r", "\xa0", "🙂", " 🙂"])
def test_the_work_grows_with_the_length_of_a_run_not_with_its_square(character: str) -> None:
    """With the square, this test would take minutes."""
    text = character * 100_000
    assert len(normalise(text).text) <= len(text)
