"""What the world sends is read as a person reads it: every line of corpus/*.tsv.

A line has a kind, an input, and the same in plain words, separated by tabs; `\\n` stands for a line end. A line that
starts with `#` is a comment. The input and the words must have the same phonemes, but for stress, spaces and pauses.
The name of a file begins with the language, as espeak-ng names it: `en-us.characters.tsv`. In a file of the topic
`markdown` the input is Markdown, whole and in pieces of one character; the same in plain words is plain text.
"""

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.japanese import reading as japanese
from phonoscope.server.text.japanese.phonemizer import VOICE as JAPANESE
from phonoscope.server.text.mandarin import reading as mandarin
from phonoscope.server.text.mandarin.phonemizer import VOICE as MANDARIN
from phonoscope.server.text.markdown.document import read_markdown
from phonoscope.server.text.markdown.incremental import IncrementalMarkdown
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.phonemizers import build_phonemizers
from phonoscope.server.types import PhonemeScheme

CORPUS: Final = Path(__file__).parent / "corpus"
_IDS: Final = {symbol: (index,) for index, symbol in enumerate("_^$ .,:;?!")}
_NEEDS: Final = {
    JAPANESE: pytest.mark.skipif(not japanese.are_installed(), reason="pyopenjtalk-plus is missing, see [kokoro]"),
    MANDARIN: pytest.mark.skipif(not mandarin.are_installed(), reason="jieba or pypinyin is missing, see [kokoro]"),
}
_UNHEARD: Final = str.maketrans("", "", "ˈˌ .,:;?!")


class Recorder:
    """The phonemizers of all voices; remembers the phonemes that they returned."""

    def __init__(self) -> None:
        self._phonemizers = build_phonemizers()
        self.phonemes = ""

    def check_voice(self, voice: str) -> None:
        self._phonemizers.check_voice(voice)

    def clauses(self, text: str, voice: str) -> list[Clause]:
        clauses = self._phonemizers.clauses(text, voice)
        self.phonemes += "".join(clause.phonemes for clause in clauses)
        return clauses


def lines() -> list[object]:
    return list(_parameters())


def _parameters() -> Iterator[object]:
    for path in sorted(CORPUS.glob("*.tsv")):
        voice, topic, _ = path.name.split(".")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line and not line.startswith("#"):
                kind, written, spoken = line.replace("\\n", "\n").split("\t")
                name = f"{path.stem}:{number}:{kind}"
                yield pytest.param(voice, topic, written, spoken, id=name, marks=_NEEDS.get(voice, ()))


@functools.cache
def _recording_front_end() -> tuple[Recorder, TextFrontEnd]:
    recorder = Recorder()
    return recorder, TextFrontEnd(recorder)


def heard(text: str, voice: str) -> str:
    """Returns the phonemes of a text, without stress, spaces and pauses."""
    return heard_of([Passage(text)], voice)


def heard_of(passages: Iterable[Passage], voice: str) -> str:
    recorder, front_end = _recording_front_end()
    scheme, read = PhonemeScheme("espeak", voice, _IDS, reads_numbers=voice in _NEEDS), list(passages)
    for passage in read:  # the first time, espeak-ng is asked what it makes of each character
        list(front_end.sentences(passage, scheme))
    recorder.phonemes = ""
    for passage in read:
        list(front_end.sentences(passage, scheme))
    return recorder.phonemes.translate(_UNHEARD)


def pieces_of(written: str, voice: str) -> list[Passage]:
    """Returns what is read of Markdown that arrives by the character."""
    text = IncrementalMarkdown(voice.partition("-")[0])
    stretches = [stretch for character in written for stretch in text.add(character)]
    return [stretch.passage for stretch in [*stretches, *text.flush()]]


@pytest.mark.parametrize(("voice", "topic", "written", "spoken"), lines())
def test_it_is_read_as_a_person_reads_it(voice: str, topic: str, written: str, spoken: str) -> None:
    if topic != "markdown":
        assert heard(written, voice) == heard(spoken, voice)
        return
    assert heard_of(read_markdown(written).passages, voice) == heard(spoken, voice)
    assert heard_of(pieces_of(written, voice), voice) == heard(spoken, voice)


def test_other_words_have_other_phonemes() -> None:
    assert heard("It is cold.", "en-us") != heard("It was cold.", "en-us")
