"""Markdown in pieces: the same stretches however it is cut, each as soon as it is known, each where it is written."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonoscope.server.text.incremental import LONGEST_STRETCH, Stretch
from phonoscope.server.text.markdown.document import PAUSE_SECONDS, read_markdown
from phonoscope.server.text.markdown.incremental import IncrementalMarkdown

ANSWER = (
    "# A title\r\n\r\nHere is **bo"
    "ld** text with a [link](https://example.com/a_(b)) and `code`.[^1]\n\n"
    "```python\nx = [1](2)\n```\n\n1. First *item*.\n2. Second\n   - [x] inner &amp; more\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n> A quote【3†source】 <br> goes on <!-- hidden -->\n\n---\n\nThe end"
)
MARKS = (
    "** * _ __ ` `` ``` ~~ ~ # ## - * + • > | [ ] ( ) ! < > & ; \\ [1] [^2] [^2]: [x]: ](http://x.y/a_b) ![ <b> </b> "
    "<br> <!-- --> <script> </script> &amp; &#65; 1. 12) --- === |--|-- [x] 【1† 】 \ue200 \ue201 http://a.b/c*d "
    "www.a word Word. x 2 é 今日 。 ! ? , : ' \""
)
SPACES = ["\n", "\n\n", " ", "  ", "\t", "\r\n", "\r", "- ", "# ", "1. ", "> ", "```markdown\n", "a" * 40]
FRAGMENTS = st.sampled_from([*MARKS.split(), *SPACES])
MARKDOWN = st.lists(FRAGMENTS, max_size=40).map("".join)


def stretches_of(pieces: Sequence[str]) -> list[Stretch]:
    text = IncrementalMarkdown("en")
    return [stretch for piece in pieces for stretch in text.add(piece)] + text.flush()


def added(*pieces: str) -> list[str]:
    """What is spoken after those pieces, without an end of the text."""
    text = IncrementalMarkdown("en")
    return [stretch.passage.text for piece in pieces for stretch in text.add(piece)]


@given(MARKDOWN, st.lists(st.integers(0, 400), max_size=10))
@example(ANSWER, [3, 30, 35, 60, 100])
def test_any_cutting_into_pieces_gives_the_same_stretches(markdown: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(markdown)), len(markdown)]
    pieces = [markdown[start:stop] for start, stop in pairwise(edges)]
    whole = stretches_of([markdown])
    assert stretches_of(pieces) == whole
    assert stretches_of(markdown) == whole


@given(MARKDOWN)
@example(ANSWER)
def test_every_stretch_and_every_character_of_it_is_where_it_is_written(markdown: str) -> None:
    position = 0
    for stretch in stretches_of(markdown):
        assert position <= stretch.start <= stretch.stop <= len(markdown)
        assert stretch.text == markdown[stretch.start : stretch.stop]
        position = stretch.stop
        for origin in stretch.passage.origins:
            assert stretch.start <= origin.source_start <= origin.source_stop <= stretch.stop
            if not origin.is_replaced:
                spoken = stretch.passage.text[origin.start : origin.stop]
                assert spoken == markdown[origin.source_start : origin.source_stop]


@given(MARKDOWN)
@example(ANSWER)
def test_pieces_say_what_the_whole_text_says(markdown: str) -> None:
    pieces = "".join(stretch.passage.text for stretch in stretches_of(markdown))
    whole = "".join(passage.text for passage in read_markdown(markdown).passages)
    assert "".join(pieces.split()) == "".join(whole.split())


def test_a_mark_that_is_cut_in_two_is_one_mark() -> None:
    said = [stretch.passage.text for stretch in stretches_of(["**bo", "ld* ", "*[li", "nk](htt", "ps://x.y) e", "nd"])]
    assert " ".join(said) == "bold link end"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["It **rains**. T"], ["It rains."]),
        (["# A title\n"], ["A title."]),
        (["- one\n", "- t"], ["one."]),
        (["| a | b |\n"], ["a, b."]),
        (["It rains.\n\n", "```\ncode"], ["It rains."]),
        (["See [the manual. It", " is long](https://x.y). A"], ["See the manual.", "It is long."]),
        (["It rains [1]. T"], ["It rains."]),
        (["It rains [1"], []),
    ],
)
def test_a_stretch_is_spoken_as_soon_as_it_is_known(pieces: list[str], expected: list[str]) -> None:
    assert added(*pieces) == expected


def test_a_mark_that_nothing_closes_waits_for_its_paragraph_at_most() -> None:
    assert added("Yes. He [said. He ", "went. He ", "left.\n\n") == ["Yes.", "He [said.", "He went.", "He left."]
    assert added("Yes. He [said. ", "And so on. " * 40)[:2] == ["Yes.", "He [said."]


def test_code_that_goes_on_for_many_pieces_is_not_spoken() -> None:
    pieces = ["Look. ", "\n``", "`py\n", *["x = 1\n"] * 1000, "``", "`\nDone. T"]
    assert added(*pieces) == ["Look.", "Done."]


def test_a_pause_stands_for_code_and_for_rules_but_not_at_the_beginning() -> None:
    stretches = stretches_of("---\n\nOne.\n\n```\nx\n```\n\n---\nTwo.\n\nThree.")
    assert [(one.passage.text, one.passage.pause_seconds) for one in stretches] == [
        ("One.", 0.0), ("Two.", PAUSE_SECONDS), ("Three.", 0.0),
    ]  # fmt: skip


def test_a_flush_speaks_what_is_not_known_yet() -> None:
    text = IncrementalMarkdown("en")
    assert text.add("Half a [sen") == []
    assert [stretch.text for stretch in text.flush()] == ["Half a [sen"]
    assert [(stretch.start, stretch.text) for stretch in [*text.add("tence. "), *text.flush()]] == [(11, "tence.")]


def test_in_a_pinch_the_last_whole_word_is_taken() -> None:
    text = IncrementalMarkdown("en")
    text.add("**It rains** her")
    assert text.has_clause
    assert [stretch.passage.text for stretch in text.take_clause()] == ["It rains"]
    assert text.take_clause() == []
    assert [stretch.text for stretch in text.flush()] == ["her"]
    assert text.characters == len("**It rains** her")


@pytest.mark.parametrize("unit", ["word ", "x", "**a** ", "[a](b) ", "* ", "a. ", "| ", "`", "&", "<", "~~~\n"])
def test_little_is_pending_however_long_the_text(unit: str) -> None:
    text = IncrementalMarkdown("en")
    for _ in range(2_000):
        text.add(unit)
        assert text.pending_characters <= 2 * LONGEST_STRETCH
