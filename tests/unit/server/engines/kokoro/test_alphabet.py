"""The IPA of espeak-ng in Kokoro's numbers: one letter for a diphthong, and nothing lost silently."""

import pytest

from phonoscope.server.engines.kokoro.alphabet import AMERICAN, BRITISH, JAPANESE, OTHERS, VOCABULARY, scheme_of
from phonoscope.server.text.phoneme_ids import spell, split_phonemes

LETTER = {number: symbol for symbol, number in VOCABULARY.items()}


def written(ipa, spelling):
    """Returns IPA as Kokoro's letters, and the number of unknown phonemes."""
    scheme = scheme_of("xx", spelling, VOCABULARY)
    spelled = spell(split_phonemes(ipa, scheme.clusters), scheme)
    assert spelled.ids[0] == spelled.ids[-1] == 0
    return "".join(LETTER[number] for number in spelled.ids[1:-1]), spelled.unknown


def test_the_vocabulary_is_the_published_one():
    assert len(VOCABULARY) == 114
    assert [VOCABULARY[symbol] for symbol in ";$"[:1] + " Aaˈᵻ"] == [1, 16, 24, 43, 156, 177]


@pytest.mark.parametrize(
    ("ipa", "letters"),
    [
        ("ðə lˈeɪzi dˈɔːɡ.", "ðə lˈAzi dˈɔɡ."),
        ("tʃˈɔɪs dʒˈaɪənt", "ʧˈYs ʤˈIənt"),
        ("fˈɑːðɚ", "fˈɑðəɹ"),
        ("bˈɜːd, bˈɜːɹ", "bˈɜɹd, bˈɜɹ"),
        ("bˈʌʔn̩", "bˈʌtn"),
        ("bˈɑɾl̩, vaɪəlˈɪn", "bˈɑTᵊl, vIəlˈɪn"),
        ("sˈʌdn̩", "sˈʌdᵊn"),
        ("ɐ nˈʌt\u2060ʃɛl （ɪt）", "ɐ nˈʌtʃɛl (ɪt)"),
    ],
)
def test_american_english_is_written_as_misaki_does(ipa, letters):
    assert written(ipa, AMERICAN) == (letters, 0)


@pytest.mark.parametrize(
    ("ipa", "letters"), [("ɡˈəʊ ðˈeə", "ɡˈQ ðˈɛː"), ("nˈɪə fˈɑːðə", "nˈɪə fˈɑːðə"), ("hˈɜː", "hˈɜː")]
)
def test_british_english_keeps_its_lengths(ipa, letters):
    assert written(ipa, BRITISH) == (letters, 0)


@pytest.mark.parametrize(
    ("ipa", "letters"), [("spjˈadʒːa", "spjˈaʤːa"), ("mˈutʃas", "mˈuʧas"), ("iʲ bõ", "i bõ"), ("pˈitsːa", "pˈiʦːa")]
)
def test_other_languages_share_one_spelling(ipa, letters):
    assert written(ipa, OTHERS) == (letters.replace("õ", "o\u0303"), 0)


@pytest.mark.parametrize(
    ("ipa", "letters"),
    [
        ("tɕi dʑi tsɨ dza", "ʨi ʥi ʦɨ ʣa"),
        ("ɰa kʷa ço", "βa kᵝa ço"),
        ("kʲitːe hakʲːiɾʲi", "kʲiʔte haʔkʲiɾʲi"),
        ("matːɕa iɕːo itːsɨ", "maʔʨa iʔɕo iʔʦɨ"),
        ("çaçːa toː", "çaʔça toː"),
    ],
)
def test_japanese_is_written_as_misaki_does(ipa, letters):
    assert written(ipa, JAPANESE) == (letters, 0)


def test_english_keeps_its_letters_in_japanese():
    assert written("kˈoʊd tʃˈɛk wˈɛl", JAPANESE) == ("kˈOd ʧˈɛk wˈɛl", 0)


def test_what_kokoro_has_no_number_for_is_counted():
    assert written("ˈaʢa", OTHERS) == ("ˈaa", 1)


def test_a_vocabulary_without_a_letter_is_refused():
    with pytest.raises(KeyError, match="ʧ"):
        scheme_of("es", OTHERS, {symbol: number for symbol, number in VOCABULARY.items() if symbol != "ʧ"})
