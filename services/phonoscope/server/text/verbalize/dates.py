"""Dates, decades and years: `2026-11-26`, `11/26/2026`, `Nov. 26, 2026`, `26.11.2026`, `3. Oktober`, `the 1990s`.

Names of months and the order of a date come from CLDR through Babel, ordinals and years from num2words. The order of
`5/6/2026` is that of the voice's region. `german_dates.py` has what only German has.
"""

import datetime as dt
import re
from functools import cache
from typing import Final

from babel.dates import format_date, get_month_names

from phonoscope.server.text.verbalize import german_dates
from phonoscope.server.text.verbalize.language import HYPHEN, SPACE, Language, months
from phonoscope.server.text.verbalize.rules import LEFT, RIGHT, Rule, either, rule, word_before, words_of

_FIRST_YEAR: Final = 1100
_LAST_YEAR: Final = 2099
_TURN: Final = 2000
_PIVOT: Final = 69  # two digits up to it are of this century, as in POSIX
_CENTURY: Final = 100
_YEAR_ABBREVIATION: Final = re.compile(r"\s*(?:г|р)\.\Z")  # of Russian and Ukrainian
_DAYS: Final = r"(?:0?[1-9]|[12][0-9]|3[01])"
_YEAR: Final = r"(?:1[1-9][0-9]{2}|20[0-9]{2})"
# Words before a year; a number after them is a year unless a noun follows it.
_BEFORE_YEARS: Final = words_of(
    "in since from until till to by of before after during around circa year spring summer autumn fall winter "
    "early late mid through between and january february march april may june july august september october "
    "november december"
)
# Words that may follow a year, so that it is not the number of what follows.
_AFTER_YEARS: Final = words_of(
    "and or to until till the a an was were is are had has it he she they we i in on at by for from with when as that "
    "but while which who there this his her its their our my after before because would could did does will can may"
)
_BEFORE_DATES: Final = words_of("on of until by before after since from through till dated this next last the")
_BEFORE_DECADES: Final = words_of("the his her their my your our early mid late")


def rules(language: Language) -> list[Rule]:
    """Returns the rules for dates; English and German have more than other languages."""
    own = {"en": _english, "de": german_dates.rules}.get(language.code)
    return [*_numeric(language), *(own(language) if own else [])]


def _numeric(language: Language) -> list[Rule]:
    def iso(match: re.Match[str]) -> str | None:
        return _date(int(match["y"]), int(match["m"]), int(match["d"]), match, language)

    def local(match: re.Match[str]) -> str | None:
        year, first, second = int(match["y"]), int(match["a"]), int(match["b"])
        if year < _CENTURY:
            year += _TURN if year <= _PIVOT else _TURN - _CENTURY
        is_month_first = _is_month_first(language) and match["sep"] == "/"
        orders = [(first, second), (second, first)] if is_month_first else [(second, first), (first, second)]
        spoken = (_date(year, month, day, match, language) for month, day in orders)
        return next((text for text in spoken if text), None)

    two_digits = "|[0-9]{2}" if language.code in ("en", "fr", "es") else ""
    parted = "[/.]" if language.code != "en" else "/|[.](?=[0-9]{1,2}[.][0-9]{4})"
    return [
        rule("digit", rf"{LEFT}(?P<y>{_YEAR})-(?P<m>[01][0-9])-(?P<d>[0-3][0-9])(?![-\w:/]|[.,][0-9])", iso),
        rule(
            "digit",
            rf"{LEFT}(?P<a>[0-9]{{1,2}})(?P<sep>{parted})(?P<b>[0-9]{{1,2}})(?P=sep)(?P<y>{_YEAR}{two_digits})"
            r"(?![-\w:/]|[.,][0-9])",
            local,
        ),
    ]


@cache
def _is_month_first(language: Language) -> bool:
    return str(language.locale.date_formats["short"].pattern).startswith("M")


def _date(year: int, month: int, day: int, match: re.Match[str], language: Language) -> str | None:
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return None
    if language.code == "en":
        return _english_date(date, word_before(match), language)
    if language.code == "de":
        return german_dates.full(date, match, language)
    return _YEAR_ABBREVIATION.sub("", format_date(date, "long", language.locale))


