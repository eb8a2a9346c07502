"""A whole Markdown text: what is said, where the pauses are, and that each word is where it is written."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from phonoscope.server.text.markdown.document import PAUSE_SECONDS, read_markdown

WORDS = re.compile(r"\w+")


def said(markdown: str) -> str:
    return "".join(passage.text for passage in read_markdown(markdown).passages)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# Title\nText", "Title.\n\nText"),
        ("# Who?\nText", "Who?\n\nText"),
        ("- one\n- two!\n\nEnd", "one.\n\ntwo!\n\nEnd"),
        ("1. one\n2) two", "1, one.\n\n2, two"),
        ("| a | b. |\n|---|---|\n| c |", "a, b.\n\nc"),
        ('# "Quoted"\n', '"Quoted".\n\n'),
        ('# "Quoted."\n', '"Quoted."\n\n'),
        ("# 標題\n文", "標題。\n\n文"),
        ("# Version 2 🎉\nText", "Version 2 🎉.\n\nText"),
        ("A paragraph\n\nand another", "A paragraph.\n\nand another"),
        ("soft\nbreak", "soft\nbreak"),
        ("hard  \nbreak", "hard,\nbreak"),
        ("hard,<br>break", "hard,\nbreak"),
        ("So [1], he said [2].", "So, he said."),
        ("a  [1]  b", "a  b"),
        ("**強調。**文字", "強調。文字"),
        ("这是*重*点", "这是重点"),
        ("# \n-\n>\n", ""),
        ("", ""),
    ],
)
def test_blocks_end_with_a_mark_and_lines_do_not(markdown: str, expected: str) -> None:
    assert said(markdown) == expected


def test_rules_and_code_are_pauses_between_what_is_said() -> None:
    script = read_markdown("***\nOne\n\n---\n```\nx\n```\nTwo\n\n```\ny\n```\n")
    assert [(one.text, one.pause_seconds) for one in script.passages] == [
        ("One.\n\n", 0.0),
        ("Two.\n\n", PAUSE_SECONDS),
    ]


def test_code_alone_says_nothing() -> None:
    assert read_markdown("```\nx = 1\n```").passages == ()


def test_every_passage_knows_where_its_words_are_written() -> None:
    markdown = "# A **bold** title\n\n---\n\nSee [the manual](https://x.y) &amp; `code`[1]."
    words = [
        (passage.text[found.start() : found.end()], markdown[slice(*passage.source(*found.span()))])
        for passage in read_markdown(markdown).passages
        for found in WORDS.finditer(passage.text)
    ]
    assert [word for word, _ in words] == ["A", "bold", "title", "See", "the", "manual", "code"]
    assert all(word == written for word, written in words)


# Whole documents that are well-formed, as the CommonMark parser of the tests renders them.
_WORD = st.sampled_from(["alpha", "beta", "gamma", "delta", "snake_case", "x2", "naïve", "Zürich"])
_SPAN = st.one_of(
    _WORD,
    _WORD.map(lambda word: f"**{word}**"),
    _WORD.map(lambda word: f"*{word}*"),
    _WORD.map(lambda word: f"__{word}__"),
    _WORD.map(lambda word: f"***{word} more***"),
    _WORD.map(lambda word: f"`{word}`"),
    _WORD.map(lambda word: f'[{word} *text*](https://example.com/{word}_b "title")'),
    _WORD.map(lambda word: f"![{word}](a.png)"),
    _WORD.map(lambda word: f"~~{word}~~"),
    st.sampled_from(["&amp;", "\\*", "<b>bold</b>", "a<br>b", "2 * 3", "5 > 3", "word,", "end."]),
)
_LINE = st.lists(_SPAN, min_size=1, max_size=6).map(" ".join)
_BLOCK = st.one_of(
    st.lists(_LINE, min_size=1, max_size=3).map("\n".join),
    _LINE.map(lambda line: f"## {line}"),
    st.lists(_LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    st.lists(_LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"> {line}" for line in lines)),
    st.just("```python\nnot = read\n```"),
    st.just("---"),
    st.tuples(_WORD, _WORD).map(lambda pair: f"| {pair[0]} | {pair[1]} |\n|---|---|\n| **{pair[1]}** | x |"),
)
DOCUMENTS = st.lists(_BLOCK, min_size=1, max_size=6).map("\n\n".join)


def rendered(markdown: str) -> str:
    """Returns the text of the page that a CommonMark parser makes, without code blocks."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return " ".join(_text_of(token) for token in parser.parse(markdown) if token.type != "fence")


def _text_of(token: Any) -> str:
    if token.children is not None:
        return "".join(_text_of(child) for child in token.children)
    if token.type in ("softbreak", "hardbreak") or token.content == "<br>":
        return " "
    return token.content if token.type in ("text", "text_special", "code_inline") else ""


@given(DOCUMENTS)
def test_the_words_are_those_of_the_rendered_page(markdown: str) -> None:
    assert WORDS.findall(said(markdown)) == WORDS.findall(rendered(markdown))


@given(st.text(max_size=200))
def test_any_text_is_valid_and_known_to_the_character(markdown: str) -> None:
    for passage in read_markdown(markdown).passages:
        at = 0
        for origin in passage.origins:
            assert origin.start == at < origin.stop
            assert 0 <= origin.source_start <= origin.source_stop <= len(markdown)
            at = origin.stop
        assert at == len(passage.text)


def test_a_list_goes_on_after_a_paragraph_of_an_item() -> None:
    script = read_markdown("1. One\n2. Two\n\n   continued\n3. Three")
    assert script.passages[0].text == "1, One.\n\n2, Two.\n\ncontinued.\n\n3, Three"
