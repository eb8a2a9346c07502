"""A rule: a pattern of text, and what is read for it. `verbalizer.py` tries rules where a token with digits begins."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LEFT: Final = r"(?<![\w.,:/\\@#&=+\-])"
"""What must not precede a number: otherwise it is part of a name, a path, an address or another number."""
RIGHT: Final = r"(?![\w/\\@]|[.,:][0-9])"
"""What must not follow a number, for the same reason."""
_BEFORE_CHARACTERS: Final = 32
_WORD_BEFORE: Final = re.compile(r"([^\W\d_]+)[.,]?[ \u00a0\u202f][(\"'“‘*_]?\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is read for text of one kind.

    Attributes:
        begins: the kinds of character that the text can begin with: digit, letter, sign.
        pattern: the text; it is matched where a token begins.
        spoken: returns what is read for a match, or None where the text is not of this kind after all.
    """

    begins: frozenset[str]
    pattern: re.Pattern[str]
    spoken: Callable[[re.Match[str]], str | None]


def rule(begins: str, pattern: str, spoken: Callable[[re.Match[str]], str | None]) -> Rule:
    """Returns a rule; `begins` has kinds of character separated by spaces: digit, letter, sign."""
    return Rule(frozenset(begins.split()), re.compile(pattern), spoken)


def word_before(match: re.Match[str]) -> str:
    """Returns the word before a match on the same line, in lower case; "" if there is none."""
    start = match.start()
    found = _WORD_BEFORE.search(match.string, max(0, start - _BEFORE_CHARACTERS), start)
    return found[1].lower() if found else ""


def words_of(text: str) -> frozenset[str]:
    """Returns the words of a list that is written as one text."""
    return frozenset(text.split())


def either(words: "frozenset[str] | list[str] | tuple[str, ...]") -> str:
    """Returns the pattern of any of these texts, longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word))) + ")"
