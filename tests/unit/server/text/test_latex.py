"""Formulas of LaTeX lose their delimiters, and nothing else."""

import pytest

from phonoscope.server.text.latex import without_latex
from phonoscope.server.text.passage import Passage


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("So $x^2$.", "So x^2."),
        (r"So \(a+b\) and \[c\].", "So a+b and c."),
        (r"So $\frac{a}{b}$.", "So  a over b."),
        (r"So $\unknown{a}$.", "So  unknown {a}."),
    ],
)
def test_a_formula_has_no_delimiters(written: str, read: str) -> None:
    assert without_latex(Passage(written), "en").text == read


@pytest.mark.parametrize(
    "text", ["It costs $5 and $10.", "Pay $$ and $$$.", "echo $PATH_A:$PATH_B", "US$5=7$.", r"C:\frac\x", r"a \( b"]
)
def test_other_dollars_and_backslashes_stay(text: str) -> None:
    assert without_latex(Passage(text), "en").text == text


def test_words_after_a_formula_keep_their_offsets() -> None:
    text = "So $x^2$ holds."
    passage = without_latex(Passage(text), "en")
    start = passage.text.index("holds")
    assert passage.source(start, start + 5) == (9, 14)
