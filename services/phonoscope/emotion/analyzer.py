"""The story of a call: its sentences go to the model in batches, on the model's one thread, and come back in order.

Called by `servicer.py` on the event loop. A batch is small, so that a call with one sentence, which somebody waits to
hear, waits for one batch of a large call at most.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from phonoscope.common.errors import NotReady, Overloaded
from phonoscope.emotion.events import BatchAnalyzed, Emit, QueueMoved, TextsAnalyzed
from phonoscope.emotion.models.base import EmotionModel
from phonoscope.emotion.types import NEUTRAL_ESTIMATE, Estimate, Sentence

MAX_BATCH: Final = 8
RETRY_SECONDS: Final = 0.5


class Analyzer:
    """Analyzes sentences with a loaded model.

    Args:
        model: blocking; called on one thread of this object.
        emit: receives the events of each call.
        max_calls: at once; more are refused.
    """

    def __init__(self, model: EmotionModel, emit: Emit, *, max_calls: int) -> None:
        self.model = model
        self._emit = emit
        self._max_calls = max_calls
        self._calls = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def analyze(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        """Returns the estimates of the sentences, in order; a cancelled call takes no further batch.

        Raises:
            Overloaded: QUEUE_FULL.
        """
        if self._calls >= self._max_calls:
            message = f"{self._max_calls} calls wait for the model; retry after the delay"
            raise Overloaded(message, reason="QUEUE_FULL", retry_after_seconds=RETRY_SECONDS)
        self._move(1)
        try:
            return await self._estimates(sentences)
        finally:
            self._move(-1)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _estimates(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        loop, entered = asyncio.get_running_loop(), time.monotonic()
        estimates = [NEUTRAL_ESTIMATE] * len(sentences)
        spoken = [at for at, one in enumerate(sentences) if any(map(str.isalpha, one.text))]
        wait_seconds, model_seconds = 0.0, 0.0
        for start in range(0, len(spoken), MAX_BATCH):
            batch = spoken[start : start + MAX_BATCH]
            began, seconds, found = await loop.run_in_executor(
                self._thread, self._timed, [sentences[at] for at in batch]
            )
            wait_seconds = began - entered if start == 0 else wait_seconds
            model_seconds += seconds
            self._emit(BatchAnalyzed(len(batch), seconds))
            for at, estimate in zip(batch, found, strict=True):
                estimates[at] = estimate
        results = [
            (sentence.language, estimate.strongest, estimate.confidence)
            for sentence, estimate in zip(sentences, estimates, strict=True)
        ]
        self._emit(TextsAnalyzed(results, wait_seconds, model_seconds))
        return estimates

    def _timed(self, batch: Sequence[Sentence]) -> tuple[float, float, list[Estimate]]:
        began = time.monotonic()
        found = self.model.estimate(batch)
        return began, time.monotonic() - began, found

    def _move(self, calls: int) -> None:
        self._calls += calls
        self._emit(QueueMoved(self._calls))


class Analysis:
    """Holds the analyzer once it exists, so that the service can report earlier that it is not ready."""

    def __init__(self) -> None:
        self._analyzer: Analyzer | None = None

    def begin(self, analyzer: Analyzer) -> None:
        """Uses that analyzer from now on."""
        self._analyzer = analyzer

    def analyzer(self) -> Analyzer:
        """Returns the analyzer.

        Raises:
            NotReady: the model is still being loaded.
        """
        if self._analyzer is None:
            message = "the service is still loading its model; retry after the delay"
            raise NotReady(message, reason="WARMING_UP", retry_after_seconds=RETRY_SECONDS)
        return self._analyzer
