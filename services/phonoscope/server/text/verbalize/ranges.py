"""Ranges of numbers: `10-20`, `3–5`, and repeated numbers such as `50-50`."""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import HYPHEN, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule, word_before, words_of

_MAX_CHARACTERS: Final = 8
# English words beside a score or a record of games; after the words before it, the sentence or a clause ends.
_SCORING: Final = words_of(
    "went go goes gone lead leads led trail trails trailed trailing down up won win wins lost lose loses beat beats"
)
_SCORED: Final = re.compile(r"[.,;:!?)\n]|[ \u00a0](?:in|on|this|last|against|after|over|with)\b|\s*\Z")
_RECORD_BEFORE: Final = re.compile(r"\brecords?(?: of| is| was|:)? \Z", re.IGNORECASE)
_RECORD_AFTER: Final = re.compile(r" (?:record|lead|win|loss|victory|defeat|run|deficit|vote|decision|season|start)\b")
# Models: "737-800" is an airliner with and without its maker.
_MAKERS: Final = words_of("boeing airbus embraer bombardier fokker model type part")
_AIRLINER: Final = re.compile(r"7[0-8]7-[1-9]00")
_NEAR: Final = 16


def rules(language: Language) -> list[Rule]:
    """Returns the rules for ranges, where the word between the ends is known."""
    if not language.to:
        return []

    def spoken(match: re.Match[str]) -> str | None:
        low, high = language.value(match["low"]), language.value(match["high"])
        if low is None or high is None or _is_numbered(match["low"]) or _is_numbered(match["high"]):
            return None
        if language.code == "en" and (_is_score(match) or _is_model(match)):
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


def _is_score(match: re.Match[str]) -> bool:
    """Returns whether these are points or games, such as "went 9-11" and "a 3-4 record"."""
    text, start, stop = match.string, match.start(), match.end()
    if _RECORD_AFTER.match(text, stop) or _RECORD_BEFORE.search(text, max(0, start - _NEAR), start):
        return True
    return word_before(match) in _SCORING and _SCORED.match(text, stop) is not None


def _is_model(match: re.Match[str]) -> bool:
    return word_before(match) in _MAKERS or _AIRLINER.fullmatch(match.group()) is not None


def _is_numbered(number: str) -> bool:
    """Returns whether digits are a code, such as "007", rather than a quantity."""
    has_zero = len(number) > 1 and number[0] == "0" and number[1].isdecimal()
    return has_zero or len(number) > _MAX_CHARACTERS
