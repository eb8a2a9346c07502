"""Requested emotions become the model's vector: in its order, unchanged up to the sum that is advised."""

import pytest

from phonoscope.server.emotions import EMOTIONS
from phonoscope.server.engines.indextts.emotion import ORDER, emotion_vector


def test_the_order_is_that_of_the_model_and_has_every_emotion_of_the_contract() -> None:
    assert ORDER == ("happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm")
    assert set(ORDER) == set(EMOTIONS)


def test_weights_stay_as_they_are() -> None:
    assert emotion_vector({"calm": 0.3, "happy": 0.5}, 1.0) == (0.5, 0, 0, 0, 0, 0, 0, 0.3)


def test_the_intensity_is_left_to_the_model_and_makes_room() -> None:
    assert emotion_vector({"sad": 1.0}, 0.8) == (0, 0, 1.0, 0, 0, 0, 0, 0)


def test_a_sum_above_the_advised_one_is_scaled_down_in_proportion() -> None:
    assert emotion_vector({"sad": 0.75, "angry": 0.25}, 1.0) == pytest.approx((0, 0.2, 0.6, 0, 0, 0, 0, 0))
    assert emotion_vector({"sad": 1.0}, 0.9) == pytest.approx((0, 0, 0.8 / 0.9, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(("weights", "intensity"), [({}, 1.0), ({"neutral": 1.0}, 1.0), ({"sad": 1.0}, 0.0)])
def test_without_an_emotion_there_is_no_vector(weights: dict[str, float], intensity: float) -> None:
    assert emotion_vector(weights, intensity) is None