def _english(language: Language) -> list[Rule]:
    short = {"Sept": 9}
    for width in ("abbreviated", "wide"):
        short |= {name: number for number, name in get_month_names(width, locale="en").items()}
    names = either(list(short))
    ordinal = "(?:st|nd|rd|th)?"
    month = rf"(?P<month>{names})(?P<stop>\.?)"
    year = rf"(?P<year>{_YEAR})"
    until = rf"(?:{HYPHEN}(?P<until>{_DAYS}))?"

    def named(match: re.Match[str]) -> str | None:
        """`Nov. 26, 2026`, `November 26`."""
        name, last = months(language)[short[match["month"]]], match["until"]
        is_sure = match["stop"] or match["year"] or match["month"] != name or last
        if not (is_sure or match["th"] or _is_dated(match)):
            return None
        if match["th"] and not match["year"] and match["month"] == name:
            return None  # "November 26th" is read well
        words = f"{name} {_ordinal(match['day'])}" + (f" to {_ordinal(last)}" if last else "")
        return words + (f", {_year(match['year'], language)}" if match["year"] else "")

    def day_first(match: re.Match[str]) -> str:
        """`26 Nov 2026`, `26th November`."""
        name, last = months(language)[short[match["month"]]], match["until"]
        the = "" if word_before(match) == "the" else "the "
        words = f"{the}{_ordinal(match['day'])}" + (f" to the {_ordinal(last)}" if last else "") + f" of {name}"
        return words + (f" {_year(match['year'], language)}" if match["year"] else "")

    def month_year(match: re.Match[str]) -> str:
        return f"{months(language)[short[match['month']]]} {_year(match['year'], language)}"

    return [
        rule(
            "letter",
            rf"(?<!\w){month}{SPACE}(?P<day>{_DAYS})(?P<th>{ordinal}){until}"
            rf"(?:,?{SPACE}{year})?(?![\w:/%°$€£]|[.,:][0-9]|{HYPHEN}[0-9]|,?{SPACE}[0-9])",
            named,
        ),
        rule(
            "digit",
            rf"{LEFT}(?P<day>{_DAYS}){ordinal}{until}{SPACE}(?:of{SPACE})?{month}(?:,?{SPACE}{year})?"
            rf"(?![\w:/]|[.,][0-9]|'|’|{SPACE}[0-9](?![0-9]?:[0-5][0-9]))",
            day_first,
        ),
        rule("letter", rf"(?<!\w){month},?{SPACE}{year}{RIGHT}", month_year),
        *_english_years(language),
    ]


def _english_years(language: Language) -> list[Rule]:
    def between(match: re.Match[str]) -> str | None:
        first, last = match["year"], match["until"]
        whole = first[:2] + last if len(last) < len(first) else last
        if int(whole) <= int(first):
            return None
        return f"{_year(first, language)} to {_year(last, language)}"

    def decade(match: re.Match[str]) -> str | None:
        year = int(match["century"] or 19) * _CENTURY + int(match["ten"])
        if not match["century"] and not match["mark"] and word_before(match) not in _BEFORE_DECADES:
            return None  # 30s may be 30 seconds
        words = language.words(year, "year") if match["century"] else language.words(year % _CENTURY, "cardinal")
        return words[:-1] + "ies" if words.endswith("y") else words + "s"

    def alone(match: re.Match[str]) -> str | None:
        return _year(match["year"], language) if _is_year(match) else None

    return [
        rule("digit", rf"{LEFT}(?P<year>{_YEAR}){HYPHEN}(?P<until>{_YEAR}|[0-9]{{2}})(?![-\w:/]|[.,][0-9])", between),
        rule(
            "digit sign",
            r"(?<![\w.,:/])(?P<mark>['’])?(?P<century>1[1-9]|20)?(?P<ten>[0-9]0)['’]?s(?!\w)",
            decade,
        ),
        rule("digit", rf"{LEFT}(?P<year>{_YEAR})(?![\w/\\@%°$€£¢]|[.,:][0-9]|{HYPHEN}[0-9])", alone),
    ]


def _is_year(match: re.Match[str]) -> bool:
    text, start, stop = match.string, match.start(), match.end()
    if text[max(0, start - 2) : start] in (" (", "(") and text[stop : stop + 1] == ")":
        return True
    if int(match["year"]) % 1000 < 10 and int(match["year"]) >= _TURN:  # noqa: PLR2004 - "two thousand five"
        return False
    if word_before(match) in ("year", "copyright"):
        return True
    after = re.compile(r"[ \u00a0]([a-z]+)").match(text, stop)
    return word_before(match) in _BEFORE_YEARS and (after is None or after[1] in _AFTER_YEARS)


def _is_dated(match: re.Match[str]) -> bool:
    """Returns whether a number after a month is a day, and not the number of what follows: "In May 10 people"."""
    return (
        word_before(match) in _BEFORE_DATES
        or re.compile(r"[.,;:!?)]|\s*\Z|\n").match(match.string, match.end()) is not None
    )


def _english_date(date: dt.date, before: str, language: Language) -> str:
    month, day, year = months(language)[date.month], _ordinal(str(date.day)), _year(str(date.year), language)
    if _is_month_first(language):
        return f"{month} {day}, {year}"
    return f"{day} of {month} {year}" if before == "the" else f"the {day} of {month} {year}"


def _ordinal(day: str) -> str:
    number = int(day)
    is_teen = 10 < number % _CENTURY < 20  # noqa: PLR2004 - eleventh to nineteenth
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _year(digits: str, language: Language) -> str:
    """Returns a year in pairs of digits, as it is said: "nineteen ninety-nine"."""
    year = int(digits)
    if len(digits) <= 2:  # noqa: PLR2004 - "1914-18"
        return f"oh {year}" if digits.startswith("0") else digits
    if _TURN <= year < _TURN + 10 and language.region != "GB":
        return digits  # "two thousand five"
    return language.words(year, "year")
