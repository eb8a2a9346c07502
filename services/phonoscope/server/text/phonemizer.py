"""What the front end asks of a phonemizer, and the smallest one that answers.

`espeak.Espeak` is the real one; `Letters` ships beside it for tests and for the tone engine, which need neither
espeak-ng nor a language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of text as a phonemizer read it.

    Attributes:
        phonemes: IPA, words apart by spaces; empty when nothing in the stretch is spoken.
        terminator: the phoneme that the closing punctuation becomes, one of `. , : ; ? !`, or "" for none.
        ends_sentence: whether speech stops after it.
        stop: offset in the text, in characters, after which nothing was read for this clause.
    """

    phonemes: str
    terminator: str
    ends_sentence: bool
    stop: int


class Phonemizer(Protocol):
    """Turns text into phonemes; blocking, safe to call from any one thread at a time."""

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when `voice` is not a voice of this phonemizer."""

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Reads `text` to its end; the clauses follow each other and cover all of it."""


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
