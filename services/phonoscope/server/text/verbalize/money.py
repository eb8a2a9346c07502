"""Amounts of money: a sign or a code beside a number, such as `-$5.00`, `US$ 20`, `1.234,56 €` and `$3.5 million`.

Names of currencies come from CLDR through Babel, inflected amounts and names of subunits (cents) from num2words.
English amounts stay in digits, which espeak-ng reads well.
"""

import re
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from babel.numbers import get_currency_name
from num2words import CONVERTER_CLASSES

from phonoscope.server.text.number_words import number_words
from phonoscope.server.text.verbalize.language import HYPHEN, MINUS, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, either, rule, words_of

# Signs beyond those that CLDR has for English.
_SIGNS: Final = {
    "$": "USD", "US$": "USD", "US-$": "USD", "C$": "CAD", "R$": "BRL", "AU$": "AUD", "S$": "SGD", "€": "EUR",
    "£": "GBP", "¥": "JPY", "￥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₦": "NGN",
    "฿": "THB", "₫": "VND", "₱": "PHP", "₪": "ILS",
}  # fmt: skip
# Codes that are no words: CLDR has more, such as ALL, TOP and TRY.
_CODES: Final = words_of(
    "USD EUR GBP JPY CHF CAD AUD NZD CNY INR KRW BRL MXN SEK NOK DKK PLN CZK HUF RUB ZAR SGD HKD THB ILS AED UAH"
)
_MAGNITUDES: Final = {
    "en": {
        **dict.fromkeys(("k", "K", "thousand"), "thousand"),
        **dict.fromkeys(("m", "M", "mn", "mln", "million"), "million"),
        **dict.fromkeys(("b", "B", "bn", "billion"), "billion"),
        **dict.fromkeys(("T", "tn", "trillion"), "trillion"),
        "hundred": "hundred",
    },
    "de": {
        **dict.fromkeys(("Mio.", "Mio", "Millionen", "Million"), "Millionen"),
        **dict.fromkeys(("Mrd.", "Mrd", "Milliarden", "Milliarde"), "Milliarden"),
    },
    "fr": {
        **dict.fromkeys(("M", "million", "millions"), "millions"),
        **dict.fromkeys(("Md", "milliard", "milliards"), "milliards"),
    },
    "es": dict.fromkeys(("M", "mill.", "millones"), "millones"),
}
# Joins an amount and its subunits; num2words has it too, but differently for each language.
_AND: Final = {"en": "and", "de": "und", "fr": "et", "es": "con", "it": "e", "pt": "e", "nl": "en"}
# The part of CLDR's name of a currency that is said where a sign is written: "dollars" of "US dollars".
_LAST_WORD: Final = frozenset({"en"})
_FIRST_WORD: Final = frozenset({"fr", "es", "it", "pt", "ca", "ro"})
_PER: Final = {
    **{name: name for name in words_of("month year day hour week person night user share minute second gallon unit")},
    "mo": "month", "yr": "year", "hr": "hour", "h": "hour", "wk": "week", "lb": "pound", "kg": "kilogram",
    "gal": "gallon", "oz": "ounce", "GB": "gigabyte", "min": "minute",
}  # fmt: skip
_NOUNS: Final = re.compile(r" (?:bills?|notes?|coins?|banknotes?)\b|-[A-Za-z]")
_CENT_DIGITS: Final = 2  # with more, such as "1.000 €" in English, digits are read as they are
_CENTS: Final = re.compile(r"[\s0-9.,]*[.,][0-9]{2}")


