"""The interface to emotion analysis, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from phonoscope.server.events import EmotionFallback


@dataclass(frozen=True, slots=True)
class SentenceEmotion:
    """The emotion of one sentence.

    Attributes:
        weights: by emotion, at most 1 in total; the rest is neutral.
        fallback: "" for an answer of the service; else why there is none, and the sentence is neutral.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    fallback: EmotionFallback | None = None


class EmotionAnalysis(Protocol):
    """Finds the emotion of sentences; never raises for a service that is away, slow or wrong."""

    async def analyze(self, request: int, text: str, language: str, timeout_seconds: float) -> SentenceEmotion:
        """Returns the emotion of a sentence, after `timeout_seconds` at the latest.

        Args:
            request: number of the request, for events.
            text: of the sentence.
            language: BCP 47 tag.
            timeout_seconds: for the answer.
        """
