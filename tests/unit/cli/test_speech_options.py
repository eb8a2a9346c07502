"""Options that are more than a value."""

import pytest
import typer

from phonoscope.cli.speech_options import emotion_weights_of, pronunciations_of
from phonoscope.client import Pronunciation


def test_pronunciations_are_by_ipa_or_by_other_words():
    assert pronunciations_of(["tomato = təˈmɑːtoʊ"], ["SQL=sequel", "a=b=c"]) == [
        Pronunciation("tomato", ipa="təˈmɑːtoʊ"),
        Pronunciation("SQL", respelling="sequel"),
        Pronunciation("a", respelling="b=c"),
    ]


@pytest.mark.parametrize("given", ["tomato", "=x", "x=", "", " = "])
def test_one_that_says_nothing_is_refused_with_an_example(given):
    with pytest.raises(typer.BadParameter, match=r"is not of the form NAME=VALUE; write such as tomato=təˈmɑːtoʊ"):
        pronunciations_of([given], [])
    with pytest.raises(typer.BadParameter, match="write such as SQL=sequel"):
        pronunciations_of([], [given])


def test_weights_by_name():
    assert emotion_weights_of("happy=0.6, sad = .2,") == {"happy": 0.6, "sad": 0.2}
    assert emotion_weights_of("") == {}


@pytest.mark.parametrize("given", ["happy", "happy=much", "=1", "happy=0.5;sad=0.5"])
def test_what_is_no_list_of_weights_is_refused_with_an_example(given):
    with pytest.raises(typer.BadParameter, match=r"write such as happy=0\.6,sad=0\.2"):
        emotion_weights_of(given)
