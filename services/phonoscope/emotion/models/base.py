"""The interface of an emotion model."""

from collections.abc import Sequence
from typing import Protocol

from phonoscope.emotion.types import Estimate, Sentence


class EmotionModel(Protocol):
    """Estimates emotions. Blocking; called from one thread, with at most MAX_BATCH sentences."""

    name: str
    """As responses and metrics name it."""

    languages: Sequence[str]
    """That it knows, without regions."""

    def estimate(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        """Returns the estimate of each sentence, which does not depend on the other sentences."""
