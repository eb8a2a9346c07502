"""Numbers in words, by num2words. Called by `ssml/say_as.py` and `verbalize/`."""

import decimal

from num2words import CONVERTER_CLASSES, num2words


def number_words(value: decimal.Decimal | int, language: str, form: str, **options: str) -> str:
    """Returns a number in words without commas; "" if num2words has none: each of its languages fails differently.

    Args:
        value: the number.
        language: without region, such as "en".
        form: "cardinal", "ordinal", "year" or "currency".
        options: of the form, such as the currency.
    """
    if language not in CONVERTER_CLASSES:  # num2words itself takes "fil" for "fi"
        return ""
    try:
        words = str(num2words(value, lang=language, to=form, **options))
    except (
        ArithmeticError, AttributeError, LookupError, NotImplementedError, RecursionError, TypeError, ValueError
    ):  # fmt: skip
        return ""
    return words.replace(",", "").strip()
