"""Line ends: heard where a writer meant them, and not where prose is wrapped."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonoscope.server.text.line_ends import SHORT_COLUMNS, with_pauses
from phonoscope.server.text.passage import Passage

PROSE = (
    "When the train from London came in, Mary and John were waiting on Platform Two, where an old man sold roasted "
    "chestnuts; he said that Queen Victoria had bought some there on a Monday in May, and that nobody since had."
)


def read(text: str, line_offset: int = 0) -> str:
    return with_pauses(Passage(text, line_offset=line_offset)).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I wandered lonely as a cloud\nThat floats on high", "I wandered lonely as a cloud,\nThat floats on high"),
        ("221B Baker Street  \r\nLondon NW1\n\nDear Sir", "221B Baker Street,\nLondon NW1\n\nDear Sir"),
        ("flour\nbrown sugar\nmilk", "flour,\nbrown sugar,\nmilk"),
        ("Title\n“Quoted text.”", "Title,\n“Quoted text.”"),
        ("(so they say)\nNext", "(so they say),\nNext"),
        ("春眠不覺曉\n處處聞啼鳥", "春眠不覺曉,\n處處聞啼鳥"),
    ],
)
def test_a_short_line_ends_with_a_comma(text: str, expected: str) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "One line only",
        "He went to the store\nand came back",
        "It ends.\nThe next",
        "It ends,\nThe next",
        "An end:\nThe next",
        "A dash —\nThe next",
        "Title\n\nText",
        "Title\n- Item",
        "Title\n1. Item",
        "Title\n---\nText",
        "***\nText",
        f"{'a' * (SHORT_COLUMNS + 1)}\nThe next",
        f"{'春' * (SHORT_COLUMNS // 2 + 1)}\n處",
        "\n\n",
        "",
    ],
)
def test_any_other_line_end_stays_as_it_is(text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize("columns", [28, 34, 40, 60, 72, 80])
def test_wrapped_prose_stays_as_it_is(columns: int) -> None:
    text = textwrap.fill(PROSE, columns)
    assert read(text) == text


def test_a_line_is_as_long_as_it_is_with_what_comes_before_the_passage() -> None:
    assert read("the end of it\nMonday") == "the end of it,\nMonday"
    assert read("the end of it\nMonday", line_offset=40) == "the end of it\nMonday"


def test_a_comma_comes_from_the_line_end() -> None:
    passage = with_pauses(Passage("Title \nText"))
    assert passage.text == "Title,\nText"
    assert passage.source(0, 6) == (0, 7)
    assert passage.source(7, 11) == (7, 11)


@given(st.text(alphabet="aB .,\n\r-1.é春", max_size=60))
def test_only_commas_are_added_and_places_stay(text: str) -> None:
    passage = with_pauses(Passage(text))
    assert "".join(passage.text.split()).replace(",", "") == "".join(text.split()).replace(",", "")
    for at, character in enumerate(passage.text):
        start, stop = passage.source(at, at + 1)
        assert 0 <= start <= stop <= len(text)
        assert character in ",\n" or text[start:stop] == character
