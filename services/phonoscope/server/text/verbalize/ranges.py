"""Ranges of numbers: `10-20`, `3–5`, and repeated numbers such as `50-50`."""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import HYPHEN, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule

_MAX_CHARACTERS: Final = 8


def rules(language: Language) -> list[Rule]:
    """Returns the rules for ranges, where the word between the ends is known."""
    if not language.to:
        return []

    def spoken(match: re.Match[str]) -> str | None:
        low, high = language.value(match["low"]), language.value(match["high"])
        if low is None or high is None or _is_numbered(match["low"]) or _is_numbered(match["high"]):
            return None
        if low == high and language.code == "en":
            return f"{match['low']} {match['high']}"
        return f"{match['low']} {language.to} {match['high']}" if low < high else None

    ends = rf"(?![\w/\\@+]|[.,:][0-9]|{HYPHEN}[\w]|{SPACE}?[=×*])"
    number = language.number
    return [
        rule("digit", rf"{LEFT}(?P<low>{number}){HYPHEN}(?P<high>{number}){ends}", spoken),
        rule("digit", rf"{LEFT}(?P<low>[0-9]+){SPACE}–{SPACE}(?P<high>[0-9]+){ends}", spoken),
    ]


def _is_numbered(number: str) -> bool:
    """Returns whether digits are a code, such as "007", rather than a quantity."""
    has_zero = len(number) > 1 and number[0] == "0" and number[1].isdecimal()
    return has_zero or len(number) > _MAX_CHARACTERS
