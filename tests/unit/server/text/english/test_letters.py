"""Letters of the dictionaries become IPA, and words get and lose stress."""

import pytest

from phonoscope.server.text.english.letters import begins_with_vowel, emphasised, ipa_of, weakened, with_stress
from phonoscope.server.text.phoneme_ids import SYLLABLE_END


@pytest.mark.parametrize(
    ("letters", "ipa"),
    [("dˈA", "dˈeɪ"), ("ʤˈYnt", "dʒˈɔɪnt"), ("bˈɑɾᵊl", "bˈɑɾl\u0329"), ("ɡˈQ", "ɡˈəʊ"), ("sˈɪksθ", "sˈɪksθ")],
)
def test_a_letter_for_two_sounds_becomes_both(letters: str, ipa: str) -> None:
    assert ipa_of(letters) == ipa


@pytest.mark.parametrize(
    ("letters", "ipa"),
    [("nˈʌtʃˌɛl", f"nˈʌt{SYLLABLE_END}ʃˌɛl"), ("dɹˈɔɪŋ", f"dɹˈɔ{SYLLABLE_END}ɪŋ"), ("nˈʌʧ", "nˈʌtʃ")],
)
def test_two_sounds_beside_each_other_do_not_become_one(letters: str, ipa: str) -> None:
    assert ipa_of(letters) == ipa


@pytest.mark.parametrize(
    ("phonemes", "is_vowel"), [("ˈæpᵊl", True), ("dˈɔɡ", False), ("“həlˈO", False), ("—", None), ("ɐ dˈɔɡ", False)]
)
def test_the_first_sound_is_a_vowel_or_not(phonemes: str, is_vowel: bool | None) -> None:
    assert begins_with_vowel(phonemes) is is_vowel


def test_stress_goes_before_the_first_vowel_of_a_word_that_has_none() -> None:
    assert with_stress("ðə", "ˌ") == "ðˌə"
    assert with_stress("dˈɔɡ", "ˌ") == "dˈɔɡ"


def test_weaker_and_stronger_stress() -> None:
    assert weakened("kˈɑmpˌækt") == "kˌɑmpækt"
    assert emphasised("ˌʌs") == "ˈʌs"
    assert emphasised("ænd") == "ˈænd"
    assert emphasised("kˈɑmpˌækt") == "kˈɑmpˌækt"
