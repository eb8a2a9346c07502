"""Which texts are taken for Markdown."""

import pytest

from phonoscope.gateway.text_formats import is_markdown


@pytest.mark.parametrize(
    "text",
    [
        "# Title",
        "Text\n\n## Title\n",
        "```python\nx\n```",
        "One\n\n---\n\nTwo",
        "We need:\n- flour",
        "* one\n* two",
        "> quoted",
        "| a | b |\n|---|---|",
        "Hello **you**.",
        "__Hello__ you",
        "That is *very* good.",
        "That is _very_ good.",
        "~~old~~ new",
        "Run `make`.",
        "See [this](https://example.com).",
        "![A bird](bird.png)",
        "![A bird](/bird.png)",
        "It is so.[^1]",
        "It is so [1].",
        "It is so.[2][3]",
        "It is so【12†source】.",
    ],
)
def test_marks_of_markdown_are_recognised(text: str) -> None:
    assert is_markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello, world! It's a well-known fact.",
        "2 * 3 * 4 = 24, and 2**8 is 256.",
        "5 > 3 and 3 < 5",
        "snake_case_name and _private",
        "#hashtag and C#",
        "A [sic] in brackets (and parentheses).",
        "a[0] and m[i]",
        "He left - and came back.",
        "-5 degrees",
        "It costs $5*",
        "1. First",
        "a | b",
        "<b>bold</b>",
        "😀 …",
    ],
)
def test_plain_text_is_not_markdown(text: str) -> None:
    assert not is_markdown(text)
