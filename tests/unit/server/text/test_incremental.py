"""Text that comes in pieces: the same stretches however it is cut, each as soon as it is sure."""

import random

import pytest

from phonoscope.server.text.incremental import (
    CONTEXT,
    FIRST_CLAUSE_CHARACTERS,
    LONGEST_STRETCH,
    LOOKAHEAD,
    IncrementalText,
    Stretch,
)
from phonoscope.server.text.split import split

PROSE = (
    "Well, the train from St. Louis was late again, said Dr. Smith (who paid $3.50), and nobody knew why... "
    "“Stop!” she cried. It cost 1,000.25 euros, e.g. for tea; version 2.0.1 did not help.\n\n"
    "A heading\n\nThen: the end? 今日はいい天気です。「本当に？」と聞いた。はい！ Café 👩‍👩‍👧 and e\u0301t\u00e9. "
    "J. R. R. Tolkien met C. S. Lewis at 3 p.m. Monday. The rest trails off without an end"
)
TEXTS = {
    "prose": PROSE,
    "one sentence": "Hello there.",
    "no end": "word " * 300,
    "no space": "x" * 1500,
    "only space": " \n\n \t " * 30,
    "marks": "?!... !!! ??? 。。。 . . . \n\n.",
    "far apart": "One." + " " * 200 + "Two." + "\n" * 200 + "Three.",
    "long first clause": "a" * 31 + ", " + "b" * 20 + ", then more. And more, too.",
    "list of figures": "It was in 1,2, 3, 4 and 5, 6, 7, 8, 9, 10, 11, 12 that we met, at last. Yes.",
    "a quote before an empty line": f'{"x" * 40}: "\n\nFoo',
    "paragraphs": 'It is e.g.\n\nlower. \n \nUpper...\n\nand "on."\n\n\n\nEnd.\n\n',
    "items": "A list of things:\n- one\n- two\n"
    + " " * 15
    + "3. three\n"
    + " " * 70
    + "- four\n-5 is none\n1."
    + " " * 70
    + "x",
    "empty": "",
}


def stretches_of(*pieces: str, language: str = "en") -> list[Stretch]:
    text = IncrementalText(language)
    return [stretch for piece in pieces for stretch in text.add(piece)] + text.flush()


def cut(text: str, seed: int, longest: int) -> list[str]:
    chance, pieces = random.Random(seed), []
    while text:
        size = chance.randint(0, longest)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def added(*pieces: str) -> list[str]:
    """What is over after those pieces, without an end of the text."""
    text = IncrementalText("en")
    return [stretch.text for piece in pieces for stretch in text.add(piece)]


# --- however it is cut -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("longest", [1, 2, 7, 40, 500])
def test_any_cutting_into_pieces_gives_the_same_stretches(name: str, longest: int) -> None:
    whole = stretches_of(TEXTS[name])
    for seed in range(20):
        assert stretches_of(*cut(TEXTS[name], seed, longest)) == whole


@pytest.mark.parametrize("name", TEXTS)
def test_stretches_are_the_text_in_order_and_only_space_is_left_out(name: str) -> None:
    text, position = TEXTS[name], 0
    for stretch in stretches_of(*text):
        assert text[stretch.start : stretch.stop] == stretch.text
        assert not text[position : stretch.start].strip()
        assert stretch.text == stretch.text.strip() != ""
        position = stretch.stop
    assert not text[position:].strip()


def test_after_the_first_clause_stretches_are_the_sentences_of_the_whole_text() -> None:
    first, *rest = [stretch.text for stretch in stretches_of(*PROSE)]
    expected = [PROSE[span.start : span.stop] for span in split(PROSE, "en")]
    assert expected[0].startswith(first)
    assert [f"{first} {rest[0]}", *rest[1:]] == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith paid $3.50 to Mr. Brown of St. Louis.",
        "Wait... What is it?",
        "See www.Example.com/A.B?c=D for more.",
        "We met at 3 p.m. Monday.",
        "“Stop!” she cried.",
        "1. First thing.",
    ],
)
def test_what_only_looks_like_an_end_is_none_whichever_way_it_comes(sentence: str) -> None:
    text = f"{sentence} Next."
    assert next(stretch.text for stretch in stretches_of(*text)) == sentence
    assert [stretch.text for stretch in stretches_of(text)] == [sentence, "Next."]


def test_the_language_tells_what_abbreviates() -> None:
    text = "Das ist z. B. Obst. Ja."
    assert [stretch.text for stretch in stretches_of(*text, language="de")] == ["Das ist z. B. Obst.", "Ja."]


def test_a_stretch_knows_how_much_of_its_line_comes_before_it() -> None:
    offsets = [stretch.passage.line_offset for stretch in stretches_of("One. Two.\nThree.\n\nFour. Five.")]
    assert offsets == [0, 5, 0, 0, 6]


def test_a_passage_counts_the_characters_of_all_pieces() -> None:
    text = "One. Two two.\n\nThree."
    for stretch in stretches_of(*text):
        assert stretch.passage.source(0, len(stretch.passage.text)) == (stretch.start, stretch.stop)


# --- as soon as it is sure -------------------------------------------------------------------------------------


