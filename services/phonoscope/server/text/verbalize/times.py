"""Times of day: `8:00`, `8:05`, `17:45:30`, `8.30 Uhr`, `15 h 30`, and ranges such as `9am-5pm`.

Minutes must have two digits; scores (3:2), verses (3:5) and ports (localhost:8080) stay as they are. espeak-ng reads
what is left, such as "12:30pm", as a person does.
"""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import HYPHEN, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule

_NOON: Final = 12
_MIDNIGHT: Final = 24
_HALF_DAY: Final = r"(?:[ap]\.m\.|[AP]\.M\.|[ap]m\b|[AP]M\b)"
# What follows a duration of minutes and seconds, or an "o'clock" that is written.
_OTHERWISE: Final = re.compile(
    rf"{SPACE}?(?P<clock>o['’]clock)|{SPACE}?(?:min(?:ute)?s?|h(?:ou)?rs?|sec(?:ond)?s?|h|mm)\b|-minute"
)
_HALF_DAY_AHEAD: Final = re.compile(rf"(?P<space>{SPACE}?){_HALF_DAY}")


def rules(language: Language) -> list[Rule]:
    """Returns the rules for times of day in English, German, French and Spanish."""
    build = {"en": _english, "de": _german, "fr": _french, "es": _spanish}.get(language.code)
    return build(language) if build else []


def _english(_: Language) -> list[Rule]:
    clock = r"(?P<hour>[01]?[0-9]|2[0-4]):(?P<minute>[0-5][0-9])"
    ends = r"(?![0-9/\\@]|:[0-9]|[.,][0-9])"
    half = rf"{SPACE}?{_HALF_DAY}"
    time = r"[0-9]{1,2}(?::[0-5][0-9])?"

    def one(match: re.Match[str]) -> str | None:
        second = (match["second"] or "").replace("00", "")
        return _clock(match["hour"], match["minute"], second, match)

    def between(match: re.Match[str]) -> str:
        half_day = f" {match['half'].strip()}" if match["half"] else ""
        before = _before_half_day(match)
        last_is_full = _HALF_DAY_AHEAD.match(match.string, match.end()) is not None
        first = _part(match["first"], is_full=bool(half_day))
        return f"{first}{half_day} to {_part(match['last'], is_full=last_is_full)}{before}"

    return [
        rule(
            "digit",
            rf"{LEFT}(?P<first>{time})(?P<half>{half})?{SPACE}?{HYPHEN}{SPACE}?(?P<last>{time})(?={half})",
            between,
        ),
        rule(
            "digit",
            rf"{LEFT}(?P<first>[0-9]{{1,2}}:[0-5][0-9])(?P<half>){HYPHEN}(?P<last>[0-9]{{1,2}}:[0-5][0-9]){ends}",
            between,
        ),
        rule("digit", rf"{LEFT}{clock}(?::(?P<second>[0-5][0-9]))?(?=(?:[ap]m|[AP]M)\b|(?![A-Za-z])){ends}", one),
    ]


def _part(time: str, *, is_full: bool) -> str:
    """Returns one end of a range; `is_full` if "am" or "pm" follows it."""
    hour, _, minute = time.partition(":")
    return str(int(hour)) if not minute or (is_full and minute == "00") else _minutes(int(hour), minute)


def _before_half_day(match: re.Match[str]) -> str:
    """Returns the space that is missing between a time and its "pm"."""
    found = _HALF_DAY_AHEAD.match(match.string, match.end())
    return " " if found and not found["space"] else ""


def _clock(hour: str, minute: str, second: str, match: re.Match[str]) -> str | None:
    otherwise = _OTHERWISE.match(match.string, match.end())
    if otherwise and not otherwise["clock"]:
        return None
    hours, half_day = int(hour), _HALF_DAY_AHEAD.match(match.string, match.end())
    if otherwise or (half_day and minute == "00" and not second):
        return f"{hours}{_before_half_day(match)}" if minute == "00" else None
    if not second and minute == "00" and hours in (0, _MIDNIGHT):
        return "midnight" if len(hour) > 1 else None
    words = _minutes(hours, minute)
    if second:
        words += f" and {int(second)} second{'' if second == '01' else 's'}"
    return words + _before_half_day(match)


