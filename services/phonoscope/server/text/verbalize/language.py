"""A voice's language as the verbaliser needs it: CLDR's locale, the form of numbers, and a few joining words.

Used by every module of this package. Locales come from CLDR through Babel; what CLDR lacks, such as the word between
the ends of a range, is in the tables here.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import get_month_names
from babel.numbers import get_decimal_symbol, get_group_symbol

from phonoscope.server.text.number_words import number_words

SPACE: Final = "[ \u00a0\u2007\u2009\u202f]"
"""A space within a line."""
HYPHEN: Final = "[-\u2010\u2011\u2013\u2212]"
"""A hyphen, an en dash or a minus sign."""
MINUS: Final = "[-\u2212]"

_SPACES: Final = " \u00a0\u2009\u202f"
_TO: Final = {"en": "to", "de": "bis", "fr": "à", "es": "a", "it": "a", "pt": "a", "nl": "tot", "sv": "till"}
# espeak-ng says it only in some languages, and never before a currency sign.
_MINUS: Final = {"en": "minus", "de": "minus", "fr": "moins", "es": "menos", "it": "meno", "pt": "menos", "nl": "min"}
# Names of espeak-ng that are not those of CLDR.
_CLDR_NAMES: Final = {"cmn": "zh", "nb": "no"}
# Languages in whose script espeak-ng cannot read the words of CLDR.
_UNREADABLE: Final = frozenset({"ja"})
_MAX_DIGITS: Final = 15
_REGION: Final = re.compile(r"[a-z]{2}|\d{3}")


@dataclass(frozen=True, slots=True)
class Language:
    """The language of a voice.

    Attributes:
        code: without region, such as "en".
        region: such as "US" or "419"; "" if the voice has none.
        locale: CLDR's data.
        number: pattern of a number without a sign; it has no capturing groups.
        decimal: the decimal sign.
        to: the word between the ends of a range, "" if unknown.
        minus: the word before a negative number, "" if unknown.
    """

    code: str
    region: str
    locale: Locale
    number: str
    decimal: str
    to: str
    minus: str

    def value(self, number: str) -> Decimal | None:
        """Returns the value of text that matches `number`; None if it has too many digits to be read as one."""
        if sum(map(str.isdecimal, number)) > _MAX_DIGITS:
            return None
        kept = "".join(character for character in number if character.isdecimal() or character == self.decimal)
        return Decimal(kept.replace(self.decimal, "."))

    def words(self, value: Decimal | int, form: str) -> str:
        """Returns a number in words, as num2words has them; "" if it has none for this language."""
        return _words(value, self.code, form)


_words = lru_cache(maxsize=4096)(number_words)


@cache
def language_of(espeak_voice: str) -> Language | None:
    """Returns the language of a voice of espeak-ng, such as "en-us"; None if it is not one for these rules."""
    code, *parts = espeak_voice.lower().split("-")
    code = _CLDR_NAMES.get(code, code)
    region = next((part.upper() for part in parts if _REGION.fullmatch(part)), "")
    locale = _locale(code, region)
    if locale is None or code in _UNREADABLE:
        return None
    decimal = get_decimal_symbol(locale)
    number = _number(code, decimal, get_group_symbol(locale))
    return Language(code, region, locale, number, decimal, _TO.get(code, ""), _MINUS.get(code, ""))


@cache
def months(language: Language) -> dict[int, str]:
    """Returns the names of the months by their numbers."""
    return dict(get_month_names("wide", locale=language.locale))


def _locale(code: str, region: str) -> Locale | None:
    known = f"{code}_{region}" if region else str(get_global("likely_subtags").get(code, code))
    for name in (known, code):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None


def _number(code: str, decimal: str, group: str) -> str:
    """Returns the pattern of a number: digits in groups of three or without groups, and a fraction."""
    groups = {group, "\u00a0", "\u202f"}
    if group.isspace() or code == "es":
        groups |= set(_SPACES)
    between = "[" + re.escape("".join(sorted(groups))) + "]"
    return rf"(?:[0-9]{{1,3}}(?:{between}[0-9]{{3}})+(?![0-9])|[0-9]+)(?:{re.escape(decimal)}[0-9]+)?"
