"""Finds numbers that a person reads otherwise than espeak-ng, and replaces them with what a person says.

`front_end` calls it after the lexicon. Each module beside this one has the rules of one kind; here they are tried
where a token with a digit, a currency sign or a Roman number begins. Offsets of the original text are kept, as for a
lexicon.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from phonoscope.server.text.passage import Passage, RangeT, covering
from phonoscope.server.text.rewriting import Replacement, rewritten
from phonoscope.server.text.verbalize import dates, measures, money, numbers, ordinals, phone, ranges, times, versions
from phonoscope.server.text.verbalize.language import Language, language_of
from phonoscope.server.text.verbalize.rules import Rule

# The order decides between kinds: an amount of money is no measure, and a date is no range.
_KINDS: Final = (money, dates, times, phone, measures, versions, ordinals, numbers, ranges)

# A digit or a sign, or a Roman number after a word; a set in front lets the search skip all other characters fast.
_TRIGGER: Final = re.compile(
    r"[0-9０-９¼½¾⅓⅔⅛$€£¥￥₹₩₽₺₴₦฿₫₱₪#№IVXLC](?:(?<![IVXLC])|(?<=[^\W\d_.][ \u00a0][IVXLC])"
    r"(?:[IVXLC]+[eèmr]*(?!\w)|(?<!I)(?:e|è[mr]e)?(?!\w)|(?![\w \u00a0])))"
)
# Wide forms of ASCII, as Chinese and Japanese text has them, are read like the characters that they look like.
_WIDE: Final = re.compile("[\uff10-\uff19]")
_NARROW: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_GROUP: Final = re.compile(r"\(\?P([<=])")
_TOKEN_CHARACTERS: Final = 40
_LEAD_CHARACTERS: Final = 24
_REST: Final = re.compile(r"[\w.,:/\\@&=+%-]*")
_OPENERS: Final = frozenset("([{<\"'“”‘’„«»*–—¿¡_~≈|")
_ADDRESS: Final = re.compile(r"\S{0,200}?(?:://|www\.|@[\w-]+\.)\S*")  # bounded: it is tried at every token
# Words that belong to the number after them; the rules decide whether they do.
_LEAD: Final = re.compile(
    r"(?<![\w.])(?:[^\W\d_]{1,12}[.°º]{0,2}º?,?|№|US\$|World War|Super Bowl|John Paul|Star Wars)[ \u00a0\u202f]\Z"
)


def verbalize(passage: Passage, espeak_voice: str) -> Passage:
    """Returns a passage with numbers in words of the voice's language; parts that are settled do not change."""
    text = passage.text
    if _TRIGGER.search(text) is None:
        return passage
    language = language_of(espeak_voice)
    if language is None:
        return passage
    if not text.isascii() and _WIDE.search(text) is not None:
        text = text.translate(_NARROW)
    replacements = [one for one in found(text, language) if _is_free(passage, one.start, one.stop)]
    return rewritten(passage, replacements) if replacements else passage


def prepare(espeak_voice: str) -> None:
    """Loads the data of a voice's language, so that its first text does not wait for it."""
    if (language := language_of(espeak_voice)) is not None:
        _rules(language)


def found(text: str, language: Language) -> Iterator[Replacement]:
    """Yields what to replace, ascending and without overlap."""
    rules = _rules(language)
    behind = at = 0
    while (trigger := _TRIGGER.search(text, at)) is not None:
        start, stop, spoken = _match(text, trigger.start(), behind, rules)
        if spoken:
            while spoken.endswith(" ") and text[stop - 1].isspace():  # stays: the space belongs to no word
                stop, spoken = stop - 1, spoken[:-1]
            is_beside_words = 0 < start == behind
            yield Replacement(start, stop, ((_apart(text, start, stop, spoken, is_beside_words=is_beside_words), ""),))
            behind = stop
        at = stop


