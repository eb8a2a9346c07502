"""Telephone numbers: digits one by one, with a pause between groups.

The forms are those of North America and of the international prefix `+`. `555-1234` is a telephone number unless it
may be a range.
"""

import re
from typing import Final

from phonoscope.server.text.verbalize.language import SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, rule, word_before, words_of

_GAP: Final = f"(?:{SPACE}|[-.\u2010\u2011])"
_END: Final = r"(?![\w/@:]|[-.,][0-9])"
_GROUPS: Final = re.compile(r"[0-9]+")
_CALLS: Final = words_of("call dial phone telephone tel number fax text mobile cell ring contact line hotline at")
_MIN_DIGITS: Final = 8
_MAX_DIGITS: Final = 15  # ITU-T E.164
_ROUND: Final = 50


def rules(language: Language) -> list[Rule]:
    """Returns the rules for telephone numbers: international ones in every language, American ones in English."""
    plus = {"en": "plus", "de": "plus", "fr": "plus", "es": "más", "it": "più", "pt": "mais"}.get(language.code, "+")

    def international(match: re.Match[str]) -> str | None:
        groups = _GROUPS.findall(match.group())
        if not _MIN_DIGITS <= sum(map(len, groups)) <= _MAX_DIGITS:
            return None
        return f"{plus} {_by_digits(groups)}"

    gap = rf"(?:{_GAP}|{SPACE}?\(|\){_GAP}?)"
    anywhere = rule("sign", rf"{LEFT}\+[1-9][0-9]{{0,3}}(?:{gap}?[0-9]{{1,4}}){{2,6}}{_END}", international)
    return [anywhere, *(_american() if language.code == "en" else [])]


def _american() -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        return _by_digits(_GROUPS.findall(match.group()))

    def local(match: re.Match[str]) -> str | None:
        first, last = match["first"], match["last"]
        is_called = word_before(match) in _CALLS or first == "555"
        may_be_range = int(last) > int(first) and int(last) % _ROUND == 0 and last[0] != "0"
        return None if may_be_range and not is_called else _by_digits([first, last])

    def emergency(match: re.Match[str]) -> str | None:
        is_called = word_before(match) in ("call", "dial", "dialed", "calling", "called")
        return " ".join(match.group()) if is_called else None

    area = rf"(?:1{_GAP})?(?:\([2-9][0-9]{{2}}\){SPACE}?|[2-9][0-9]{{2}}{_GAP})"
    return [
        rule("digit sign", rf"{LEFT}{area}[0-9]{{3}}{_GAP}[0-9]{{4}}{_END}", spoken),
        rule("digit", rf"{LEFT}(?P<first>[2-9][0-9]{{2}})-(?P<last>[0-9]{{4}}){_END}", local),
        rule("digit", rf"{LEFT}(?:911|999|112|988|411|311|000){_END}", emergency),
    ]


def _by_digits(groups: list[str]) -> str:
    """Returns digits with a space between, and a comma between groups; "800" is said as a number."""
    return ", ".join("800" if group == "800" else " ".join(group) for group in groups)
