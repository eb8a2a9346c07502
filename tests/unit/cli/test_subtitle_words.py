"""What a subtitle shows of timed words: the text as it was written."""

import re

import pytest

from phonoscope.cli.subtitle_words import Ending, Markup, subtitle_words
from phonoscope.client import WordTiming

PLAIN, PHRASE, SENTENCE = Ending


def timed(text: str, pattern: str = r"[\w']+") -> list[WordTiming]:
    """Returns a second for each word, half of it a pause."""
    found = re.finditer(pattern, text)
    return [WordTiming(it[0], float(n), n + 0.5, it.span()) for n, it in enumerate(found)]


def shown(text: str, pattern: str = r"[\w']+", *, markup: Markup = "none") -> list[tuple[str, Ending]]:
    return [(word.text, word.ending) for word in subtitle_words(text, timed(text, pattern), markup=markup)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world. It's me!", [("Hello,", PHRASE), ("world.", SENTENCE), ("It's", PLAIN), ("me!", SENTENCE)]),
        ('She said: "Go (now)."', [("She", PLAIN), ("said:", PHRASE), ('"Go', PLAIN), ('(now)."', SENTENCE)]),
        ("«Oui», dit-il", [("«Oui»,", PHRASE), ("dit-il", SENTENCE)]),
        ("state-of-the-art 3.5", [("state-of-the-art", PLAIN), ("3.5", SENTENCE)]),
        ("one – two … three", [("one –", PHRASE), ("two …", SENTENCE), ("three", SENTENCE)]),
        ("A title\n\nand text\nin lines", [("A", PLAIN), ("title", SENTENCE), ("and", PLAIN), ("text", PLAIN),
                                          ("in", PLAIN), ("lines", SENTENCE)]),
        ("*starred* ", [("*starred*", SENTENCE)]),
        ("Really?! Yes.", [("Really?!", SENTENCE), ("Yes.", SENTENCE)]),
    ],
)  # fmt: skip
def test_punctuation_goes_with_the_word_that_it_stands_at(text, words):
    assert shown(text) == words


def test_characters_of_a_script_without_spaces_are_words_that_a_line_may_end_after():
    text = "他说:「你好。」好"
    assert shown(text, r"\w") == [("他", PLAIN), ("说:「你", PLAIN), ("好。」", SENTENCE), ("好", SENTENCE)]
    text = "他说：「你好」，好"
    assert shown(text, r"\w") == [
        ("他", PLAIN),
        ("说：", PHRASE),
        ("「你", PLAIN),
        ("好」，", PHRASE),
        ("好", SENTENCE),
    ]
    assert {word.glue for word in subtitle_words(text, timed(text, r"\w"))[:-1]} == {""}


def test_words_are_glued_by_the_space_that_was_there():
    words = subtitle_words("well-known  things", timed("well-known  things"))
    assert [(word.text, word.glue, word.start_seconds, word.end_seconds) for word in words] == [
        ("well-known", " ", 0.0, 1.5),
        ("things", " ", 2.0, 2.5),
    ]


def test_a_long_pause_ends_what_is_shown():
    words = [WordTiming("a", 0.0, 0.5, (0, 1)), WordTiming("b", 1.5, 2.0, (2, 3)), WordTiming("c", 2.9, 3.0, (4, 5))]
    assert [word.ending for word in subtitle_words("a b c", words)] == [SENTENCE, PLAIN, SENTENCE]


def test_a_full_stop_without_a_pause_is_that_of_an_abbreviation():
    words = [
        WordTiming("Dr", 0.0, 0.5, (0, 2)),
        WordTiming("Who", 0.53, 1.0, (4, 7)),
        WordTiming("I", 1.06, 2, (9, 10)),
    ]
    assert [word.ending for word in subtitle_words("Dr. Who. I", words)] == [PHRASE, SENTENCE, SENTENCE]


def test_of_a_document_the_words_and_their_punctuation_are_shown_without_markup():
    text = """<?xml version="1.0"?><!-- say -->
    <speak version="1.1"><p><s>Say <sub alias="a > b">SQL</sub>, please</s><s>AT&amp;T&apos;s</s></p>
    <break time="1s"/>It <emphasis>ends</emphasis>!<mark name="x"/></speak>"""
    words = [
        WordTiming(word, float(n), n + 0.5, (text.index(written), text.index(written) + len(written)))
        for n, (written, word) in enumerate(
            [
                ("Say", "Say"),
                ("SQL", "SQL"),
                ("please", "please"),
                ("AT&amp;T", "AT&T"),
                ("It", "It"),
                ("ends", "ends"),
            ]
        )
    ]
    shown = [(word.text, word.ending) for word in subtitle_words(text, words, markup="ssml")]
    assert shown == [
        ("Say", PLAIN),
        ("SQL,", PHRASE),
        ("please", SENTENCE),
        ("AT&T's", SENTENCE),
        ("It", PLAIN),
        ("ends!", SENTENCE),
    ]


def test_a_break_of_a_document_parts_two_words():
    text = "<speak>a<break/>b</speak>"
    words = [WordTiming(word, 0.0, 0.5, (text.index(f"{word}<"), text.index(f"{word}<") + 1)) for word in "ab"]
    assert subtitle_words(text, words, markup="ssml")[0].glue == " "


def test_nothing_timed_is_nothing_shown():
    assert subtitle_words("…", []) == []


def test_markdown_between_words_is_not_shown():
    text = "# A **bold** title\n\n```py\nx = 1\n```\n- See [the *manual*](https://x.y/z), it's `good`[1].\n"
    spoken = ["A", "bold", "title", "See", "the", "manual", "it's", "good"]
    words, at = [], 0
    for number, word in enumerate(spoken):
        at = text.index(word, at)
        words.append(WordTiming(word, number, number + 0.5, (at, at + len(word))))
        at += len(word)
    shown = [word.text for word in subtitle_words(text, words, markup="markdown")]
    assert shown == ["A", "bold", "title", "See", "the", "manual,", "it's", "good."]


def test_marks_within_a_word_of_markdown_are_not_shown():
    text = "un**believ**able"
    words = [WordTiming(text, 0.0, 0.5, (0, len(text)))]
    assert [word.text for word in subtitle_words(text, words, markup="markdown")] == ["unbelievable"]
