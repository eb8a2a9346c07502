"""How words are said that a voice would say wrong: entries of a request, in front of those of the server's own files.

`front_end` has every passage rewritten before it is read. An entry says a word or a phrase by phonemes, or by other
words (a respelling), of which other entries may say how they are said; these are followed once, when a lexicon is
made, so that a circle is found before anything is spoken.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.text.ipa_symbols import UnknownSymbol, read_ipa
from phonoscope.server.text.passage import Passage, Replacement, rewritten
from phonoscope.server.text.words import TOKEN, is_speakable
from phonoscope.server.types import Pronunciation

LONGEST_PHRASE: Final = 64
LONGEST_SPOKEN: Final = 200
LONGEST_FOLLOWED: Final = 1_000


class BadPronunciation(ValueError):
    """An entry that cannot be: its place among those given, the part of it at fault, and what is wrong with it."""

    def __init__(self, index: int, part: str, fault: str) -> None:
        super().__init__(fault)
        self.index = index
        self.part = part
        self.fault = fault


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of a text, characters `start` to `stop`; whether space stands before it."""

    text: str
    start: int
    stop: int
    is_apart: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A phrase, by its tokens, and what is said for it: text, and its phonemes where they are given."""

    tokens: tuple[_Token, ...]
    any_case: bool
    parts: tuple[tuple[str, str], ...]

    def stands_at(self, tokens: Sequence[_Token], at: int) -> bool:
        """Whether the phrase is what these tokens say from there on."""
        there = tokens[at : at + len(self.tokens)]
        return len(there) == len(self.tokens) and all(
            (token.text.lower() if self.any_case else token.text) == own.text
            and (index == 0 or token.is_apart == own.is_apart)
            for index, (token, own) in enumerate(zip(there, self.tokens, strict=True))
        )


_Index = Mapping[str, Sequence[_Entry]]


class Lexicon:
    """Entries, in layers: those of the first are looked for before those of the second.

    Attributes:
        layers: each has entries by the first token of their phrase, in small letters.
        size: how many entries there are.
    """

    def __init__(self, layers: Sequence[_Index] = (), size: int = 0) -> None:
        self.layers = tuple(layers)
        self.size = size

    @classmethod
    def of(cls, pronunciations: Sequence[Pronunciation], below: "Lexicon | None" = None) -> "Lexicon":
        """Returns a lexicon of these, in front of those `below`.

        Raises:
            BadPronunciation: an entry is empty, too long, no IPA, there twice, or leads in a circle.
        """
        under = below or Lexicon()
        if not pronunciations:
            return under
        return cls((_Following(pronunciations, under).index(), *under.layers), len(pronunciations) + under.size)

    def rewrite(self, passage: Passage) -> Passage:
        """Returns a passage whose words are said as the lexicon has it; what was settled before stays."""
        if not self.layers:
            return passage
        replacements = [
            Replacement(start, stop, entry.parts)
            for start, stop, entry in self.matches(passage.text)
            if not passage.is_settled(start, stop)
        ]
        return rewritten(passage, replacements) if replacements else passage

    def matches(self, text: str) -> Iterator[tuple[int, int, _Entry]]:
        """Yields where an entry stands in a text, and which; the longest one, from left to right."""
        tokens = _tokens(text)
        at = 0
        while at < len(tokens):
            entry = self._entry(tokens, at)
            last = at if entry is None else at + len(entry.tokens) - 1
            if entry is not None:
                yield tokens[at].start, tokens[last].stop, entry
            at = last + 1

    def _entry(self, tokens: Sequence[_Token], at: int) -> _Entry | None:
        head = tokens[at].text.lower()
        candidates = (entry for layer in self.layers for entry in layer.get(head, ()))
        return next((entry for entry in candidates if entry.stands_at(tokens, at)), None)


EMPTY: Final = Lexicon()


class _Following:
    """Entries on their way into a lexicon: what each says, once all that it leads to is followed."""

    def __init__(self, pronunciations: Sequence[Pronunciation], below: Lexicon) -> None:
        self._given = pronunciations
        self._below = below
        phrases = [_phrase(index, given) for index, given in enumerate(pronunciations)]
        self._numbers: dict[tuple[tuple[_Token, ...], bool], int] = {}
        for index, phrase in enumerate(phrases):
            if phrase in self._numbers:
                raise BadPronunciation(index, "phrase", f"{pronunciations[index].phrase!r} is there twice")
            self._numbers[phrase] = index
        self._followed: dict[int, tuple[tuple[str, str], ...]] = {}
        self._unfollowed = Lexicon([_by_head(_Entry(*phrase, ()) for phrase in phrases)])

    def index(self) -> _Index:
        """Returns all entries by the first token of their phrase."""
        return _by_head(_Entry(*phrase, self._parts(index, ())) for phrase, index in self._numbers.items())

    def _parts(self, index: int, path: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
        """Returns what an entry says; `path` has those that led to it."""
        if index in path:
            circle = [*path[path.index(index) :], index]
            names = " → ".join(repr(self._given[number].phrase) for number in circle)
            raise BadPronunciation(path[0], "respelling", f"leads in a circle: {names}")
        if index not in self._followed:
            self._followed[index] = self._follow(index, (*path, index))
        return self._followed[index]

    def _follow(self, index: int, path: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
        given = self._given[index]
        if given.ipa:
            return ((given.phrase, _ipa(index, given.ipa)),)
        text, parts, cursor = given.respelling, list[tuple[str, str]](), 0
        both = Lexicon((*self._unfollowed.layers, *self._below.layers))
        for start, stop, entry in both.matches(text):
            number = self._numbers.get((entry.tokens, entry.any_case))
            followed = entry.parts if entry.parts or number is None else self._parts(number, path)
            parts += [(text[cursor:start], ""), *followed]
            cursor = stop
        parts.append((text[cursor:], ""))
        if sum(len(said) for said, _ in parts) > LONGEST_FOLLOWED:
            fault = f"grows beyond {LONGEST_FOLLOWED} characters by what it leads to"
            raise BadPronunciation(index, "respelling", fault)
        return tuple(part for part in parts if part[0])


def _phrase(index: int, given: Pronunciation) -> tuple[tuple[_Token, ...], bool]:
    """Returns a phrase as it is looked for: its tokens, each as if it began the text, and whether any case will do."""
    phrase = unicodedata.normalize("NFC", given.phrase.strip())
    if not phrase or not is_speakable(phrase):
        raise BadPronunciation(index, "phrase", "has no word in it; send what is written in the text")
    if len(phrase) > LONGEST_PHRASE:
        raise BadPronunciation(index, "phrase", f"has {len(phrase)} characters; send at most {LONGEST_PHRASE}")
    part, spoken = ("ipa", given.ipa) if given.ipa else ("respelling", given.respelling)
    if not spoken.strip():
        raise BadPronunciation(index, "spoken", "is empty; send ipa or respelling")
    if len(spoken) > LONGEST_SPOKEN:
        raise BadPronunciation(index, part, f"has {len(spoken)} characters; send at most {LONGEST_SPOKEN}")
    any_case = phrase == phrase.lower()
    return tuple(_Token(token.text, 0, 0, token.is_apart) for token in _tokens(phrase)), any_case


def _ipa(index: int, ipa: str) -> str:
    try:
        return read_ipa(ipa)
    except UnknownSymbol as fault:
        raise BadPronunciation(index, "ipa", str(fault)) from None


def _tokens(text: str) -> list[_Token]:
    tokens = []
    behind = 0
    for match in TOKEN.finditer(text):
        tokens.append(_Token(match.group(), match.start(), match.end(), match.start() > behind))
        behind = match.end()
    return tokens


def _by_head(entries: Iterator[_Entry]) -> _Index:
    index = defaultdict[str, list[_Entry]](list)
    for entry in entries:
        index[entry.tokens[0].text.lower()].append(entry)
    for alike in index.values():  # the longest first, and one spelling before all
        alike.sort(key=lambda entry: (-len(entry.tokens), entry.any_case))
    return dict(index)