def rules(language: Language) -> list[Rule]:
    """Returns the rules for money; none where CLDR has no names of currencies."""
    signs = _signs(language)
    names = either(list(signs))
    magnitudes = _MAGNITUDES.get(language.code, {})
    magnitude, low_magnitude = "(?P<joint>)(?P<magnitude>)", "(?P<low_magnitude>)"
    if magnitudes:
        low_magnitude = rf"(?:{SPACE}?(?P<low_magnitude>{either(list(magnitudes))}))?"
        magnitude = rf"(?:(?P<joint>{SPACE}(?![kmb]\b)|-(?=\w{{4}}))?(?P<magnitude>{either(list(magnitudes))})(?!\w))?"
    number = rf"(?P<amount>{language.number})"
    if language.code == "en":
        number = rf"(?P<amount>{language.number}|\.[0-9]{{2}})"
    ends = r"(?![\w$]|[.,][0-9])"  # between two dollar signs is a formula
    codes = either(_CODES)
    high = rf"{low_magnitude}{HYPHEN}(?P<low_sign>{names})?(?P<high>{language.number})"
    high_after = rf"{low_magnitude}(?:{SPACE}?(?P<low_sign>{names}))?{HYPHEN}(?P<high>{language.number})"

    def spoken(match: re.Match[str]) -> str | None:
        return _Amount(match, signs, magnitudes, language).spoken()

    minus = rf"(?P<minus>{MINUS})?"
    next_amount = rf"{SPACE}?[0-9]" if language.code == "en" else "[0-9]"
    per = rf"(?:/(?P<per>{either(list(_PER))})(?!\w))?" if language.code == "en" else ""
    low = r"(?<![\w.,:/\\@#&=])" if language.code == "en" else r"(?<![\w.,:/\\@&=])"
    before = rf"{low}{minus}(?P<sign>{names}){SPACE}?(?P<inner>{MINUS})?{number}"
    before_in_code = rf"{low}{minus}(?P<code>{codes}){SPACE}?{number}"
    code = rf"(?:{SPACE}?(?P<code>{codes}))?"
    sign_after = rf"{SPACE}?(?:(?P<sign>{names})|(?P<code>{codes})(?!\w))(?![\w$€£¥]|{next_amount}){per}"
    alone = rf"(?!{HYPHEN}[0-9])"
    # Ranges first: what is none after all is one amount, and then another.
    return [
        *(rule("sign letter", f"{before}{until}{magnitude}{code}{ends}{per}", spoken) for until in (high, alone)),
        *(rule("sign letter", f"{before_in_code}{until}{magnitude}{ends}{per}", spoken) for until in (high, alone)),
        *(
            rule("digit sign", rf"{LEFT}(?<!\^){minus}{number}{until}{magnitude}{sign_after}", spoken)
            for until in (high_after, "")
        ),
        *_of_cents(language),
        *_german_round(language),
    ]


def _of_cents(language: Language) -> list[Rule]:
    if language.code != "en":
        return []

    def spoken(match: re.Match[str]) -> str:
        return f"{match['amount']} {'cent' if match['amount'] == '1' else 'cents'}"

    return [rule("digit", rf"{LEFT}(?P<amount>[0-9]+(?:\.[0-9]+)?){SPACE}?¢(?!\w)", spoken)]


def _german_round(language: Language) -> list[Rule]:
    """Returns the rule for round amounts with a dash for the cents: "5,- €"."""
    if language.code != "de":
        return []

    def spoken(match: re.Match[str]) -> str | None:
        value = language.value(match["amount"])
        return None if value is None else in_words(value, "EUR", language, is_short=True)

    pattern = rf"{LEFT}(?P<amount>[0-9.]*[0-9]),{HYPHEN}{{1,2}}{SPACE}?(?:€|Euro\b|EUR\b)(?!\w)"
    return [rule("digit", pattern, spoken)]


class _Amount:
    """An amount as it is written."""

    def __init__(
        self, match: re.Match[str], signs: dict[str, str], magnitudes: dict[str, str], language: Language
    ) -> None:
        given = match.groupdict()
        self._match = match
        self._language = language
        self._is_negative = bool(given["minus"] or given.get("inner"))
        self._sign, self._explicit = given.get("sign") or "", given.get("code") or ""
        self._code = self._explicit or signs[self._sign]
        self._text, self._high = given["amount"], given.get("high") or ""
        self._low_sign = given.get("low_sign") or ""
        self._magnitude = magnitudes.get(given["magnitude"] or "", "")
        self._low_magnitude = magnitudes.get(given.get("low_magnitude") or "", "")
        self._per = _PER.get(given.get("per") or "", "")

    def spoken(self) -> str | None:
        low = self._language.value(self._text)
        high = self._language.value(self._high) if self._high else None
        if low is None or (self._high and not self._is_range(low, high)):
            return None
        if self._is_negative and not self._language.minus:
            return None
        amount = self._amount(low if high is None else high, self._high or self._text)
        if not amount:
            return None
        minus = f"{self._language.minus} " if self._is_negative else ""
        until = f"{self._lower(low)} {self._language.to} " if self._high else ""
        return f"{minus}{until}{amount}" + (f" per {self._per}" if self._per else "")

    def _is_range(self, low: Decimal, high: Decimal | None) -> bool:
        if high is None or self._is_negative or not self._language.to:
            return False
        if self._low_sign not in ("", self._sign) or (self._low_magnitude and not self._magnitude):
            return False
        return low <= high or self._low_magnitude not in ("", self._magnitude)

    def _lower(self, low: Decimal) -> str:
        """Returns the first amount of a range, with its unit only if that is not said of both at the end."""
        if self._magnitude:
            is_same = self._low_magnitude in ("", self._magnitude)
            return self._text if is_same else f"{self._text} {self._low_magnitude}"
        has_cents = any(_CENTS.fullmatch(text) for text in (self._text, self._high))
        return self._amount(low, self._text) if has_cents and not self._is_adjective() else self._text

    def _amount(self, value: Decimal, text: str) -> str:
        is_short = not self._explicit and len(self._sign) == 1
        if self._magnitude:
            return self._large(value, is_short=is_short)
        if self._is_adjective():
            return f"{text} {_name(self._code, 1, self._language, is_short=is_short)}"
        has_cents = _CENTS.fullmatch(text) is not None
        return in_words(value, self._code, self._language, is_short=is_short, text=text, has_cents=has_cents)

    def _is_adjective(self) -> bool:
        if self._language.code != "en":
            return False
        return self._match["joint"] == "-" or _NOUNS.match(self._match.string, self._match.end()) is not None

    def _large(self, value: Decimal, *, is_short: bool) -> str:
        count = 1 if self._is_adjective() else 2
        name = _name(self._code, count, self._language, is_short=is_short)
        if not name:
            return ""
        text, magnitude = self._high or self._text, self._magnitude
        match self._language.code:
            case "fr":
                magnitude = magnitude.removesuffix("s") if value < 2 else magnitude  # noqa: PLR2004 - plural from 2
                return f"{text} {magnitude} " + (f"d'{name}" if name[0] in "aeiou" else f"de {name}")
            case "es":
                return f"un millón de {name}" if value == 1 else f"{text} {magnitude} de {name}"
            case "de" if value == 1:
                return f"eine {'Million' if magnitude == 'Millionen' else 'Milliarde'} {name}"
            case _:
                return f"{text} {magnitude} {name}"


