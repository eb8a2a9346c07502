"""Estimates: weights that add up to 1."""

from phonoscope.emotion.types import CLASSES, NEUTRAL_ESTIMATE, estimate_from_scores, estimate_from_weights


def test_scores_become_weights_that_add_up_to_one() -> None:
    estimate = estimate_from_scores([1000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1000.0])
    assert sum(estimate.weights) == 1.0
    assert estimate.weights[0] == estimate.weights[-1] == estimate.confidence == 0.5


def test_named_weights_are_scaled_and_negative_ones_count_as_none() -> None:
    estimate = estimate_from_weights({"sad": 3.0, "calm": 1.0, "happy": -2.0}, 0.9)
    assert dict(zip(CLASSES, estimate.weights, strict=True)) == dict.fromkeys(CLASSES, 0.0) | {
        "sad": 0.75,
        "calm": 0.25,
    }
    assert (estimate.strongest, estimate.confidence) == ("sad", 0.9)


def test_without_any_weight_a_text_is_neutral() -> None:
    assert estimate_from_weights({}, 0.3) == NEUTRAL_ESTIMATE
