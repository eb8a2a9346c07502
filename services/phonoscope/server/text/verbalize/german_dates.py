"""German dates and ordinals: `3. Oktober`, `am 3. und 4. Mai`, `vom 1.5. bis 3.5.`.

Used by `dates.py`. The word before a date declines it. Names of months come from CLDR through Babel,
ordinals and years from num2words.
"""

import datetime as dt
import re
from typing import Final

from babel.dates import get_month_names

from phonoscope.server.text.verbalize.language import HYPHEN, SPACE, Language, months
from phonoscope.server.text.verbalize.rules import LEFT, Rule, either, rule, word_before, words_of

_TURN: Final = 2000
_DAYS: Final = r"(?:0?[1-9]|[12][0-9]|3[01])"
_YEAR: Final = r"(?:1[1-9][0-9]{2}|20[0-9]{2})"
_JOINT: Final = rf"(?P<joint>{SPACE}?{HYPHEN}{SPACE}?|{SPACE}(?:und|oder|bis){SPACE})"
_DATIVE: Final = words_of("am vom zum beim im dem den des seit bis ab dieses jenes jeden einem einen eines")
_NOMINATIVE: Final = words_of("der die das")
_BEFORE_DATIVE: Final = words_of("in auf aus bei mit nach von zu an seit vor")
_BEFORE_YEARS: Final = words_of(
    "jahr jahre jahres seit januar februar märz april mai juni juli august september oktober november dezember "
    "sommer winter herbst frühling anfang ende mitte um"
)


def rules(language: Language) -> list[Rule]:
    """Returns the rules for German dates without numbers of months, ordinals and years."""
    names = months(language)
    short = {name.removesuffix("."): number for number, name in get_month_names("abbreviated", locale="de").items()}
    known = short | {name: number for number, name in names.items()}

    def dated(match: re.Match[str]) -> str:
        year = f" {_year(int(match['year']), language)}" if match["year"] else ""
        return f"{_day(int(match['day']), match, language)} {names[known[match['month']]]}{year}"

    def without_year(match: re.Match[str]) -> str | None:
        month = int(match["month"])
        if word_before(match) not in _DATIVE | _NOMINATIVE or month not in names:
            return None
        return f"{_day(int(match['day']), match, language)} {names[month]}"

    def ordinal(match: re.Match[str]) -> str | None:
        is_known = word_before(match) in _DATIVE | _NOMINATIVE
        return _day(int(match["day"]), match, language) if is_known else None

    def year(match: re.Match[str]) -> str | None:
        return _year(int(match["year"]), language) if word_before(match) in _BEFORE_YEARS else None

    def days(match: re.Match[str]) -> str:
        first = _day(int(match["first"]), match, language)
        return f"{first} {_joint(match)} {dated(match)}"

    named = (
        rf"(?P<day>{_DAYS})\.{SPACE}?(?P<month>{either(list(known))})\b\.?"
        rf"(?:{SPACE}(?P<year>{_YEAR})(?!\w|[.,][0-9]))?"
    )
    return [
        rule("digit", rf"{LEFT}(?P<first>{_DAYS})\.{_JOINT}{named}", days),
        rule("digit", f"{LEFT}{named}", dated),
        *_numeric(language),
        rule("digit", rf"{LEFT}(?P<day>{_DAYS})\.(?P<month>[01]?[0-9])\.(?=,|{SPACE}[a-zäöü])", without_year),
        rule("digit", rf"{LEFT}(?P<day>[0-9]{{1,2}})\.(?={SPACE}(?:[A-ZÄÖÜ]|(?:bis|und|oder){SPACE}))", ordinal),
        rule("digit", rf"{LEFT}(?P<year>1[1-9][0-9]{{2}})(?![\w/\\@%°$€£]|[.,:][0-9]|{SPACE}(?:€|Euro))", year),
    ]


def _numeric(language: Language) -> list[Rule]:
    """Returns the rule for two dates in numbers, the second of which may end a sentence: "1.5.–3.5.2026"."""
    names = months(language)

    def spoken(match: re.Match[str]) -> str | None:
        is_sure = match["year1"] or match["year2"] or word_before(match) in _DATIVE | _NOMINATIVE
        if not is_sure or not {int(match["month1"]), int(match["month2"])} <= names.keys():
            return None
        first, second = (
            f"{_day(int(match[f'day{n}']), match, language)} {names[int(match[f'month{n}'])]}"
            + (f" {_year(int(match[f'year{n}']), language)}" if match[f"year{n}"] else "")
            for n in "12"
        )
        return f"{first} {_joint(match)} {second}"

    first = rf"(?P<day1>{_DAYS})\.(?P<month1>[01]?[0-9])\.(?P<year1>{_YEAR})?"
    ends = rf"(?:\.(?P<year2>{_YEAR})(?!\w|[.,][0-9])|\.(?=,|{SPACE}[a-zäöü])|(?=\.(?:\s|\Z)))"
    second = rf"(?P<day2>{_DAYS})\.(?P<month2>[01]?[0-9]){ends}"
    return [rule("digit", f"{LEFT}{first}{_JOINT}{second}", spoken)]


def full(date: dt.date, match: re.Match[str], language: Language) -> str:
    """Returns a date as it is read where a match is."""
    return f"{_day(date.day, match, language)} {months(language)[date.month]} {_year(date.year, language)}"


def _joint(match: re.Match[str]) -> str:
    word = match["joint"].strip()
    return word if word.isascii() and word[0].isalpha() else "bis"


def _year(year: int, language: Language) -> str:
    return language.words(year, "year") if year < _TURN else str(year)


def _day(day: int, match: re.Match[str], language: Language) -> str:
    """Returns the ordinal of a day, declined after the word before it: "am dritten", "der dritte", "dritter"."""
    before = word_before(match)
    stem = language.words(day, "ordinal")
    if before in _DATIVE:
        return stem + "n"
    if before in _NOMINATIVE:
        start = match.start()
        two = re.search(r"(\w+)\W+\w+\W{1,2}\Z", match.string[max(0, start - 32) : start])
        return stem + ("n" if before == "der" and two and two[1].lower() in _BEFORE_DATIVE else "")
    return stem + "r"