def in_words(
    value: Decimal, code: str, language: Language, *, is_short: bool, text: str = "", has_cents: bool = True
) -> str:
    """Returns an amount of money as it is read; "" if the currency has no name in the language.

    `is_short` allows "dollars" for US dollars; `text` is the number as it is written, and `has_cents` says whether
    that has two decimals.
    """
    cents = value % 1 * 100
    has_more = len(text.rpartition(language.decimal)[2]) > _CENT_DIGITS if language.decimal in text else False
    is_exact = cents == int(cents) and (has_cents or cents == 0) and not has_more
    if language.code == "en":
        return _english(value, code, language, is_short=is_short, text=text, is_exact=is_exact)
    if is_exact and (words := _inflected(value, code, language)):
        return words
    name = _name(code, value, language, is_short=is_short)
    return f"{text} {name}" if name else ""


def _english(value: Decimal, code: str, language: Language, *, is_short: bool, text: str, is_exact: bool) -> str:
    whole, cents = int(value), int(value % 1 * 100)
    subunits = _subunits(code)
    if not is_exact or (cents and not subunits):
        return f"{text} {_name(code, 2, language, is_short=is_short)}"
    digits = text.rpartition(".")[0] if "." in text else text
    parts = [f"{digits} {_name(code, 1 if whole == 1 else 2, language, is_short=is_short)}"] if whole else []
    if cents:
        parts.append(f"{cents} {subunits[0 if cents == 1 else 1]}")
    return " and ".join(parts) or f"0 {_name(code, 2, language, is_short=is_short)}"


@cache
def _subunits(code: str) -> tuple[str, ...]:
    forms = CONVERTER_CLASSES["en"].CURRENCY_FORMS.get(code)
    return tuple(forms[1]) if forms else ()


def _inflected(value: Decimal, code: str, language: Language) -> str:
    """Returns an amount in words by num2words, which agree with the currency in gender and case; "" if it has none."""
    amount = value.quantize(Decimal("0.01"))
    words = number_words(amount, language.code, "currency", currency=code, separator="|")
    whole, bar, cents = (part.strip() for part in words.partition("|"))
    if not bar or amount == int(amount):
        return whole
    return cents if amount < 1 else f"{whole} {_AND.get(language.code, '')} {cents}".replace("  ", " ")


@lru_cache(maxsize=4096)
def _name(code: str, count: Decimal | int, language: Language, *, is_short: bool) -> str:
    """Returns the name of a currency beside a number, "" if CLDR has none."""
    name = str(get_currency_name(code, count, language.locale))
    if name == code:
        return ""
    if not is_short:
        return name
    if language.code in _LAST_WORD:
        return name.rpartition(" ")[2].lower()
    return name.partition(" ")[0] if language.code in _FIRST_WORD else name.rpartition("-")[2]


@cache
def _signs(language: Language) -> dict[str, str]:
    """Returns the currencies by their signs, those of the language before those of English."""
    own = {sign: code for code, sign in language.locale.currency_symbols.items() if sign != code and "$" in sign}
    return {**_SIGNS, **own, **({"¥": "CNY"} if language.code == "zh" else {})}