def test_a_sentence_is_over_when_the_next_word_begins_and_not_before() -> None:
    assert added("It rains.", " ") == []
    assert added("It rains.", " ", "T") == ["It rains."]
    assert added("It rains.", " (", "T") == ["It rains."]


def test_a_sentence_with_nothing_but_space_after_it_is_over_after_so_much() -> None:
    assert added("It rains.", " " * (LOOKAHEAD - 1)) == []
    assert added("It rains.", " " * LOOKAHEAD) == ["It rains."]


def test_an_empty_line_ends_a_sentence_at_once() -> None:
    assert added("A heading\n", "\n") == ["A heading"]
    assert added("It rains.\n", "\n") == ["It rains."]
    assert added("Wait...\n", " \n") == ["Wait..."]


def test_a_wide_mark_waits_for_what_may_close_with_it() -> None:
    assert added("今日は。") == []
    assert added("今日は。」と言った") == ["今日は。」"]


def test_the_first_stretch_is_the_first_clause_that_is_long_enough() -> None:
    short = "a" * (FIRST_CLAUSE_CHARACTERS - 2)
    assert added(f"{short}, then the sentence goes on") == []
    assert added(f"{short}a, then the sentence goes on, and on") == [f"{short}a,"]


def test_only_the_first_stretch_may_be_a_clause() -> None:
    long = "A" * FIRST_CLAUSE_CHARACTERS
    assert added(f"Yes. {long}, and so on, and on") == ["Yes."]


def test_a_comma_between_digits_is_not_a_clause() -> None:
    assert added("It was in the years of nineteen 1, 2, 3, 4 and", " then, or so") == [
        "It was in the years of nineteen 1, 2, 3, 4 and then,"
    ]


@pytest.mark.parametrize("mark", ["May 3rd, 2026", "3 – 5", "10 a.m. – 4 p.m.", "9 pm — 11 pm"])
def test_a_mark_between_numbers_is_not_a_clause(mark: str) -> None:
    assert added(f"On that long and cold morning of {mark} it snowed, they say.")[0].endswith("it snowed,")


def test_a_stretch_without_an_end_is_cut_at_its_last_clause() -> None:
    begun = "Yes. "
    text = begun + "B" * 100 + ", " + "word " * 100
    assert added(text)[1] == "B" * 100 + ","


def test_a_stretch_without_a_clause_is_cut_between_words() -> None:
    for stretch in added("Yes. W" + "word " * 300)[2:]:
        assert LONGEST_STRETCH - 5 <= len(stretch) <= LONGEST_STRETCH
        assert set(stretch.split(" ")) == {"word"}


@pytest.mark.parametrize("joined", ["e\u0301", "👩‍👩‍👧", "क\u094d"])
def test_a_character_of_several_code_points_is_never_cut_in_two(joined: str) -> None:
    for stretch in stretches_of("x", joined * LONGEST_STRETCH):
        assert stretch.text.strip("x") == joined * (len(stretch.text.strip("x")) // len(joined))


# --- flushed, and in a pinch -----------------------------------------------------------------------------------


def test_a_flush_returns_whatever_has_come() -> None:
    text = IncrementalText("en")
    assert text.add("Half a sen") == []
    assert [stretch.text for stretch in text.flush()] == ["Half a sen"]
    assert text.pending_characters == 0
    assert text.flush() == []
    assert [(stretch.start, stretch.text) for stretch in [*text.add("tence. "), *text.flush()]] == [(10, "tence.")]


def test_a_flush_of_several_sentences_returns_each() -> None:
    text = IncrementalText("en")
    assert [stretch.text for stretch in text.add("One. Two")] == ["One."]
    assert [stretch.text for stretch in text.flush()] == ["Two"]


@pytest.mark.parametrize(
    ("come", "taken"),
    [
        ("It rains", "It"),
        ("It rains ", "It rains"),
        ("It rains here, and there", "It rains here,"),
        ("It, and there we", "It, and there"),
        ("It rains.", "It rains."),
        ("“It rains!”", "“It rains!”"),
        ("雨です、そして", "雨です、そして"[:0]),
    ],
)
def test_in_a_pinch_the_last_clause_or_whole_word_is_taken(come: str, taken: str) -> None:
    text = IncrementalText("en")
    text.add(come)
    assert text.has_clause == bool(taken)
    assert "".join(stretch.text for stretch in text.take_clause()) == taken
    rest = "".join(stretch.text for stretch in text.flush())
    assert rest == come[len(taken) :].strip()


def test_an_unfinished_word_is_not_a_clause() -> None:
    text = IncrementalText("en")
    assert not text.has_clause
    text.add("Hel")
    assert not text.has_clause
    assert text.take_clause() == []
    assert text.pending_characters == 3


# --- bounds ----------------------------------------------------------------------------------------------------


def test_characters_are_counted_over_all_pieces() -> None:
    text = IncrementalText("en")
    for piece in ("One. ", "", "Two. Three"):
        text.add(piece)
    assert text.characters == len("One. Two. Three")


@pytest.mark.parametrize("unit", ["word ", "x", " ", ".", ". ", ", ", "A. ", "。", "\n"])
def test_little_is_held_however_long_the_text(unit: str) -> None:
    text = IncrementalText("en")
    for _ in range(10_000):
        text.add(unit)
        assert text.pending_characters <= LONGEST_STRETCH + CONTEXT
