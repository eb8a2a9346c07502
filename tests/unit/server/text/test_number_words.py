"""Numbers in words, or nothing where num2words has none."""

from decimal import Decimal

import pytest

from phonoscope.server.text.number_words import number_words


@pytest.mark.parametrize(
    ("value", "language", "form", "words"),
    [
        (21, "en", "cardinal", "twenty-one"),
        (3, "de", "ordinal", "dritte"),
        (1999, "en", "year", "nineteen ninety-nine"),
        (1234, "en", "cardinal", "one thousand two hundred and thirty-four"),
        (Decimal(-1), "fil", "cardinal", ""),
        (3, "xx", "cardinal", ""),
        (Decimal("1.5"), "de", "ordinal", ""),
        (10**400, "en", "cardinal", ""),
    ],
)
def test_a_number_in_words(value: Decimal | int, language: str, form: str, words: str) -> None:
    assert number_words(value, language, form) == words


def test_an_amount_of_money_has_its_currency() -> None:
    assert number_words(Decimal("2.50"), "de", "currency", currency="EUR", separator="|") == "zwei Euro| fünfzig Cent"
