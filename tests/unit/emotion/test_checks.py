"""What a request may contain; every violation names its field and says what to send instead."""

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.emotion.checks import MAX_VIOLATIONS, Limits, checked
from phonoscope.emotion.types import Sentence

LIMITS = Limits(max_texts=3, max_text_characters=10)
LANGUAGES = ("en", "zh")


@pytest.mark.parametrize("tag", ["en", "en-US", "en_us", "EN", "en-Latn-GB"])
def test_a_language_may_have_region_and_script(tag: str) -> None:
    assert checked([("Hello.", tag)], LIMITS, LANGUAGES) == [Sentence("Hello.", "en")]


def test_tabs_and_line_breaks_are_no_control_characters() -> None:
    assert checked([("a\tb\r\nc", "en")], LIMITS, LANGUAGES)


@pytest.mark.parametrize(
    ("texts", "field", "reason", "words"),
    [
        ([], "texts", "TEXT_EMPTY", "send at least one text"),
        ([("a", "en")] * 4, "texts", "TEXTS_TOO_MANY", "has 4 texts; the maximum is 3"),
        ([("", "en")], "texts[0].text", "TEXT_EMPTY", "is empty"),
        ([("a", "en"), (" \n", "en")], "texts[1].text", "TEXT_EMPTY", "is empty"),
        ([("a" * 11, "en")], "texts[0].text", "TEXT_TOO_LONG", "has 11 characters; the maximum is 10"),
        ([("be\x07ll", "en")], "texts[0].text", "TEXT_CONTROL_CHARACTER", "U+0007 at position 2"),
        (
            [("a", "")],
            "texts[0].language",
            "LANGUAGE_NOT_SUPPORTED",
            "use a BCP 47 tag of one of these languages: en, zh",
        ),
        ([("a", "de-DE")], "texts[0].language", "LANGUAGE_NOT_SUPPORTED", "'de-DE' is not supported"),
    ],
)
def test_a_bad_field_is_named_with_its_fix(texts: list[tuple[str, str]], field: str, reason: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        checked(texts, LIMITS, LANGUAGES)
    (violation,) = raised.value.violations
    assert (violation.field, raised.value.reason) == (field, reason)
    assert words in violation.description


def test_all_bad_fields_are_named_at_once_up_to_what_trailers_carry() -> None:
    with pytest.raises(InvalidRequest) as raised:
        checked([("", "xx")] * 20, Limits(64, 10), LANGUAGES)
    assert raised.value.reason == "SEVERAL_FIELDS"
    assert len(raised.value.violations) == MAX_VIOLATIONS
