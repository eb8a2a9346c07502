"""Pronunciations of words that a voice mispronounces: entries of a request take priority over the server's own files.

`front_end` rewrites every passage with it before reading. An entry replaces a word or a phrase with phonemes or with
other words (a respelling). Other entries may apply to the words of a respelling; they are resolved once, when the
lexicon is built, so that a cycle is detected before synthesis.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from phonoscope.server.text.ipa_symbols import UnknownSymbol, read_ipa
from phonoscope.server.text.normalise import normalise
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.rewriting import Replacement, rewritten
from phonoscope.server.text.words import TOKEN, is_speakable
from phonoscope.server.types import Pronunciation

LONGEST_PHRASE: Final = 64
LONGEST_SPOKEN: Final = 200
LONGEST_FOLLOWED: Final = 1_000


class BadPronunciation(ValueError):
    """An invalid entry: its index among those given, the field at fault, and the reason."""

    def __init__(self, index: int, part: str, fault: str) -> None:
        super().__init__(fault)
        self.index = index
        self.part = part
        self.fault = fault


class _Token(NamedTuple):
    """A token of a text, characters `start` to `stop`; also in lower case, and whether a space precedes it."""

    text: str
    small: str
    start: int
    stop: int
    is_apart: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A phrase as tokens, and its replacement: text, and phonemes if given."""

    tokens: tuple[_Token, ...]
    any_case: bool
    parts: tuple[tuple[str, str], ...]


class _Branch:
    """A trie of entries by token: the cost of a lookup does not depend on the number of entries.

    Attributes:
        entry: the entry whose phrase ends here.
        ahead: child branches by the next token and whether a space precedes it.
    """

    __slots__ = ("ahead", "entry")

    def __init__(self) -> None:
        self.entry: _Entry | None = None
        self.ahead: dict[tuple[str, bool], _Branch] = {}

    def add(self, entry: _Entry) -> None:
        """Adds an entry."""
        branch = self
        for index, token in enumerate(entry.tokens):
            branch = branch.ahead.setdefault((token.text, index > 0 and token.is_apart), _Branch())
        branch.entry = entry

    def longest(self, tokens: Sequence[_Token], at: int, *, any_case: bool) -> _Entry | None:
        """Returns the longest entry that matches `tokens` from `at` on."""
        branch, found = self, None
        for index in range(at, len(tokens)):
            token = tokens[index]
            ahead = branch.ahead.get((token.small if any_case else token.text, index > at and token.is_apart))
            if ahead is None:
                break
            branch, found = ahead, ahead.entry or found
        return found


class _Layer:
    """Entries of equal priority: the longest match wins; of two equally long ones, the one with the exact case.

    Attributes:
        heads: first tokens of the phrases, in lower case.
    """

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self._spelled, self._any_case = _Branch(), _Branch()
        for entry in entries:
            (self._any_case if entry.any_case else self._spelled).add(entry)
        self.heads = frozenset(
            token.lower() for branch in (self._spelled, self._any_case) for token, _ in branch.ahead
        )

    def entry(self, tokens: Sequence[_Token], at: int) -> _Entry | None:
        """Returns the entry that matches at `at`."""
        spelled = self._spelled.longest(tokens, at, any_case=False)
        any_case = self._any_case.longest(tokens, at, any_case=True)
        if spelled and any_case:
            return spelled if len(spelled.tokens) >= len(any_case.tokens) else any_case
        return spelled or any_case


class Lexicon:
    """Entries in layers: the first layer takes priority over the second.

    Attributes:
        layers: in order of priority.
        size: number of entries.
    """

    def __init__(self, layers: Sequence[_Layer] = (), size: int = 0) -> None:
        self.layers = tuple(layers)
        self.size = size

    @classmethod
    def of(cls, pronunciations: Sequence[Pronunciation], below: "Lexicon | None" = None) -> "Lexicon":
        """Returns a lexicon of these, in front of those `below`.

        Raises:
            BadPronunciation: an entry is empty, too long, not IPA, a duplicate, or part of a cycle.
        """
        under = below or Lexicon()
        if not pronunciations:
            return under
        return cls((_Following(pronunciations, under).layer(), *under.layers), len(pronunciations) + under.size)

    def rewrite(self, passage: Passage) -> Passage:
        """Returns a passage with the lexicon's pronunciations applied; parts already settled do not change."""
        if not self.layers:
            return passage
        normal = normalise(passage.text)  # an accent may be a separate character
        tokens = {token.lower() for token in TOKEN.findall(normal.text)}
        if all(layer.heads.isdisjoint(tokens) for layer in self.layers):
            return passage
        found = (
            Replacement(*normal.source(start, stop), entry.parts) for start, stop, entry in self.matches(normal.text)
        )
        replacements = [one for one in found if not passage.is_settled(one.start, one.stop)]
        return rewritten(passage, replacements) if replacements else passage

    def matches(self, text: str) -> Iterator[tuple[int, int, _Entry]]:
        """Yields the position and the entry of each match, longest match first, from left to right."""
        tokens = _tokens(text)
        at = 0
        while at < len(tokens):
            entry = next((found for layer in self.layers if (found := layer.entry(tokens, at))), None)
            last = at if entry is None else at + len(entry.tokens) - 1
            if entry is not None:
                yield tokens[at].start, tokens[last].stop, entry
            at = last + 1


