"""The phonemizer interface of the front end, and a minimal implementation.

`espeak.Espeak` is the production implementation; `Letters` serves tests and the tone engine, which need neither
espeak-ng nor a language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable


class SpokenWord(NamedTuple):
    """A word of a clause: character offsets `start` to `stop` in the text, and its phonemes there."""

    start: int
    stop: int
    phonemes: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of text with its phonemes.

    Attributes:
        phonemes: IPA, words separated by spaces; empty when the stretch is silent.
        terminator: the phoneme that the closing punctuation becomes, one of `. , : ; ? !`, or "" for none.
        ends_sentence: whether speech stops after it.
        stop: end of the clause in the text, as a character offset.
        words: of a language without spaces, in order, where the phonemizer knows them; otherwise empty.
    """

    phonemes: str
    terminator: str
    ends_sentence: bool
    stop: int
    words: tuple[SpokenWord, ...] = ()


class Phonemizer(Protocol):
    """Converts text to phonemes; blocking, may be called from any thread, one at a time."""

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when `voice` is not a voice of this phonemizer."""

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Reads all of `text`; the clauses are consecutive and cover all of it."""


@runtime_checkable
class Preparable(Protocol):
    """A Phonemizer whose first text waits for data, which can be loaded before."""

    def prepare(self, voice: str) -> None:
        """Begins to load the data of a voice that was checked."""


_LETTERS_CLAUSE: Final = re.compile(r"([^.,:;?!]*)([.,:;?!]*)\s*")


class Letters:
    """A phonemizer whose phonemes are the lower-cased letters and digits of the text, for tests and demos."""

    def check_voice(self, voice: str) -> None:
        """Accepts every name."""

    def clauses(self, text: str, voice: str) -> list[Clause]:  # noqa: ARG002 - letters sound alike in all languages
        """Cuts at `. , : ; ? !`, whatever follows them."""
        return list(self._read(text))

    @staticmethod
    def _read(text: str) -> Iterator[Clause]:
        for match in _LETTERS_CLAUSE.finditer(text):
            words, marks = match.groups()
            if not match.group():
                continue
            phonemes = " ".join(re.findall(r"\w+", words.lower()))
            yield Clause(phonemes, marks[:1], not marks or marks[0] in ".?!", match.end())
