"""A passage that is made piece by piece keeps words apart and knows where each character was written."""

import pytest

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.passage import Manner, Mark, Passage
from phonoscope.server.text.passage_builder import PassageBuilder

SLOW = Prosody(rate=0.5)
LOUD = Prosody(gain_db=6.0)


def closed(builder: PassageBuilder, ending: str = ".") -> Passage:
    passage = builder.close(ending)
    assert passage is not None
    return passage


def source_of(passage: Passage, word: str) -> tuple[int, int]:
    start = passage.text.index(word)
    return passage.source(start, start + len(word))


def test_text_that_stands_for_other_text_is_all_of_it_and_its_neighbours_are_exact() -> None:
    builder = PassageBuilder()
    builder.add("one ", 10)
    builder.add_replaced("World Wide Web", (20, 23))
    builder.add(" two", 40)
    passage = closed(builder)
    assert passage.text == "one World Wide Web two."
    assert [source_of(passage, word) for word in ("one", "Wide", "two")] == [(10, 13), (20, 23), (41, 44)]
    assert source_of(passage, "Web two") == (20, 44)


def test_a_reference_is_as_long_as_it_is_written() -> None:
    builder = PassageBuilder()
    builder.add("A", 0)
    builder.add_reference("&", (1, 6))
    builder.add("B", 6)
    passage = closed(builder)
    assert passage.source(0, 3) == (0, 7)
    assert passage.source(1, 2) == (1, 6)
    assert not passage.is_settled(1, 2)


@pytest.mark.parametrize(("before", "after"), [("un", "able"), ("1", "2")])
def test_words_do_not_run_into_what_stands_for_other_text(before: str, after: str) -> None:
    builder = PassageBuilder()
    builder.add(before, 0)
    builder.add_replaced("bel", (2, 5))
    builder.add(after, 5)
    passage = closed(builder)
    assert passage.text == f"{before} bel {after}."
    assert source_of(passage, f" {after}")[1] == 5 + len(after)
    assert source_of(passage, after) == (5, 5 + len(after))


def test_marks_of_writing_stay_where_they_are() -> None:
    builder = PassageBuilder()
    builder.add("(", 0)
    builder.add_replaced("bel", (1, 4))
    builder.add(")", 4)
    assert closed(builder).text == "(bel)"


@pytest.mark.parametrize(("text", "closed_text"), [("one", "one."), ("one ", "one ."), ("one!", "one!"), ("5", "5.")])
def test_a_last_word_is_closed_and_a_mark_is_not(text: str, closed_text: str) -> None:
    builder = PassageBuilder()
    builder.add(text, 3)
    passage = closed(builder)
    assert passage.text == closed_text
    assert passage.source(0, len(passage.text)) == (3, 3 + len(text))


def test_nothing_makes_no_passage_but_a_mark_does() -> None:
    builder = PassageBuilder()
    builder.add(" \n ", 0)
    assert builder.close(".") is None
    builder.add_mark("here")
    assert closed(builder).marks == (Mark(3, "here"),)


def test_manners_cover_what_is_said_in_them() -> None:
    builder = PassageBuilder()
    builder.add("one ", 0)
    builder.add("two", 4, SLOW)
    builder.add_replaced("three", (7, 8), LOUD)
    passage = closed(builder)
    assert passage.manners == (Manner(4, 7, SLOW), Manner(8, 13, LOUD))
    assert passage.text[8:13] == "three"
    assert not passage.is_plain
