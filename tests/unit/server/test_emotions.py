"""Emotions as prosody: what they are mixed to, and that each is another."""

from dataclasses import astuple

import pytest

from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody, mixed


def test_no_weight_is_neutral_and_all_of_it_is_the_emotion() -> None:
    assert mixed({}) == NEUTRAL
    for name, stated in EMOTIONS.items():
        assert mixed({name: 0.0}) == NEUTRAL
        assert astuple(mixed({name: 1.0})) == pytest.approx(astuple(stated))


def test_opposites_meet_half_way() -> None:
    met = mixed({"angry": 0.5, "sad": 0.5})
    assert met.rate == pytest.approx((EMOTIONS["angry"].rate * EMOTIONS["sad"].rate) ** 0.5)
    assert met.gain_db == pytest.approx((EMOTIONS["angry"].gain_db + EMOTIONS["sad"].gain_db) / 2)


def test_each_of_the_eight_is_its_own_and_moderate() -> None:
    assert len(set(EMOTIONS.values())) == len(EMOTIONS) == 8
    for stated in EMOTIONS.values():
        assert stated != Prosody()
        assert 0.75 <= stated.rate <= 1.25
        assert 0.85 <= stated.pitch <= 1.3
        assert abs(stated.gain_db) <= 6
