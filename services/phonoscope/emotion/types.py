"""The data types of the emotion service: what passes between its layers. No torch, no protobuf."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# In the order of IndexTTS2's emotion vector, and of the contract's fields; neutral is last.
EMOTIONS: Final = ("happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm")
NEUTRAL: Final = "neutral"
CLASSES: Final = (*EMOTIONS, NEUTRAL)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text to analyze, with its language without region, such as "en"."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The emotion of one sentence.

    Attributes:
        weights: of each of CLASSES, 0 to 1; they add up to 1.
        confidence: how sure the model is of the largest weight, 0 to 1.
    """

    weights: tuple[float, ...]
    confidence: float

    @property
    def strongest(self) -> str:
        """The class with the largest weight."""
        return CLASSES[max(range(len(CLASSES)), key=self.weights.__getitem__)]


NEUTRAL_ESTIMATE: Final = Estimate((0.0,) * len(EMOTIONS) + (1.0,), 1.0)


def estimate_from_scores(scores: Sequence[float]) -> Estimate:
    """Returns the softmax of one score for each class."""
    largest = max(scores)
    powers = [math.exp(score - largest) for score in scores]
    weights = tuple(power / sum(powers) for power in powers)
    return Estimate(weights, max(weights))


def estimate_from_weights(weights: Mapping[str, float], confidence: float) -> Estimate:
    """Returns an estimate of named weights, scaled to add up to 1; neutral where all are 0."""
    values = [max(0.0, weights.get(name, 0.0)) for name in CLASSES]
    total = sum(values)
    return Estimate(tuple(value / total for value in values), confidence) if total else NEUTRAL_ESTIMATE