EMPTY: Final = Lexicon()


class _Following:
    """Entries of a lexicon under construction: resolves each after the entries that its respelling uses."""

    def __init__(self, pronunciations: Sequence[Pronunciation], below: Lexicon) -> None:
        self._given = pronunciations
        self._below = below
        phrases = [_phrase(index, given) for index, given in enumerate(pronunciations)]
        self._numbers: dict[tuple[tuple[_Token, ...], bool], int] = {}
        for index, phrase in enumerate(phrases):
            if phrase in self._numbers:
                fault = f"{pronunciations[index].phrase!r} is a duplicate; use one entry for each phrase"
                raise BadPronunciation(index, "phrase", fault)
            self._numbers[phrase] = index
        self._followed: dict[int, tuple[tuple[str, str], ...]] = {}
        self._standing: dict[int, list[tuple[int, int, _Entry]]] = {}  # matches in each respelling
        self._both = Lexicon((_Layer(_Entry(*phrase, ()) for phrase in phrases), *below.layers))

    def layer(self) -> _Layer:
        """Returns all entries."""
        for index in range(len(self._given)):
            self._follow_from(index)
        return _Layer(_Entry(*phrase, self._followed[index]) for phrase, index in self._numbers.items())

    def _follow_from(self, index: int) -> None:
        """Resolves an entry after all entries that it uses, at any depth."""
        path = {index: self._leads_to(index)}
        while path:
            last, ahead = next(reversed(path.items()))
            number = next((one for one in ahead if one not in self._followed), None)
            if number is None:
                self._followed[last] = self._follow(last)
                del path[last]
            elif number in path:
                cycle = [*path][[*path].index(number) :]
                names = " → ".join(repr(self._given[one].phrase) for one in (*cycle, number))
                fault = f"is part of a cycle: {names}; change one of these respellings"
                raise BadPronunciation(index, "respelling", fault)
            else:
                path[number] = self._leads_to(number)

    def _leads_to(self, index: int) -> Iterator[int]:
        """Yields the indices of the new entries that a respelling uses."""
        given = self._given[index]
        if not given.ipa:
            self._standing[index] = list(self._both.matches(given.respelling))
            numbers = (self._number(entry) for _, _, entry in self._standing[index])
            yield from (number for number in numbers if number is not None)

    def _number(self, entry: _Entry) -> int | None:
        """Returns the index of a new entry, None for an entry of the layers below."""
        return None if entry.parts else self._numbers[entry.tokens, entry.any_case]

    def _follow(self, index: int) -> tuple[tuple[str, str], ...]:
        given = self._given[index]
        if given.ipa:
            return ((given.phrase, _ipa(index, given.ipa)),)
        text, parts, cursor = given.respelling, list[tuple[str, str]](), 0
        for start, stop, entry in self._standing[index]:
            number = self._number(entry)
            parts += [(text[cursor:start], ""), *(entry.parts if number is None else self._followed[number])]
            cursor = stop
        parts.append((text[cursor:], ""))
        if sum(len(said) for said, _ in parts) > LONGEST_FOLLOWED:
            fault = f"expands to more than {LONGEST_FOLLOWED} characters; shorten it, or the entries that it uses"
            raise BadPronunciation(index, "respelling", fault)
        return tuple(part for part in parts if part[0])


def _phrase(index: int, given: Pronunciation) -> tuple[tuple[_Token, ...], bool]:
    """Returns a phrase's lookup key: its tokens, each as if at the start of a text, and whether case is ignored."""
    phrase = unicodedata.normalize("NFC", given.phrase.strip())
    phrase = normalise(phrase).text.strip() or phrase  # as the text in which it is looked for
    if not phrase or not is_speakable(phrase):
        raise BadPronunciation(index, "phrase", "contains no word; send the word as written in the text")
    if len(phrase) > LONGEST_PHRASE:
        raise BadPronunciation(index, "phrase", f"has {len(phrase)} characters; send at most {LONGEST_PHRASE}")
    part, spoken = ("ipa", given.ipa) if given.ipa else ("respelling", given.respelling)
    if not spoken.strip():
        raise BadPronunciation(index, "spoken", "is empty; send ipa or respelling")
    if len(spoken) > LONGEST_SPOKEN:
        raise BadPronunciation(index, part, f"has {len(spoken)} characters; send at most {LONGEST_SPOKEN}")
    any_case = phrase == phrase.lower()
    return tuple(_Token(one.text, one.small, 0, 0, one.is_apart) for one in _tokens(phrase)), any_case


def _ipa(index: int, ipa: str) -> str:
    try:
        return read_ipa(ipa)
    except UnknownSymbol as fault:
        raise BadPronunciation(index, "ipa", str(fault)) from None


def _tokens(text: str) -> list[_Token]:
    tokens = []
    behind = 0
    for match in TOKEN.finditer(text):
        text = match.group()
        tokens.append(_Token(text, text.lower(), match.start(), match.end(), match.start() > behind))
        behind = match.end()
    return tokens
