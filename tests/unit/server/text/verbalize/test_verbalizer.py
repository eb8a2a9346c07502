"""Numbers become words where a person reads them otherwise, offsets stay right, and settled text stays as it is.

The corpus (tests/unit/server/text/corpus/*.numbers.tsv) shows what is read for each kind of number.
"""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText
from phonoscope.server.text.lexicon import Lexicon
from phonoscope.server.text.passage import Manner, Mark, Origin, Override, Passage
from phonoscope.server.text.phonemizer import Clause
from phonoscope.server.text.verbalize.language import language_of
from phonoscope.server.text.verbalize.verbalizer import found, verbalize
from phonoscope.server.types import PhonemeScheme, Pronunciation

CORPUS = Path(__file__).parents[1] / "corpus"
SOUNDS = " .,:;?!ˈˌːɑɐɒæbdðeəɚɛfɡhiɪᵻjklmnŋoɔpɹɾsʃtθuʊvwzʌaɜʒ"
IDS = {symbol: (index,) for index, symbol in enumerate("_^$ .,:;?!")}
SCHEME = PhonemeScheme("espeak", "en-us", IDS)
VOICED = PhonemeScheme("espeak", "en-us", {symbol: (index,) for index, symbol in enumerate(("_", "^", "$", *SOUNDS))})
UNHEARD = str.maketrans("", "", "ˈˌ .,:;?!")
VOICES = ("en-us", "en-gb-x-rp", "de", "fr", "es", "it", "pl", "ru", "cmn", "ar", "hi", "sv")
PIECES = (
    "$", "€", "£", "¥", "#", "%", "°C", "kg", "km/h", "m²", "pm", "p.m.", "am", ":", "/", "-", "–", "−", ".", ",", "'",
    '"', "(", ")", " ", "\u00a0", "\n", "1", "12", "05", "00", "1999", "2026", "1,234.56", "3.5", "million", "Nov.",
    "March", "May", "Uhr", "h", "€ ", "Mio.", "e-5", "v1.2", "192.168.0.1", "No. ", "IV", "Henry VIII", "I", "th", "s",
    "+1", "(555)", "x", "^", "~", "½", "٣", "７", "Oktober", "n° ", "USD", "e", "ème", "№",
)  # fmt: skip


class Recorder(Espeak):
    """espeak-ng that remembers the phonemes that it returned."""

    def __init__(self) -> None:
        super().__init__()
        self.phonemes = ""

    def clauses(self, text: str, voice: str) -> list[Clause]:
        clauses = super().clauses(text, voice)
        self.phonemes += "".join(clause.phonemes for clause in clauses)
        return clauses


def spoken(text: str, voice: str = "en-us") -> str:
    return verbalize(Passage(text), voice).text


def heard(*texts: str) -> str:
    recorder = Recorder()
    front_end = TextFrontEnd(recorder)
    for text in texts:
        list(front_end.sentences(text, SCHEME))
    return recorder.phonemes.translate(UNHEARD)


def corpus(voice: str) -> list[str]:
    lines = (CORPUS / f"{voice}.numbers.tsv").read_text("utf-8").splitlines()
    return [line.split("\t")[1] for line in lines if not line.startswith("#")]


def in_pieces(text: str, length: int) -> list[str]:
    incremental = IncrementalText("en")
    pieces = (text[at : at + length] for at in range(0, len(text), length))
    stretches = [stretch for piece in pieces for stretch in incremental.add(piece)]
    return [stretch.text for stretch in stretches + incremental.flush()]


def test_text_without_numbers_is_returned_itself() -> None:
    passage = Passage("Boats lay on their sides, and I saw the moon: was it full?")
    assert verbalize(passage, "en-us") is passage


def test_a_language_that_cldr_does_not_know_changes_nothing() -> None:
    assert spoken("$5 at 8:00", "") == "$5 at 8:00"
    assert spoken("$5 at 8:00", "xx-yy") == "$5 at 8:00"


def test_a_sentence_has_the_offsets_of_the_original_text() -> None:
    text = "It cost $49.95. At 8:00 he left. Bye."
    spans = [text[one.start : one.stop] for one in TextFrontEnd(Espeak()).sentences(text, VOICED)]
    assert spans == ["It cost $49.95.", "At 8:00 he left.", "Bye."]


