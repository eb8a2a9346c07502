"""Plainer letters for letters that a voice lacks."""

import pytest

from phonoscope.server.text.folding import folded

_PLAIN = "ễ:e Ạ:A ł:l ø:o đ:d ß:ss æ:ae ı:i ț:t ʰ:h ǆ:dz ɓ:b ǿ:o ⱥ:a"


@pytest.mark.parametrize(("letter", "plain"), [tuple(pair.split(":")) for pair in _PLAIN.split()])
def test_a_letter_becomes_plain_ones(letter: str, plain: str) -> None:
    assert folded(letter, str.isascii) == plain


def test_marks_that_the_voice_reads_are_kept() -> None:
    assert folded("ễ", "eê".__contains__) == "ê"


@pytest.mark.parametrize("letter", ["中", "ж", "ǃ"])
def test_a_letter_without_a_plainer_form_has_none(letter: str) -> None:
    assert folded(letter, str.isascii) is None
