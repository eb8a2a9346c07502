"""Whatever strangers send: a refusal that names the place, or sentences whose every place is where it belongs.

Real espeak-ng with the embedded voice's phonemes, through the resolver of requests and the front end.
"""

import importlib.util
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.safe_xml import place_of
from phonoscope.server.text.verbalize.verbalizer import verbalize
from phonoscope.server.types import Pronunciation, SpeechRequest, Voice

_SPEC = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
hostile = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hostile)

PLACED = re.compile(r"line (\d+), column (\d+): .")
ENTRY = re.compile(r"pronunciations\[(\d+)\]\.(phrase|ipa|respelling|spoken)")
LONGEST_DESCRIPTION = 1_200  # a cycle may go through as many entries as there are
MAX_CHARACTERS = 1_000
ENTRIES = st.lists(hostile.phrases(), max_size=3).map(lambda given: tuple(itertools.starmap(Pronunciation, given)))


class CountingEspeak(Espeak):
    """Counts the characters that espeak-ng is given."""

    def __init__(self) -> None:
        super().__init__()
        self.characters = 0

    def clauses(self, text: str, voice: str) -> list[Clause]:
        self.characters += len(text)
        return super().clauses(text, voice)


class Strangers:
    """Reads requests of strangers, and holds what comes of them to what must be so."""

    def __init__(self, voices: Sequence[Voice], *, skips: bool = False) -> None:
        self._resolver = RequestResolver(voices, max_characters=MAX_CHARACTERS, skips_unsupported_ssml=skips)
        self._espeak = CountingEspeak()
        self._front_end = TextFrontEnd(self._espeak)
        self._plainly = TextFrontEnd(Espeak())
        self.outcomes = Counter[str]()

    def send(self, request: SpeechRequest) -> None:
        try:
            resolved = self._resolver.resolve(request)
        except InvalidRequest as refusal:
            check_refusal(refusal, request)
            self.outcomes[refusal.reason] += 1
            return
        self._check_read(resolved)
        self.outcomes["read"] += 1

    def check_share(self, *, read: float, refused: float) -> None:
        """Fails where nearly all was refused, or nearly nothing: such a fuzz shows nothing."""
        assert self.outcomes["read"] > read * self.outcomes.total(), self.outcomes
        assert self.outcomes["read"] < (1 - refused) * self.outcomes.total(), self.outcomes

    def _check_read(self, resolved: ResolvedRequest) -> None:
        began, self._espeak.characters = 0, 0
        longest = 0
        for passage in resolved.script.passages:
            voice = passage.voice or resolved.voice
            lexicon = resolved.lexicon(voice)
            reading = self._front_end.sentences(passage, voice.phonemes, lexicon, is_aligned=True)
            sentences = list(reading)
            began = check_sentences(sentences, resolved.source, began, is_plain=resolved.source_field == "text")
            told = [name for sentence in sentences for _, name in sentence.alignment.marks]
            assert told + list(reading.marks_left) == [mark.name for mark in passage.marks]
            if lexicon.rewrite(passage).is_plain:
                plain = self._plainly.sentences(passage, voice.phonemes, lexicon)
                assert [(one.start, one.stop, one.symbols) for one in plain] == [
                    (one.start, one.stop, one.symbols) for one in sentences
                ]
            read = verbalize(lexicon.rewrite(passage), voice.phonemes.espeak_voice)
            longest += len(read.text) + sum(len(one.alone) for one in passage.overrides)
            longest += sum(len(sentence.text) for sentence in sentences)  # a symbol may become several words
        if self._espeak.characters > 3 * longest:
            self._read_again(resolved)  # the first time, espeak-ng is asked what it makes of each character
        assert self._espeak.characters <= 3 * longest, "the whole, each of its words, and what is said in their place"

    def _read_again(self, resolved: ResolvedRequest) -> None:
        self._espeak.characters = 0
        for passage in resolved.script.passages:
            voice = passage.voice or resolved.voice
            lexicon = resolved.lexicon(voice)
            list(self._front_end.sentences(passage, voice.phonemes, lexicon, is_aligned=True))


