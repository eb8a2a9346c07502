"""One engine's failures since it last spoke an utterance to its end, and whether they make the engine suspect.

`lane.py` has one for each engine, `lane_worker.py` keeps it on the lane's thread. A bad utterance fails alone, however
often its caller sends it again, so failures alone prove nothing: a suspect engine repeats an utterance that it has
spoken before, and only one that fails on that too is lost.
"""

from dataclasses import dataclass, field
from typing import Final

from phonoscope.server.types import Utterance

# Failures in a row that make an engine suspect. Before it has spoken anything they must be of different utterances.
MAX_FAILURES: Final = 5


@dataclass(slots=True)
class FailureStreak:
    """The failures of one engine in a row.

    Attributes:
        proven: the shortest utterance that it has spoken to its end; None before the first.
        count: number of failures.
        error: the latest one.
    """

    proven: Utterance | None = None
    count: int = 0
    error: Exception | None = None
    _different: set[tuple[str, int, tuple[int | str, ...]]] = field(default_factory=set)

    @property
    def is_suspect(self) -> bool:
        """Whether the engine may be broken: it has to prove itself, or is lost if it has never spoken."""
        return (self.count if self.proven else len(self._different)) >= MAX_FAILURES

    def add(self, utterance: Utterance, error: Exception) -> None:
        """Counts an utterance that failed."""
        self.count += 1
        self.error = error
        self._different.add((utterance.voice_id, utterance.speaker, tuple(utterance.symbols)))

    def end(self, utterance: Utterance) -> None:
        """Ends the streak: an utterance was spoken to its end."""
        if self.proven is None or len(utterance.symbols) < len(self.proven.symbols):
            self.proven = utterance
        self.count, self.error = 0, None
        self._different.clear()
