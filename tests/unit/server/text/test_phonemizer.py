"""The phonemizer of letters reads any text without a language."""

from phonoscope.server.text.phonemizer import Clause, Letters


def test_letters_are_phonemes_and_marks_end_clauses() -> None:
    assert Letters().clauses("Hi, you 2! Bye", "any") == [
        Clause("hi", ",", ends_sentence=False, stop=4),
        Clause("you 2", "!", ends_sentence=True, stop=11),
        Clause("bye", "", ends_sentence=True, stop=14),
    ]


def test_no_text_has_no_clauses() -> None:
    assert Letters().clauses("", "any") == []


def test_every_voice_exists() -> None:
    Letters().check_voice("no such voice")