def check_refusal(refusal: InvalidRequest, request: SpeechRequest) -> None:
    assert refusal.reason in InvalidRequest.REASONS
    assert refusal.violations
    for violation in refusal.violations:
        assert 0 < len(violation.description) <= LONGEST_DESCRIPTION
        if violation.field == "ssml" and refusal.reason not in ("TEXT_TWICE", "TEXT_TOO_LONG"):
            found = PLACED.match(violation.description)
            assert found, violation
            place = int(found[1]), int(found[2])
            assert (1, 1) <= place <= place_of(request.ssml, len(request.ssml))
        elif violation.field.startswith("pronunciations"):
            entry = ENTRY.fullmatch(violation.field)
            assert entry, violation
            assert int(entry[1]) < len(request.pronunciations)
        else:
            assert violation.field in ("text", "ssml")


def check_sentences(sentences: Sequence[Sentence], source: str, began: int, *, is_plain: bool) -> int:
    """Checks the sentences of a passage that begins at `began` or later; returns where its last one begins."""
    for sentence in sentences:
        assert began <= sentence.start <= sentence.stop <= len(source)
        began = sentence.start
        ids, alignment = sentence.symbols, sentence.alignment
        check_ranges([(word.first, word.last) for word in alignment.words], len(ids))
        check_ranges([(sound.first, sound.last) for sound in alignment.sounds], len(ids))
        check_starts([first for first, _ in alignment.manners], len(ids))
        check_starts([at for at, _ in alignment.marks], len(ids), strictly=False)
        assert not alignment.manners or alignment.manners[0][0] == 0
        behind = sentence.start
        for word in alignment.words:
            assert behind <= word.start <= word.stop <= sentence.stop
            behind = word.start
            written = source[word.start : word.stop]
            assert not is_plain or (written and written == written.strip()), "a word is not what is around it"
    return began


def check_ranges(ranges: Sequence[tuple[int, int]], length: int) -> None:
    edges = [edge for one in ranges for edge in one]
    assert edges == sorted(edges)
    assert all(first < last for first, last in ranges)
    assert not edges or (edges[0] > 0 and edges[-1] < length), "begin and end of a sentence are nobody's"


def check_starts(starts: Sequence[int], length: int, *, strictly: bool = True) -> None:
    assert starts == sorted(set(starts) if strictly else starts)
    assert all(0 <= start < length for start in starts)


@pytest.fixture(scope="module")
def voices(reader) -> list[Voice]:
    german = replace(reader.voice("ton", "de-DE", "de"), speakers=("eins", "zwei"))
    return [reader.voice("tone", "en-US", "en-us"), german]


@pytest.mark.slow
@pytest.mark.parametrize("skips", [False, True])
def test_a_document_is_read_or_refused_with_its_place(voices, skips: bool) -> None:
    strangers = Strangers(voices, skips=skips)

    @hostile.fuzzing(200)
    @given(hostile.documents(), ENTRIES)
    def send(document: str, entries: tuple[Pronunciation, ...]) -> None:
        strangers.send(SpeechRequest("", ssml=document, pronunciations=entries))

    send()
    strangers.check_share(read=0.2, refused=0.2)


@pytest.mark.slow
def test_an_element_is_read_or_refused_with_its_place(voices) -> None:
    strangers = Strangers(voices)

    @hostile.fuzzing(900)
    @given(hostile.elements())
    def send(document: str) -> None:
        strangers.send(SpeechRequest("", ssml=document))

    send()
    strangers.check_share(read=0.5, refused=0.05)


def test_a_text_is_read_or_refused_with_its_field(voices) -> None:
    strangers = Strangers(voices)

    @hostile.fuzzing(200)
    @given(hostile.texts(), ENTRIES)
    def send(text: str, entries: tuple[Pronunciation, ...]) -> None:
        strangers.send(SpeechRequest(text, pronunciations=entries))

    send()
    strangers.check_share(read=0.5, refused=0.05)


MARKS = (
    "**",
    "*",
    "_",
    "`",
    "~~",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "1. ",
    "> ",
    "|",
    "```\n",
    "[",
    "](x)",
    "<b>",
    "&amp;",
    " [1]",
)


def test_markdown_is_read_or_refused_with_its_field(voices) -> None:
    strangers = Strangers(voices)
    markdown = st.lists(hostile.texts() | st.sampled_from(MARKS), max_size=12).map("".join)

    @hostile.fuzzing(200)
    @given(markdown, ENTRIES)
    def send(text: str, entries: tuple[Pronunciation, ...]) -> None:
        strangers.send(SpeechRequest(text, pronunciations=entries, text_format="markdown"))

    send()
    strangers.check_share(read=0.5, refused=0.02)
