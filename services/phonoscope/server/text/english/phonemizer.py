"""A phonemizer of English for voices that were trained on the phonemes of misaki.

Built by `text/phonemizers.py`, called by `front_end` on the text thread. espeak-ng finds the clauses; each word of one
is read by `reading.py`, and by espeak-ng if no dictionary has it. Phonemes are IPA. Quotes, brackets, dashes and
ellipses, which the voices were trained with, are phonemes too.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.text.english import dictionary
from phonoscope.server.text.english.accents import ACCENTS, Accent
from phonoscope.server.text.english.letters import begins_with_vowel, ipa_of
from phonoscope.server.text.english.reading import Next, Place, Reader
from phonoscope.server.text.english.tokens import Token, tokens_of
from phonoscope.server.text.phoneme_ids import split_phonemes
from phonoscope.server.text.phonemizer import Clause, Phonemizer
from phonoscope.server.text.sequence_alignment import align

_MAX_WORDS_KNOWN: Final = 20_000
_CLOSERS: Final = re.compile(r"[\"”’)\]]*(?=\s|$)\s*")


class English:
    """A Phonemizer of the voices in ACCENTS; thread-safe.

    Args:
        espeak: finds clauses, and reads what the dictionaries lack: everything, if they are not installed.
    """

    def __init__(self, espeak: Phonemizer) -> None:
        self._espeak = espeak
        self._alone = functools.lru_cache(_MAX_WORDS_KNOWN)(self._read_alone)

    def check_voice(self, voice: str) -> None:
        """Raises VoiceFileError when `voice` is none of ACCENTS."""
        if voice not in ACCENTS:
            raise VoiceFileError(f'there is no English voice "{voice}"; use {" or ".join(ACCENTS)}')

    def prepare(self, voice: str) -> None:
        """Begins to load the voice's dictionary."""
        if dictionary.is_installed():
            dictionary.load_in_background(ACCENTS[voice])

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Reads all of `text`; the clauses are those of espeak-ng."""
        accent = ACCENTS[voice]
        reader = Reader(accent, dictionary.dictionary_of(accent)) if dictionary.is_installed() else None
        read, start = [], 0
        for clause in self._espeak.clauses(text, accent.espeak_voice):
            stop = _after_quotes(text, clause.stop)
            adapted = replace(clause, phonemes=accent.adapted(clause.phonemes), stop=stop)
            read.append(self._clause(text[start:stop], adapted, reader) if reader else adapted)
            start = stop
        return read

    def _clause(self, written: str, clause: Clause, reader: Reader) -> Clause:
        """Returns a clause of espeak-ng with the phonemes of the dictionaries; as it is if they have no word of it."""
        tokens = list(tokens_of(written))
        heard = _Heard(tokens, clause.phonemes, functools.partial(self._alone, accent=reader.accent))
        words = ["" if token.mark else token.word.lower() for token in tokens]
        follows: Next = "pause"
        is_known = False
        phonemes = []
        for index, token in reversed(list(enumerate(tokens))):
            said = token.mark
            if not said:
                beside = "".join(words[index - 1 : index]), "".join(words[index + 1 : index + 2])
                letters = _letters(token, Place(follows, *beside, functools.partial(heard, index)), reader)
                said = heard(index) if letters is None else ipa_of(letters)
                is_known = is_known or letters is not None
            follows = "pause" if token.is_pause else _sound(said) or follows
            phonemes.append(f" {said}" if token.is_apart else said)
        if not is_known:
            return clause
        joined = " ".join("".join(reversed(phonemes)).split())
        return replace(clause, phonemes=joined, terminator="" if tokens[-1].is_pause else clause.terminator)

    def _read_alone(self, word: str, accent: Accent) -> tuple[str, ...]:
        clauses = self._espeak.clauses(word, accent.espeak_voice)
        phonemes = " ".join(clause.phonemes for clause in clauses if clause.phonemes)
        return tuple(split_phonemes(accent.adapted(phonemes)))


def _after_quotes(text: str, stop: int) -> int:
    """Returns the offset after the quotes that close with the clause before `stop`, which espeak-ng gives the next."""
    found = _CLOSERS.match(text, stop) if stop > 0 and not text[stop - 1].isspace() else None
    return found.end() if found else stop


class _Heard:
    """What espeak-ng says for each token of a clause, found when the first is asked for.

    Args:
        tokens: of the clause.
        phonemes: of the clause.
        alone: returns the phonemes of a word in isolation.
    """

    def __init__(self, tokens: Sequence[Token], phonemes: str, alone: Callable[[str], Sequence[str]]) -> None:
        self._tokens = tokens
        self._phonemes = phonemes
        self._alone = alone
        self._ranges: Mapping[int, tuple[int, int]] | None = None
        self._symbols: list[str] = []

    def __call__(self, index: int) -> str:
        if self._ranges is None:
            self._symbols = split_phonemes(self._phonemes)
            words = [at for at, token in enumerate(self._tokens) if not token.mark]
            ranges = align([self._alone(self._tokens[at].with_stop) for at in words], self._symbols)
            self._ranges = dict(zip(words, ranges, strict=True))
        start, stop = self._ranges[index]
        return "".join(self._symbols[start:stop])


def _letters(token: Token, place: Place, reader: Reader) -> str | None:
    """Returns the letters of a word, with the apostrophes around it if there is such a word."""
    written = dict.fromkeys((token.with_apostrophes, token.word))
    return next((letters for one in written if (letters := reader.read(one, place))), None)


def _sound(phonemes: str) -> Next | None:
    """Returns what the word before these phonemes meets; None if they are silent."""
    is_vowel = begins_with_vowel(phonemes)
    return None if is_vowel is None else "vowel" if is_vowel else "consonant"
