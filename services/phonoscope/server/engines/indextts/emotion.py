"""Emotions as the vector of IndexTTS: eight weights in its order; the rest up to 1 is the voice's own emotion."""

from collections.abc import Mapping
from typing import Final

ORDER: Final = ("happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm")
# Above this sum the voice's own emotion gets so little weight that speech becomes unstable, says the publisher.
MAX_SUM: Final = 0.8


def emotion_vector(weights: Mapping[str, float], intensity: float) -> tuple[float, ...] | None:
    """Returns the weights in the model's order; None where the voice's own emotion is all.

    Weights stay as they are, unless their sum times the intensity, which the model applies itself, exceeds MAX_SUM:
    all are then scaled down to that sum, so that their proportions stay.

    Args:
        weights: by name; "neutral" and unnamed weight are the voice's own emotion.
        intensity: 0 to 1.
    """
    vector = tuple(weights.get(name, 0.0) for name in ORDER)
    total = sum(vector) * intensity
    if total <= 0.0:
        return None
    scale = min(1.0, MAX_SUM / total)
    return tuple(weight * scale for weight in vector)
