"""Our English phonemes against those that misaki, which Kokoro was trained with, has with a tagger of spaCy.

misaki_english.tsv has a sentence and its phonemes in American and British English a line, as misaki 0.9.4 writes them
with spaCy 3.8.18 and its small English model 3.8.0. misaki itself is not run: it downloads that model.
"""

from pathlib import Path

import pytest

from phonoscope.server.build import build_front_end
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.languages import LANGUAGES
from phonoscope.server.settings import ServerSettings
from phonoscope.server.text.english import dictionary
from phonoscope.server.text.front_end import TextFrontEnd

pytestmark = pytest.mark.skipif(
    not dictionary.is_installed(), reason="misaki is missing: pip install 'phonoscope[kokoro]'"
)

LETTER = {number: symbol for symbol, number in VOCABULARY.items()}
LINES = [line.split("\t") for line in Path(__file__).with_name("misaki_english.tsv").read_text().splitlines()]


@pytest.fixture(scope="module")
def front_end() -> TextFrontEnd:
    return build_front_end(ServerSettings())


@pytest.mark.parametrize(("letter", "column"), [("a", 1), ("b", 2)])
@pytest.mark.parametrize("line", LINES, ids=[line[0][:30] for line in LINES])
def test_a_sentence_is_read_as_misaki_reads_it(
    letter: str, column: int, line: list[str], front_end: TextFrontEnd
) -> None:
    reading = front_end.sentences(line[0], LANGUAGES[letter].scheme(VOCABULARY))
    ours = " ".join("".join(LETTER[int(number)] for number in one.symbols if number) for one in reading)
    assert reading.unknown_phonemes == 0
    assert ours == line[column]
