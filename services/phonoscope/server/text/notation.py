"""Reads notation whose meaning depends on what is around it: exponents, fractions, minus signs, comparisons, money.

Called by `characters.py`, after a step that reads whole amounts, if there is one: what that step has already put into
words is not found here. Each pattern yields an edit of the text, or none where espeak-ng reads the same.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phonoscope.server.text.character_names import (
    COMPARISONS,
    CURRENCIES,
    FRACTIONS,
    MINUS,
    NAMES,
    PLUS,
    POWERS,
    Fractions,
    Powers,
    currency_name,
)
from phonoscope.server.text.readability import Readability

_SIGNS: Final = re.escape("".join(CURRENCIES) + "₿")
_SUPERSCRIPT_DIGITS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUBSCRIPT_DIGITS: Final = "₀₁₂₃₄₅₆₇₈₉"
_AMOUNT: Final = r"\d+(?:[.,\u00a0\u202f]\d+)*"
_NUMBER: Final = rf"[-+−]?(?:[{_SIGNS}][ ]?)?\.?[\d¼-¾⅐-⅞]"
_EXPONENT: Final = r"[\w+\-−*/=,. ]{1,40}"
_NOTATION: Final = re.compile(
    rf"""
    (?P<minus>[-−](?=\d|[{_SIGNS}][ ]?\d)(?<![\w)\]\-−][-−])(?<!\d[.'"′″’”][-−]))
    | (?<=\d[.'"′″’”])(?P<between>[-−])(?=\d)
    | (?<=\d[ ])(?P<less>[-−])(?=[ ][-−]\d)
    | (?<=[\w)\]])(?P<charge>[{_SUPERSCRIPT_DIGITS}]{{0,2}}[⁺⁻](?![{_SUPERSCRIPT_DIGITS}ⁿⁱ]))
    | (?P<power>(?<=[\w)\]])(?:
        [⁺⁻]?[{_SUPERSCRIPT_DIGITS}]+
        | [⁺⁻]?[ⁿⁱ](?![ᵃ-ᵿʰ-ˣ])(?:[⁺⁻][{_SUPERSCRIPT_DIGITS}]+)?
        | \^(?:[-−]?[^\W_]+|\({_EXPONENT}\)|\{{{_EXPONENT}\}})
    ))
    | (?P<whole>(?<=\d)[ ]?)?(?P<fraction>[¼-¾⅐-⅞]|(?<!\d)\d+⁄\d+|[{_SUPERSCRIPT_DIGITS}]+⁄[{_SUBSCRIPT_DIGITS}]+)
    | (?P<comparison>
        (?:(?<=\S[ ])|(?<=\d))(?:<=|>=|[<>])(?=\s)
        | (?<![<>=\-−!/])(?:<=|>=)(?=\s|\w|{_NUMBER})
        | (?<![<>=\-−!/])[<>](?={_NUMBER})
        | (?<=(?<![\w<>/])[^\W\d_])[<>](?=[^\W\d_](?![\w>]))
    )
    | (?P<arrow>(?<=\S[ ])-->(?=\s)|(?<![<>=!:;\-])(?:->|=>)(?![>=])|(?<!\S)<->?(?=\s))
    | (?<=\w)(?P<apostrophe>[´`])(?=\w)
    | (?<=\d)[ ]?(?P<after>[{_SIGNS}])(?!\d)
    | (?P<before>(?<!\d)[{_SIGNS}])[ ]?(?P<amount>{_AMOUNT})
    | (?<![^\W\d])(?P<micro>[µμ])(?=[A-Za-zΩ]{{1,3}}\b)
    """,
    re.VERBOSE,
)
# A character that every piece of notation has; to look for these first is much faster.
_TRIGGER: Final = re.compile(rf"[-−⁺⁻{_SUPERSCRIPT_DIGITS}ⁿⁱ^¼-¾⅐-⅞⁄<>=´`µμ{_SIGNS}]")
_LONGEST_UNIT: Final = 3  # letters; a longer word has a note, not an exponent
_BASE: Final = re.compile(r"[^\W\d_]*$")
_COUNTED: Final = re.compile(r"\d[ ]?[^\W\d_]+$")  # such as "5 meters", which has an exponent and no note
_TAG: Final = re.compile(r"</?[A-Za-z][\w-]*(?:\s+[\w-]+=[^<>]*)?\s*/?$")
_LONGEST_TAG: Final = 100
_BEFORE_MINUS: Final = frozenset(".,;:!?")  # after any other sign, espeak-ng omits a minus
_CLOSING: Final = frozenset(")]}'\"’”%²³")
_SPACES_BACK: Final = 8
_MAX_DIGITS: Final = 9
_HALF: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the edits need to know of the voice."""

    language: str
    voice: str
    readability: Readability


def notation(text: str, language: str, voice: str, readability: Readability) -> Iterator[tuple[int, int, str]]:
    """Yields start, stop and replacement of the notation in a text, ascending."""
    reader = _Reader(language, voice, readability)
    read = 0
    for trigger in _TRIGGER.finditer(text):
        at = trigger.start()
        if at < read:
            continue
        match = _NOTATION.match(text, _start(text, at)) or _NOTATION.match(text, at)
        if match is None or match.start() < read:
            continue
        read = match.end()
        words = _EDITS[next(name for name in _EDITS if match[name] is not None)](match, reader)
        if words is None:
            continue
        has_space = match.group()[0] == " " == words[:1]  # stays as it is: the space belongs to no word
        yield match.start() + has_space, match.end(), words[has_space:]


def _start(text: str, trigger: int) -> int:
    """Returns where the notation around a trigger may start: with a numerator, or the space after a number."""
    start = trigger
    if text[trigger] == "⁄":
        while start and text[start - 1].isdecimal():
            start -= 1
    elif text[trigger - 1 : trigger] == " ":
        start -= 1
    return start


def _minus(match: re.Match[str], reader: _Reader) -> str | None:
    word = MINUS.get(reader.language)
    before = match.string[match.start() - 1 : match.start()]
    is_number = match.string[match.end()].isdecimal()
    last = match.string[max(0, match.start() - _SPACES_BACK) : match.start()].rstrip()[-1:]
    is_after_sign = bool(last) and unicodedata.category(last)[0] in "SP" and last not in _BEFORE_MINUS
    if is_number and not before.strip() and not is_after_sign and reader.readability.is_minus_heard(reader.voice):
        return None if match.group() == "-" else "-"
    return word and f"{' ' if before.isalnum() or before in CURRENCIES else ''}{word} "


def _power(match: re.Match[str], reader: _Reader) -> str | None:
    powers = POWERS.get(reader.language)
    written = match.group().lstrip("^").strip("(){}")
    exponent = unicodedata.normalize("NFKC", written).replace("−", "-").lstrip("+")
    is_note = exponent.isdecimal() and _has_note(match)
    if is_note or powers is None:
        is_read = match.group() in ("²", "³") and reader.readability.is_spoken(match.group(), reader.voice)
        return None if is_read else f" {exponent}"
    return _power_words(powers, exponent, MINUS[reader.language]) + _space_after(match)


def _has_note(match: re.Match[str]) -> bool:
    """Returns whether a number that is raised belongs to a word, as that of a footnote."""
    before = match.string[max(0, match.start() - _LONGEST_TAG) : match.start()]
    base = _BASE.search(before)
    if base is None or len(base.group()) <= _LONGEST_UNIT:
        return False
    return not (match.group() in ("^2", "^3") and _COUNTED.search(before))


def _power_words(powers: Powers, exponent: str, minus: str) -> str:
    if exponent in ("2", "3"):
        return f" {powers.second if exponent == '2' else powers.third}"
    return f" {powers.other.format(' '.join(exponent.replace('-', f' {minus} ').split()))}"


def _charge(match: re.Match[str], reader: _Reader) -> str | None:
    """Reads the charge of an ion: ³⁺ is "3 plus"."""
    digits = unicodedata.normalize("NFKC", match.group()[:-1])
    sign = PLUS.get(reader.language, "+") if match.group()[-1] == "⁺" else MINUS.get(reader.language, "-")
    return f" {digits} {sign}".replace("  ", " ") + _space_after(match)


def _between(match: re.Match[str], reader: _Reader) -> str | None:
    """Reads what joins two ordinals as a range; between feet and inches nothing is said."""
    if match.string[match.start() - 1] != ".":
        return " "
    return " bis " if reader.language == "de" else None


def _less(_: re.Match[str], reader: _Reader) -> str | None:
    return MINUS.get(reader.language)


def _fraction(match: re.Match[str], reader: _Reader) -> str | None:
    written = unicodedata.normalize("NFKC", match["fraction"])
    top, _, bottom = written.partition("⁄")
    is_after_whole = match["whole"] is not None
    space = " " if match.start() and match.string[match.start() - 1].isalnum() else ""
    words = FRACTIONS.get(reader.language)
    if words is None and len(match["fraction"]) == 1 and reader.readability.is_spoken(match["fraction"], reader.voice):
        return f" {match['fraction']}" if match["whole"] == "" else None
    if words is None or not _is_common(top, bottom, words):
        return f"{space}{top}/{bottom}"
    return space + _fraction_words(int(top), int(bottom), words, is_after_whole=is_after_whole) + _space_after(match)


def _is_common(top: str, bottom: str, words: Fractions) -> bool:
    """Returns whether a fraction is read in words, in contrast to its digits."""
    if max(len(top), len(bottom)) > _MAX_DIGITS or int(top) == 0:
        return False
    return (int(top), int(bottom)) == _HALF or int(bottom) in words.parts


def _fraction_words(top: int, bottom: int, words: Fractions, *, is_after_whole: bool) -> str:
    if (top, bottom) == _HALF:
        return words.and_a_half if is_after_whole else words.half
    one, several = words.parts[bottom]
    said = f"{words.one} {one}" if top == 1 else f"{top} {several}"
    return f"{words.joined} {said}" if is_after_whole and words.joined else said


def _space_after(match: re.Match[str]) -> str:
    return " " if match.string[match.end() : match.end() + 1].isalnum() else ""


def _comparison(match: re.Match[str], reader: _Reader) -> str | None:
    text, start, stop = match.string, match.start(), match.end()
    if match["comparison"] == ">" and _TAG.search(text[max(0, start - _LONGEST_TAG) : start]):
        return None
    name = COMPARISONS.get(reader.language, {}).get(match["comparison"])
    is_joined = start > 0 and (text[start - 1].isalnum() or text[start - 1] in _CLOSING)
    return name and f"{' ' if is_joined else ''}{name}{'' if text[stop].isspace() else ' '}"


def _micro(_: re.Match[str], reader: _Reader) -> str | None:
    return f"{name} " if (name := NAMES.get(reader.language, {}).get("µ")) else "µ"


def _arrow(match: re.Match[str], reader: _Reader) -> str | None:
    sign = {"<-": "←", "<->": "↔"}.get(match["arrow"], "→")
    before = " " if match.start() and not match.string[match.start() - 1].isspace() else ""
    after = " " if match.string[match.end() : match.end() + 1].strip() else ""
    name = NAMES.get(reader.language, {}).get(sign)
    return name and f"{before}{name}{after}"


def _apostrophe(_match: re.Match[str], _reader: _Reader) -> str | None:
    return "’"


def _money_before(match: re.Match[str], reader: _Reader) -> str | None:
    if not _is_silent(match["before"], reader):
        return None
    name = currency_name(match["before"], reader.language, is_plural=match["amount"] != "1")
    return name and f"{match['amount']} {name}{_space_after(match)}"


def _money_after(match: re.Match[str], reader: _Reader) -> str | None:
    if not _is_silent(match["after"], reader):
        return None
    name = currency_name(match["after"], reader.language, is_plural=True)
    return name and f" {name}{_space_after(match)}"


def _is_silent(sign: str, reader: _Reader) -> bool:
    return not reader.readability.is_spoken(sign, reader.voice)


_EDITS: Final = {
    "minus": _minus,
    "between": _between,
    "less": _less,
    "charge": _charge,
    "power": _power,
    "fraction": _fraction,
    "comparison": _comparison,
    "arrow": _arrow,
    "apostrophe": _apostrophe,
    "before": _money_before,
    "after": _money_after,
    "micro": _micro,
}
