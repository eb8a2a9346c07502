"""Sentences are found one at a time, and none is cut in the middle."""

import pytest

from phonoscope.server.text import split as split_module
from phonoscope.server.text.split import Span, split


def sentences(text: str, language: str = "en") -> list[str]:
    return [text[span.start : span.stop] for span in split(text, language)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Dr. Smith paid $3.50."),
        ("en", "Mr. and Mrs. Brown moved to St. Louis."),
        ("en", "J. R. R. Tolkien met C. S. Lewis."),
        ("en", "Cats, e.g. Tom, sleep."),
        ("en", "That is, i.e. This."),
        ("en", "The U.S. Army marched."),
        ("en", "It is 3.14 or .5 or 1,000.25 exactly."),
        ("en", "See www.Example.com/A.B?c=D for more."),
        ("en", "Write to J.Doe@Example.Com now."),
        ("en", "Wait... What? no"),
        ("en", "Well… Maybe so"),
        ("en", "We met at 3 p.m. Monday"),
        ("en", "1. First thing"),
        ("en", "  2. Second thing"),
        ("en", "See No. 5 and Fig. 3 on p. 12"),
        ("en", "Acme Inc. Europe sold it"),
        ("en", "“Stop!” she cried."),
        ("en", "Is it true? said Bob. no"),
        ("en", "version 2.0.1 of it"),
        ("en", "a line\nand another"),
        ("de", "Am 3. Oktober kam Dr. Müller."),
        ("de", "Das ist z. B. Obst, d. h. Essen."),
        ("de", "Er wohnt im 2. Stock, Abs. 4 Nr. 7."),
        ("fr", "M. Dupont et Mme. Dubois sont là."),
        ("fr", "Voir p. 12, art. 5, etc. Voilà"),
        ("es", "El Sr. López y la Dra. Ruiz."),
        ("es", "Fue en EE.UU. Ahora no"),
        ("zh", "版本2.0很好，是吗"),
        ("pl", "Ul. Nowa, np. Warszawa"),
    ],
)
def test_a_sentence_stays_whole(language: str, text: str) -> None:
    assert sentences(text, language) == [text.strip()]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["It rained.", "We stayed in.", "Nobody complained!", "Why?", "Because."]),
        ("en", ['He said "yes."', "Then he left."]),
        ("en", ["(An aside.)", "Not one."]),
        ("en", ["“Really?”", "“Yes!”", "‘No.’", "Done."]),
        ("en", ["What?!", "No!!", "Good."]),
        ("en", ["He left in 1995.", "She stayed."]),
        ("en", ["It cost $3.50.", "That was much."]),
        ("en", ["One ended.", "(Two began.)"]),
        ("de", ["Er kam 1985.", "Sie ging.", "„Wirklich?“", "„Ja.“", "Äpfel fehlen."]),
        ("fr", ["Où est-il ?", "Il est là !", "« Entrez. »", "Merci."]),
        ("es", ["¿Vienes?", "Sí, voy.", "¡Rápido!", "¿Ya?"]),
        ("ru", ["Привет, друзья.", "Как дела?", "Хорошо."]),
    ],
)
def test_sentences_part_at_their_ends(language: str, expected: list[str]) -> None:
    assert sentences(" ".join(expected), language) == expected


def test_chinese_and_japanese_need_no_space() -> None:
    assert sentences("你好。今天好！“是吗？”他说。", "zh") == ["你好。", "今天好！", "“是吗？”", "他说。"]


def test_an_empty_line_ends_a_sentence() -> None:
    assert sentences("A heading\n \nSome text\nof two lines\n\n\nThe end") == [
        "A heading",
        "Some text\nof two lines",
        "The end",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n", " \n \n "])
def test_blank_text_has_no_sentence(text: str) -> None:
    assert sentences(text) == []


def test_spans_are_offsets_without_surrounding_space() -> None:
    assert list(split("  One here.  Two there. ", "en")) == [Span(2, 11), Span(13, 23)]


def test_nothing_beyond_a_sentence_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = split_module.may_abbreviate

    def recording(text: str, stop: int, language: str) -> bool:
        asked.append(stop)
        return real(text, stop, language)

    monkeypatch.setattr(split_module, "may_abbreviate", recording)
    next(split("First one. " + "Another one. " * 1000, "en"))
    assert asked == [9]


@pytest.mark.parametrize("mark", ["-", "*", "+", "•", "1.", "12)", "  -", "\t2."])
def test_an_item_of_a_list_begins_a_sentence(mark: str) -> None:
    text = f"We need\n{mark} flour and\n{mark} milk"
    sentences = [text[span.start : span.stop] for span in split(text, "en")]
    assert sentences == ["We need", f"{mark.strip()} flour and", f"{mark.strip()} milk"]


@pytest.mark.parametrize(
    "text", ["minus\n-5 degrees", "He lived in\n1990. then", "a\n* ", "see\n1.5 times", "a - b\nc"]
)
def test_what_only_looks_like_an_item_begins_none(text: str) -> None:
    assert len(list(split(text, "en"))) == 1
