"""English text becomes phonemes: words of the dictionaries, and espeak-ng for all others."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.text.english.phonemizer import English
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.phonemizer import Clause

VOICE = "en-us-misaki"


@pytest.fixture(scope="module")
def english() -> English:
    return English(Espeak())


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonoscope.server.text.english.dictionary.is_installed", lambda: False)


def phonemes(clauses: list[Clause]) -> list[str]:
    return [f"{clause.phonemes}{clause.terminator}" for clause in clauses]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("The apple and the dog.", ["ði ˈæpl\u0329 ænd ðə dˈɔɡ."]),
        ("Dogs, dogs' planks; it.", ["dˈɔɡz,", "dˈɔɡz plˈæŋks;", "ɪt."]),
        ("I use a kit to use it.", ["ˌaɪ jˈuz ɐ kˈɪt tə jˈuz ɪt."]),
    ],
)
def test_words_are_those_of_the_dictionary(english: English, installed: None, text: str, heard: list[str]) -> None:
    assert phonemes(english.clauses(text, VOICE)) == heard


def test_a_word_that_it_lacks_is_as_espeak_ng_says_it_there(english: English, installed: None) -> None:
    assert phonemes(english.clauses("The canoe and the rebel", VOICE)) == ["ðə kənˈuː ænd ðə ɹˈɛbl\u0329"]


def test_marks_are_phonemes_and_closing_quotes_belong_to_their_clause(english: English, installed: None) -> None:
    first, second = english.clauses('"No dog," and (it) — “no”… dog', VOICE)[:2]
    assert (first.phonemes, first.terminator) == ("“nˈoʊ dˈɔɡ”", ",")
    assert first.stop == len('"No dog," ')
    assert (second.phonemes, second.terminator) == ("ænd （ɪt） —", "")


def test_without_the_package_espeak_ng_reads_everything(english: English, without: None) -> None:
    assert phonemes(english.clauses("The bottle about violins.", VOICE)) == ["ðə bˈɑːɾl\u0329 əbˌaʊt vaɪəlˈɪnz."]


def test_british_english_has_its_own_sounds(english: English, without: None) -> None:
    assert phonemes(english.clauses("There near a bath.", "en-gb-misaki")) == ["ðɛː nˌɪəɹ ə bˈaθ."]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("the dogIUS.,;!?—–-…\"“”'’()[]&%5 \nzé#é"), max_size=40))
def test_clauses_cover_all_of_the_text(english: English, installed: None, text: str) -> None:
    stops = [clause.stop for clause in english.clauses(text, VOICE)]
    assert stops == sorted(stops)
    assert (stops[-1] if stops else 0) == len(text)


def test_other_voices_are_refused(english: English) -> None:
    with pytest.raises(VoiceFileError, match=r'no English voice "en-au".*en-us-misaki or en-gb-misaki'):
        english.check_voice("en-au")
    english.check_voice(VOICE)