def _minutes(hours: int, minute: str) -> str:
    if minute == "00":
        return f"{hours} o'clock" if 0 < hours <= _NOON else f"{hours} hundred"
    return f"{hours} oh {int(minute)}" if minute < "10" else f"{hours} {minute}"


def _german(_: Language) -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        return _german_clock(f"{match['hour']}:{match['minute']}")

    def between(match: re.Match[str]) -> str:
        return f"{_german_clock(match['first'])} bis {_german_clock(match['last'])}"

    clock = "(?P<hour>[01]?[0-9]|2[0-4])"
    time = r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
    return [
        rule(
            "digit",
            rf"{LEFT}(?P<first>{time}){SPACE}?{HYPHEN}{SPACE}?(?P<last>{time})"
            rf"(?:{SPACE}?(?:Uhr|h)\b)?(?![\w:/]|[.,][0-9])",
            between,
        ),
        rule("digit", rf"{LEFT}{clock}[:.](?P<minute>[0-5][0-9]){SPACE}?(?:Uhr|h)\b", spoken),
        rule("digit", rf"{LEFT}{clock}:(?P<minute>[0-5][0-9])(?![\w:/]|[.,][0-9])", spoken),
    ]


def _german_clock(time: str) -> str:
    hour, minute = map(int, time.split(":"))
    words = f"{'ein' if hour == 1 else hour} Uhr"
    return f"{words} {minute}" if minute else words


def _french_clock(hour: int, minute: int) -> str:
    words = {0: "zéro heure", 1: "une heure", 21: "vingt et une heures"}.get(hour, f"{hour} heures")
    return f"{words} {minute}" if minute else words


def _french(_: Language) -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        return _french_clock(int(match["hour"]), int(match["minute"] or 0))

    def between(match: re.Match[str]) -> str:
        first = _french_clock(int(match["hour"]), int(match["minute"] or 0))
        return f"{first} à {_french_clock(int(match['last_hour']), int(match['last_minute'] or 0))}"

    clock = "(?P<hour>[01]?[0-9]|2[0-4])"
    return [
        rule(
            "digit",
            rf"{LEFT}{clock}{SPACE}?h(?P<minute>[0-5][0-9])?{SPACE}?{HYPHEN}{SPACE}?"
            rf"(?P<last_hour>[01]?[0-9]|2[0-4]){SPACE}?h(?P<last_minute>[0-5][0-9])?(?![\w:/'’]|[.,][0-9])",
            between,
        ),
        rule("digit", rf"{LEFT}{clock}{SPACE}?[hH]{SPACE}?(?P<minute>[0-5][0-9])(?![\w:/]|[.,][0-9])", spoken),
        rule("digit", rf"{LEFT}{clock}{SPACE}?h(?P<minute>)(?![\w:/'’])", spoken),
        rule("digit", rf"{LEFT}{clock}:(?P<minute>[0-5][0-9])(?![\w:/]|[.,][0-9])", spoken),
    ]


def _spanish(_: Language) -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        hour, minute = int(match["hour"]), int(match["minute"])
        hours = "una" if hour == 1 else str(hour)
        if not minute:
            return f"{hours} en punto"
        return f"{hours} y {minute}" if hour <= _NOON else f"{hours} {minute}"

    pattern = rf"{LEFT}(?P<hour>[01]?[0-9]|2[0-4]):(?P<minute>[0-5][0-9])(?![\w:/]|[.,][0-9]|{SPACE}?h\b)"
    hours = rf"{LEFT}(?P<hour>[01]?[0-9]|2[0-4]):(?P<minute>[0-5][0-9]){SPACE}?h(?:oras)?\b"

    def with_hours(match: re.Match[str]) -> str:
        minute = int(match["minute"])
        return f"{int(match['hour'])} horas" + (f" {minute}" if minute else "")

    return [rule("digit", hours, with_hours), rule("digit", pattern, spoken)]