def test_the_words_of_a_number_are_timed_as_one() -> None:
    text = "It cost $49.95 today."
    (sentence,) = TextFrontEnd(Espeak()).sentences(text, VOICED, is_aligned=True)
    assert [text[word.start : word.stop] for word in sentence.alignment.words] == ["It", "cost", "$49.95", "today"]


def test_a_space_after_a_sign_belongs_to_no_word() -> None:
    (sentence,) = TextFrontEnd(Espeak()).sentences("Take № 5 now.", VOICED, is_aligned=True)
    words = ["Take № 5 now."[word.start : word.stop] for word in sentence.alignment.words]
    assert words == ["Take", "№", "5", "now"]


def test_what_a_lexicon_has_set_stays() -> None:
    lexicon = Lexicon.of([Pronunciation("10-20", respelling="1-2")])
    assert verbalize(lexicon.rewrite(Passage("the 10-20 club, 3-5")), "en-us").text == "the 1-2 club, 3 to 5"


@pytest.mark.parametrize(
    "passage",
    [
        Passage("$5", overrides=(Override(1, 2, alone="5"),)),
        Passage("$5", origins=(Origin(0, 1, 0, 1), Origin(1, 2, 9, 10, is_settled=True))),
        Passage("$5", manners=(Manner(1, 2, Prosody(rate=0.5)),)),
    ],
)
def test_a_part_that_is_settled_or_differs_in_prosody_stays(passage: Passage) -> None:
    assert verbalize(passage, "en-us") is passage


def test_prosody_and_marks_around_a_number_move_with_it() -> None:
    passage = Passage("a $5 b", manners=(Manner(2, 4, Prosody(rate=0.5)),), marks=(Mark(5, "x"),))
    new = verbalize(passage, "en-us")
    (manner,) = new.manners
    assert (new.text, new.text[manner.start : manner.stop], new.marks[0].at) == ("a 5 dollars b", "5 dollars", 12)


def test_a_server_of_plain_spelling_leaves_numbers_to_espeak() -> None:
    (sentence,) = TextFrontEnd(Espeak(), verbalizes=False).sentences("$5", VOICED)
    assert sentence.text == "$5"


@pytest.mark.parametrize("length", [1, 3, 7])
@pytest.mark.parametrize("line", corpus("en-us"))
def test_pieces_are_read_like_the_whole(line: str, length: int) -> None:
    text = f"One day we read this, {line} and no more. Bye."
    assert heard(*in_pieces(text, length)) == heard(text)


@pytest.mark.parametrize(
    "text",
    [
        "On that long and very cold morning of May 3rd, 2026, it snowed.",
        "It was a long and very cold morning at 5 p.m. today, she said.",
        "On that long and very cold morning we saw No. 5 and no other.",
        "On that long and very cold morning they gave us 3 – 5 apples.",
        "It cost us all of the money that we had, $3.50, at the time.",
    ],
)
def test_a_number_is_never_cut_between_stretches(text: str) -> None:
    assert heard(*in_pieces(text, 1)) == heard(text)


def test_a_long_text_of_numbers_is_read_to_its_end() -> None:
    assert spoken("$5 " * 2_000) == "5 dollars " * 2_000


@settings(max_examples=1_500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=14).map("".join), st.sampled_from(VOICES))
def test_any_text_gives_ordered_replacements_inside_it(text: str, voice: str) -> None:
    language = language_of(voice)
    assert language is not None
    replacements = list(found(text, language))
    assert all(0 <= one.start < one.stop <= len(text) and one.text.strip() for one in replacements)
    assert all(before.stop <= after.start for before, after in itertools.pairwise(replacements))
    new = verbalize(Passage(text), voice)
    assert bool(new.text.strip()) == bool(text.strip())
    assert new.source(0, len(new.text)) == (0, len(text))
    edges = [new.source(at, at + 1) for at in range(len(new.text))]
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(edges))


@settings(max_examples=300, deadline=None)
@given(st.text("abcdefgh ÄéßЯ中.,;:!?'\"-–()\n", max_size=80))
def test_text_without_digits_and_signs_stays(text: str) -> None:
    assert spoken(text) == text


@pytest.mark.parametrize("character", ["#", "$", "€", "1"])
def test_a_run_of_signs_is_searched_in_linear_time(character: str) -> None:
    """With the square, this test would take minutes."""
    assert verbalize(Passage(character * 30_000), "en-us").text
