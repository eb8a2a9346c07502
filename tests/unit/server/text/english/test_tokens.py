"""A clause becomes words and the marks that voices have letters for."""

import pytest

from phonoscope.server.text.english.tokens import tokens_of


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        (
            '“Hi,” she said — "no" (twice)…',
            ["“", "Hi", "”", "she", "said", "—", "“", "no", "”", "（", "twice", "）", "…"],
        ),
        ("well... so -- now - then", ["well", "…", "so", "—", "now", "—", "then"]),
        ("'tis the dogs' C# & 50%", ["tis", "the", "dogs", "C#", "&", "50%"]),
        ("state-of-the-art, e.g. ,", ["state-of-the-art", "e.g"]),
        ("", []),
    ],
)
def test_words_and_marks(clause: str, found: list[str]) -> None:
    assert [token.mark or token.word for token in tokens_of(clause)] == found


def test_a_word_has_its_apostrophes_and_its_stop() -> None:
    first, second = tokens_of("’tis No. ")
    assert first.with_apostrophes == "'tis"
    assert second.with_stop == "No."
    assert (second.word, second.is_apart) == ("No", True)


def test_dashes_and_ellipses_are_pauses() -> None:
    assert [token.is_pause for token in tokens_of("a—b… “c”")] == [False, True, False, True, False, False, False]