def _match(text: str, trigger: int, behind: int, rules: Mapping[str, "_Rules"]) -> tuple[int, int, str]:
    """Returns the range of the rule that matches around a trigger, and what is read; "" and where to go on if none."""
    token = _token_start(text, trigger, max(behind, trigger - _TOKEN_CHARACTERS))
    address = _ADDRESS.match(text, token)
    if address is not None:
        return token, max(address.end(), trigger + 1), ""
    for start in _starts(text, token, trigger, behind):
        character = text[start]
        begin = "digit" if character.isdecimal() else "letter" if character.isalpha() else "sign"
        stop, spoken = rules[begin].match(text, start, trigger)
        if spoken:
            return start, stop, spoken
    rest = _REST.match(text, trigger + 1)
    return token, rest.end() if rest else trigger + 1, ""


class _Rules:
    """Rules that begin with one kind of character, in order of priority.

    One pattern of all of them finds the first that may match, which is several times faster than one after the other.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._any = re.compile("|".join(f"(?P<rule{n}>{_renamed(one, n)})" for n, one in enumerate(rules)) or "(?!)")

    def match(self, text: str, start: int, trigger: int) -> tuple[int, str]:
        """Returns the end of what matches at `start` and reaches `trigger`, and what is read; "" if nothing does."""
        first = self._any.match(text, start)
        if first is None or first.lastgroup is None:
            return start, ""
        for one in self._rules[int(first.lastgroup.removeprefix("rule")) :]:
            match = one.pattern.match(text, start)
            if match is not None and start < match.end() >= trigger and (spoken := one.spoken(match)):
                return match.end(), spoken
        return start, ""


def _renamed(one: Rule, number: int) -> str:
    """Returns a rule's pattern with names of groups of its own."""
    return _GROUP.sub(rf"(?P\1rule{number}_", one.pattern.pattern)


def _token_start(text: str, at: int, first: int) -> int:
    """Returns where the run without spaces that ends at `at` begins, `first` or later."""
    before = text[first:at]
    return at if not before or before[-1].isspace() else at - len(before.split()[-1])


def _starts(text: str, token: int, trigger: int, behind: int) -> Iterator[int]:
    """Yields where the text of a rule may begin: at a word before the token, at the token, and after its openers."""
    lead = _LEAD.search(text, max(behind, token - _LEAD_CHARACTERS), token)
    if lead is not None:
        yield lead.start()
    at = token
    while at < trigger and text[at] in _OPENERS:
        yield at
        at += 1
    yield at
    if at < trigger and not text[trigger - 1].isalnum():
        yield trigger


def _apart(text: str, start: int, stop: int, spoken: str, *, is_beside_words: bool) -> str:
    """Returns words with a space to letters, digits and words beside them, if the rule does not end with one."""
    before = " " if is_beside_words or (start > 0 and text[start - 1].isalnum()) else ""
    after = " " if text[stop : stop + 1].isalnum() and not spoken[-1].isspace() else ""
    return f"{before}{spoken}{after}"


def _is_free(passage: Passage, start: int, stop: int) -> bool:
    """Returns whether nothing in these characters is settled, and no prosody begins or ends between them."""
    if covering(passage.overrides, start, stop) is not None:
        return False
    if any(one.is_settled for one in _within(passage.origins, start, stop)):
        return False
    manners = _within(passage.manners, start, stop)
    return not any(start < edge < stop for one in manners for edge in (one.start, one.stop))


def _within(ranges: Sequence[RangeT], start: int, stop: int) -> Iterator[RangeT]:
    """Yields those of the ascending ranges that overlap characters `start` to `stop`."""
    index = max(0, bisect_right(ranges, start, key=lambda one: one.start) - 1)
    while index < len(ranges) and ranges[index].start < stop:
        if start < ranges[index].stop:
            yield ranges[index]
        index += 1


@cache
def _rules(language: Language) -> Mapping[str, _Rules]:
    """Returns the rules of a language by the kind of character that they begin with."""
    every = [one for kind in _KINDS for one in kind.rules(language)]
    return {begin: _Rules([one for one in every if begin in one.begins]) for begin in ("digit", "letter", "sign")}
