"""Sentences for engines that read the text themselves: where they are cut, what is read, and how."""

from typing import Any

import pytest

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.text.lexicon import EMPTY, Lexicon
from phonoscope.server.text.normalise import normalise
from phonoscope.server.text.passage import Manner, Origin, Override, Passage
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.text.plain import MAX_CHARACTERS, plain_stretches
from phonoscope.server.text.split import split
from phonoscope.server.text.word_alignment import PLAIN, SentenceAlignment
from phonoscope.server.types import PhonemeScheme, Pronunciation

SLOW, HIGH = Prosody(rate=0.5), Prosody(pitch=1.5)
SCHEME = PhonemeScheme("plain", "en", {})


def stretches(passage: Passage) -> list[tuple[int, int, str, SentenceAlignment]]:
    normal = normalise(passage.text)
    return list(plain_stretches(passage, normal, split(normal.text, "en")))


def texts(passage: Passage) -> list[str]:
    return [text for _, _, text, _ in stretches(passage)]


def prosodies(passage: Passage) -> list[tuple[str, Prosody | None]]:
    """Each stretch's text, and the one prosody that it has."""
    found = []
    for _, _, text, alignment in stretches(passage):
        assert len(alignment.manners) <= 1
        assert all(first == 0 for first, _ in alignment.manners)
        found.append((text, alignment.manners[0][1] if alignment.manners else None))
    return found


def sentences(text: str | Passage, lexicon: Lexicon = EMPTY, **how: Any) -> list[Sentence]:
    return list(TextFrontEnd(Letters()).sentences(text, SCHEME, lexicon, **how))


def manner(text: str, part: str, prosody: Prosody) -> Manner:
    start = text.index(part)
    return Manner(start, start + len(part), prosody)


# --- where sentences are cut ------------------------------------------------------------------------------------


def test_a_text_is_read_sentence_by_sentence_as_it_is_written() -> None:
    assert texts(Passage("Dr. Smith paid $3.50. Then he left!")) == ["Dr. Smith paid $3.50.", "Then he left!"]


def test_a_sentence_that_nothing_changes_has_no_alignment() -> None:
    assert [alignment for *_, alignment in stretches(Passage("One. Two."))] == [PLAIN, PLAIN]


def test_what_cannot_be_spoken_is_left_out() -> None:
    assert texts(Passage("One.\n\n***\n\nTwo. 🙂")) == ["One.", "Two."]


def test_a_sentence_is_cut_where_its_prosody_changes() -> None:
    text = "We walk slowly home. And rest."
    passage = Passage(text, manners=(manner(text, "slowly", SLOW),))
    assert prosodies(passage) == [("We walk", None), ("slowly", SLOW), ("home.", None), ("And rest.", None)]


def test_neighbours_of_different_prosody_are_apart() -> None:
    passage = Passage("One two.", manners=(Manner(0, 4, SLOW), Manner(4, 8, HIGH)))
    assert prosodies(passage) == [("One", SLOW), ("two.", HIGH)]


def test_sentences_of_one_prosody_all_have_it() -> None:
    passage = Passage("One. Two. Three.", manners=(Manner(0, 9, SLOW),))
    assert prosodies(passage) == [("One.", SLOW), ("Two.", SLOW), ("Three.", None)]


def test_marks_that_a_cut_leaves_alone_are_not_read() -> None:
    passage = Passage("Wait! Yes.", manners=(Manner(4, 6, SLOW),))
    assert texts(passage) == ["Wait", "Yes."]


@pytest.mark.parametrize("words", [60, 200])
def test_a_sentence_that_is_too_long_is_cut_at_spaces(words: int) -> None:
    text = "word " * words + "end."
    assert len(text) > MAX_CHARACTERS
    parts = texts(Passage(text))
    assert " ".join(parts) == text
    assert max(map(len, parts)) <= MAX_CHARACTERS


def test_a_sentence_of_the_longest_length_stays_whole() -> None:
    text = "word " * (MAX_CHARACTERS // 5 - 1) + "tail."
    assert len(text) == MAX_CHARACTERS
    assert texts(Passage(text)) == [text]


def test_a_word_that_is_too_long_is_cut_anywhere() -> None:
    parts = texts(Passage("x" * (2 * MAX_CHARACTERS + 1)))
    assert [len(part) for part in parts] == [MAX_CHARACTERS, MAX_CHARACTERS, 1]


# --- what is read, and where it is written ----------------------------------------------------------------------


def test_a_text_is_normalised() -> None:
    assert texts(Passage("\ufeffE\u0301te\u0301\u00a0\u00adone.")) == ["Été one."]


def test_a_stretch_is_where_it_is_written_in_text_that_normalisation_changes() -> None:
    text = "\u00ad\u00adOne\u00ad. Two."
    assert [text[start:stop] for start, stop, *_ in stretches(Passage(text))] == ["One\u00ad.", "Two."]


def test_a_stretch_is_where_its_passage_comes_from() -> None:
    passage = Passage("One. Two.", (Origin(0, 9, 100, 109),))
    assert [(start, stop) for start, stop, *_ in stretches(passage)] == [(100, 104), (105, 109)]


def test_what_is_read_alone_is_read_in_place_of_what_is_written() -> None:
    passage = Passage("Gate a b.", overrides=(Override(5, 6, alone="ay"), Override(7, 8, alone="bee")))
    assert texts(passage) == ["Gate ay bee."]


def test_phonemes_that_such_an_engine_cannot_take_leave_the_text_as_it_is() -> None:
    passage = Passage("Fresh tomato soup.", overrides=(Override(6, 12, ipa="təˈmɑːtoʊ"),))
    assert texts(passage) == ["Fresh tomato soup."]


def test_offsets_leave_out_the_space_around_a_stretch() -> None:
    passage = Passage("Hello wide world.", manners=(Manner(6, 10, SLOW),))
    assert [(start, stop, text) for start, stop, text, _ in stretches(passage)] == [
        (0, 5, "Hello"),
        (6, 10, "wide"),
        (11, 17, "world."),
    ]


def test_an_override_within_a_prosody_has_that_prosody() -> None:
    passage = Passage("Gate a now.", manners=(Manner(0, 11, SLOW),), overrides=(Override(5, 6, alone="ay"),))
    assert prosodies(passage) == [("Gate ay now.", SLOW)]


# --- through the front end --------------------------------------------------------------------------------------


def test_the_symbols_of_a_sentence_are_its_text() -> None:
    assert [(one.symbols, one.text) for one in sentences("One. Two.")] == [("One.", "One."), ("Two.", "Two.")]


def test_a_respelling_is_read_and_its_place_is_the_word_as_it_is_written() -> None:
    lexicon = Lexicon.of([Pronunciation("tomato", respelling="tuh may toe")])
    (sentence,) = sentences("Fresh tomato soup.", lexicon)
    assert sentence.symbols == "Fresh tuh may toe soup."
    assert (sentence.start, sentence.stop) == (0, 18)


def test_no_phonemizer_is_asked() -> None:
    class Silent(Letters):
        def clauses(self, text: str, voice: str) -> list[Any]:
            raise AssertionError(text)

    front_end = TextFrontEnd(Silent())
    front_end.check(SCHEME)
    assert len(list(front_end.sentences("One. Two.", SCHEME, is_aligned=True))) == 2


def test_a_sentence_is_cut_only_once_it_is_asked_for() -> None:
    text = "One. Two. Three."
    reading = TextFrontEnd(Letters()).sentences(text, SCHEME)
    assert next(reading).text == "One."
    assert [one.text for one in reading] == ["Two.", "Three."]
