"""Implements SSML's say-as: characters, digits, telephone numbers, cardinals, ordinals and dates.

Source: "SSML 1.0 say-as attribute values" (W3C Note, 2005); SSML 1.1 leaves these values to processors. Number words
come from num2words, month names and the order of dates from CLDR through Babel; what neither supports in a language
is rejected.
"""

import datetime as dt
import decimal
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, get_month_names
from babel.numbers import NumberFormatError, parse_decimal
from num2words import CONVERTER_CLASSES, num2words

from phonoscope.server.text.number_words import number_words
from phonoscope.server.text.words import is_speakable

MAX_CHARACTERS: Final = 200
MAX_DIGITS: Final = 30
_PAUSE: Final = ", "
_SEPARATORS: Final = frozenset(" \u00a0-‐‑–./()")
_ORDINAL: Final = re.compile(r"(\d+)(?:st|nd|rd|th|\.|º|ª|er|e|ème|de|te)?", re.IGNORECASE)
# Languages that have a sign for ordinals, and whose front ends read the number after it.
_ORDINAL_SIGN: Final = {"zh": "第{}", "cmn": "第{}"}
_DATE_PARTS: Final = re.compile(r"\d+|\?+")
_DATE_CHARACTERS: Final = re.compile(r"[\d?\s./,-]+")
_UNKNOWN: Final = "?"  # in place of the digits of a part that is not spoken
_DATE_DIGITS: Final = {"y": 4, "m": 2, "d": 2}  # of a part without separators
_TWO_DIGIT_YEARS: Final = 100
_LATEST_TWO_DIGIT_YEAR: Final = 69  # of this century, as in POSIX
_LEAP_YEAR: Final = 2000
# Languages in which num2words counts up to a large number by ones, which takes too long.
_WITHOUT_WORDS: Final = frozenset({"am"})
# Languages in which num2words loses signs or fractions.
_WHOLE_ONLY: Final = frozenset({"bn", "ce", "cy", "fa", "it", "vi"})
DATE_FORMATS: Final = ("mdy", "dmy", "ymd", "ydm", "md", "dm", "ym", "my", "y", "m", "d")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to read for characters `start` to `stop` of the content; `alone`, if set, is read in isolation instead."""

    text: str
    start: int
    stop: int
    alone: str = ""


def say_as(interpret_as: str, form: str, content: str, language: str) -> list[Piece]:
    """Returns the text to read for the content of a say-as element.

    Args:
        interpret_as: its attribute interpret-as.
        form: its attribute format, "" if absent.
        content: its text.
        language: of the voice, as a BCP 47 tag.

    Raises:
        LookupError: the kind is not supported, in this language or at all; `str()` of it lists what is.
        ValueError: the content does not match the kind; `str()` of it explains what to write.
    """
    reading = READINGS.get(interpret_as)
    if reading is None:
        raise LookupError(f"interpret-as={interpret_as!r} is not supported; use one of {', '.join(READINGS)}")
    if not content.strip():
        raise ValueError("is empty; write the text to speak")
    if len(content) > MAX_CHARACTERS:
        raise ValueError(f"has {len(content)} characters; use at most {MAX_CHARACTERS} per element")
    return reading(content, form, language)


def _characters(content: str, _form: str, _language: str) -> list[Piece]:
    return _one_by_one(content, str.isspace)


def _digits(content: str, _form: str, _language: str) -> list[Piece]:
    _check(content, lambda character: character.isdecimal() or character in _SEPARATORS or character == ",", "digits")
    return _one_by_one(content, lambda character: not character.isdecimal())


def _telephone(content: str, _form: str, _language: str) -> list[Piece]:
    def is_read(character: str) -> bool:
        return character == "+" or (character.isascii() and character.isalnum())

    _check(content, lambda character: is_read(character) or character in _SEPARATORS, "digits, letters and +")
    return _one_by_one(content, lambda character: not is_read(character))


def _cardinal(content: str, _form: str, language: str) -> list[Piece]:
    number = _number(content, language)
    return _whole(content, _in_words(number, language, "cardinal") or f"{number:f}")  # espeak-ng reads the digits


def _ordinal(content: str, _form: str, language: str) -> list[Piece]:
    found = _ORDINAL.fullmatch(content.strip())
    if found is None or len(found[1]) > MAX_DIGITS:
        raise ValueError("is not an ordinal; use a number such as 3 or 3rd")
    words = _in_words(int(found[1]), language, "ordinal") or _ORDINAL_SIGN.get(_primary(language), "").format(found[1])
    if not words:
        raise LookupError(f"this ordinal is not supported in {language}; write it in words")
    return _whole(content, words)


def _date(content: str, form: str, language: str) -> list[Piece]:
    parts = _parts_of_format(form)
    if _DATE_CHARACTERS.fullmatch(content) is None:
        return _whole(content, content)  # month is a name: read as written
    parts = parts or ([("y", 4), ("m", 2), ("d", 2)] if re.fullmatch(r"\s*\d{4}-\d\d-\d\d\s*", content) else [])
    if not parts:
        raise ValueError(f"requires the attribute format; use one of {', '.join(DATE_FORMATS)}")
    numbers = _split_evenly(content.strip(), parts) or _DATE_PARTS.findall(content)
    if len(numbers) != len(parts):
        needed = f"format {form!r} requires {len(parts)}, separated by - or /"
        raise ValueError(f"contains {len(numbers)} numbers; {needed}")
    given = {part: number for (part, _), number in zip(parts, numbers, strict=True) if number.strip(_UNKNOWN)}
    if not given or set(given) == set("dy") or _UNKNOWN in "".join(given.values()):
        raise ValueError("is not a date; write each part in digits, or ? for all digits of one that is not known")
    return _whole(content, _spoken_date({part: int(number) for part, number in given.items()}, language))


def _parts_of_format(form: str) -> list[tuple[str, int]]:
    """Returns the parts of a format and their number of digits: "yyyymmdd" and "yyyy-mm-dd" are "ymd"."""
    letters = [(letter, len(list(run))) for letter, run in itertools.groupby(form.lower()) if letter.isalnum()]
    order = "".join(letter for letter, _ in letters)
    if form and order not in DATE_FORMATS:
        raise ValueError(f"has the unknown format {form!r}; use one of {', '.join(DATE_FORMATS)}")
    return [(letter, digits if digits > 1 else _DATE_DIGITS[letter]) for letter, digits in letters]


def _split_evenly(content: str, parts: Sequence[tuple[str, int]]) -> list[str]:
    """Returns the parts of a date without separators, such as 20260910; nothing if it has another length."""
    ends = list(itertools.accumulate(digits for _, digits in parts))
    if len(parts) == 1 or len(content) != ends[-1] or not re.fullmatch(r"[\d?]+", content):
        return []
    return [content[start:end] for start, end in itertools.pairwise([0, *ends])]


def _spoken_date(given: Mapping[str, int], language: str) -> str:
    try:
        locale = Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise LookupError(f"dates are not supported in {language}; write the date in words") from None
    year = given.get("y", _LEAP_YEAR)
    if year < _TWO_DIGIT_YEARS:
        year += 2000 if year <= _LATEST_TWO_DIGIT_YEAR else 1900
    try:
        date = dt.date(year, given.get("m", 1), given.get("d", 1))
    except (OverflowError, ValueError):
        raise ValueError("is not a calendar date; check that the numbers are in the order of format") from None
    return _english(date, given) if locale.language == "en" else _by_locale(date, given, locale)


def _english(date: dt.date, given: Mapping[str, int]) -> str:
    """Returns a date in English words: the day as an ordinal, the year in pairs of digits."""
    month = get_month_names("wide", locale="en")[date.month] if "m" in given else ""
    day = num2words(date.day, to="ordinal") if "d" in given else ""
    year = num2words(date.year, to="year") if "y" in given else ""
    return " ".join(part for part in (month, f"{day}," if day and year else day, year) if part)


def _by_locale(date: dt.date, given: Mapping[str, int], locale: Locale) -> str:
    match "".join(sorted(given)):
        case "dmy":
            return format_date(date, "long", locale)
        case "dm":
            return format_skeleton("MMMMd", date, locale=locale)
        case "my":
            return format_skeleton("yMMMM", date, locale=locale)
        case "m":
            return _month_alone(date.month, locale)
        case single:
            return format_skeleton(single, date, locale=locale)


def _month_alone(month: int, locale: Locale) -> str:
    """Returns the name of a month on its own.

    Languages without such names inherit those of the root, where Babel 2.18 keeps the names of the first that asked.
    """
    inherited = get_month_names("wide", "stand-alone", Locale("root"))[month]
    own = get_month_names("wide", "stand-alone", locale)[month]
    return str(get_month_names("wide", "format", locale)[month] if own == inherited else own)


READINGS: Final[Mapping[str, Callable[[str, str, str], list[Piece]]]] = {
    "characters": _characters,
    "spell-out": _characters,
    "verbatim": _characters,
    "digits": _digits,
    "date": _date,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "telephone": _telephone,
}


def _number(content: str, language: str) -> decimal.Decimal:
    if sum(character.isdecimal() for character in content) > MAX_DIGITS:
        raise ValueError(f'has more than {MAX_DIGITS} digits; use interpret-as="digits"')
    if any(map(str.isalpha, content)):  # a decimal may be "1e999999", too, and "NaN"
        raise ValueError("is not a number; use digits, such as 1234 or -5.5")
    try:
        locale = Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    try:
        return parse_decimal(content.strip().replace("−", "-"), locale=locale)
    except NumberFormatError:
        raise ValueError("is not a number; use digits, such as 1234 or -5.5") from None


def _in_words(number: decimal.Decimal | int, language: str, form: str) -> str:
    """Returns a number in words, "" if there are none in this language."""
    primary = _primary(language)
    is_whole = number >= 0 and number == int(number)
    if primary in _WITHOUT_WORDS or (primary in _WHOLE_ONLY and not is_whole):
        return ""
    if not (words := number_words(number, primary, form)):
        return ""
    minus = getattr(CONVERTER_CLASSES[primary], "negword", "").strip()
    return words if number >= 0 or number <= -1 or words.startswith(minus) else f"{minus} {words}"  # lost in -0.5


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def _whole(content: str, text: str) -> list[Piece]:
    return [Piece(text, 0, len(content))]


def _check(content: str, is_allowed: Callable[[str], bool], allowed: str) -> None:
    for character in content:
        if not is_allowed(character) and not character.isspace():
            raise ValueError(f"contains {character!r}; use only {allowed}, with spaces or dashes between groups")
    if not any(map(str.isalnum, content)):
        raise ValueError(f"contains nothing to speak; use {allowed}")


def _one_by_one(content: str, parts: Callable[[str], bool]) -> list[Piece]:
    """Returns each character separately, with a pause at each separator."""
    pieces: list[Piece] = []
    is_parted = False
    for at, character in enumerate(content):
        if parts(character) or not is_speakable(character):
            is_parted = bool(pieces)
            continue
        if is_parted:
            pieces.append(Piece(_PAUSE, at, at))
        pieces.append(Piece(character, at, at + 1, alone=character))
        is_parted = False
    if not pieces:
        raise ValueError("contains nothing to speak; use letters or digits")
    return pieces
