"""Ordinals and Roman numbers that espeak-ng reads otherwise: `1,000th`, `3ème`, `2.º`, `1º`, `Part IV`, `Henry V`."""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule

_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_ROMAN: Final = r"(?=[IVXLC])(?P<roman>(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
# Roman numbers are cardinals after these words, and ordinals after names of monarchs.
_COUNTED: Final = (
    "Chapter|CHAPTER|Part|PART|Volume|Book|BOOK|Act|ACT|Scene|SCENE|Section|Article|Appendix|Phase|Stage|Type|Class|"
    "Title|Figure|Table|Grade|Level|World War|Super Bowl|Episode|Season|Canto|Round|Unit|Lesson|Mark|Star Wars"
)
_MONARCHS: Final = (
    "Alexander|Benedict|Catherine|Charles|Christian|Clement|Edward|Elizabeth|Ferdinand|Francis|Frederick|George|"
    "Gregory|Gustav|Henry|Innocent|Ivan|James|John Paul|Leo|Leopold|Louis|Ludwig|Mary|Napoleon|Nicholas|Otto|Paul|"
    "Peter|Philip|Pius|Ramesses|Ramses|Richard|Rudolf|Urban|Victoria|Wilhelm|William"
)
# Only these have as many as fifty, so that one letter can be a number.
_LONG: Final = frozenset({"Chapter", "CHAPTER", "chapter", "Super Bowl", "Canto", "canto"})
# A lone "I" is a number only where it cannot be the pronoun.
_NO_PRONOUN: Final = r"(?:(?<![ .]I)|(?=[.,;:)\n]|['’]s\b|\Z))"


def rules(language: Language) -> list[Rule]:
    """Returns the rules for ordinals of English and Romance languages, and for Roman numbers of English and French."""
    build = {"en": _english, "fr": _french, "es": _spanish, "pt": _spanish, "it": _spanish}.get(language.code)
    return build(language) if build else []


def _english(language: Language) -> list[Rule]:
    def large(match: re.Match[str]) -> str | None:
        value = language.value(match["number"])
        return None if value is None else language.words(int(value), "ordinal")

    def counted(match: re.Match[str]) -> str | None:
        value = _value(match["roman"])
        if match["roman"] in ("L", "C") and match["name"] not in _LONG:
            return None  # "Type C" is a letter
        return f"{match['name']} {value}" if value else None

    def monarch(match: re.Match[str]) -> str | None:
        value = _value(match["roman"])
        return f"{match['name']} the {language.words(value, 'ordinal')}" if value else None

    ends = rf"{_NO_PRONOUN}(?![\w.\-]\w|\w)"
    return [
        rule("digit", rf"{LEFT}(?P<number>[0-9]{{1,3}}(?:,[0-9]{{3}})+)(?:st|nd|rd|th)(?!\w)", large),
        rule("letter", rf"(?<!\w)(?P<name>{_COUNTED}){SPACE}{_ROMAN}{ends}", counted),
        rule("letter", rf"(?<!\w)(?P<name>{_COUNTED.lower()}){SPACE}(?!I(?!\w)){_ROMAN}{ends}", counted),
        rule("letter", rf"(?<!\w)(?P<name>{_MONARCHS}){SPACE}{_ROMAN}{ends}", monarch),
    ]


def _french(language: Language) -> list[Rule]:
    def spoken(match: re.Match[str]) -> str | None:
        value = _value(match["number"]) if match["number"][0] in _VALUES else int(match["number"])
        return language.words(value, "ordinal") + ("s" if match["plural"] else "") if value > 1 else None

    suffix = r"(?:e|è[mr]e|eme|ième)(?P<plural>s?)(?![\w'’])"
    return [
        rule("digit", rf"{LEFT}(?P<number>[0-9]{{1,3}}){suffix}", spoken),
        rule("letter", rf"(?<![\w.\-])(?P<number>[XVI]{{1,5}}){suffix}", spoken),
    ]


def _spanish(language: Language) -> list[Rule]:
    def spoken(match: re.Match[str]) -> str | None:
        number, words = int(match["number"]), language.words(int(match["number"]), "ordinal")
        if not words or number > (20 if language.code == "es" else 10):  # above, cardinals are usual or words are two
            return None
        if match["short"]:
            return words.removesuffix("o") if number in (1, 3) else None
        return words.removesuffix("o") + "a" if (match["gender"] or match["sign"]) in "aª" else words

    short = r"|\.?(?P<short>er)" if language.code == "es" else "|(?P<short>(?!))"
    degrees = rf"{SPACE}?[CF]\b"
    pattern = rf"{LEFT}(?P<number>[0-9]{{1,2}})(?:\.(?P<gender>[ºªoa])|(?P<sign>[ºª])(?!{degrees}){short})(?!\w)"
    return [rule("digit", pattern, spoken)]


def _value(roman: str) -> int:
    values = [_VALUES.get(letter, 0) for letter in roman]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < after else value for value, after in pairs)
