"""⑤ Whether streams that play get their next windows in time: `policy.py` asks before it lets others go first.

Pure arithmetic on the cost model's estimates. Called with the scheduler's lock held, while the cost model is known.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.engines.base import Tuning
from phonoscope.server.scheduling.cost_model import CostModel

# Part of the time that a window plays in which all other streams must get one too.
ROUND_SHARE: Final = 0.8
# Turns are counted as so many times their estimate: some take longer.
SAFETY: Final = 1.75


@dataclass(frozen=True, slots=True)
class Step:
    """What one request needs of the engine to get its next audio.

    Attributes:
        frames: of its next window.
        phonemes: to prepare before that, of `utterances` utterances.
        due: when its player runs dry, on the scheduler's clock; None for a request that does not play.
        plays_seconds: of a stream that does not play yet: how long its first window plays; 0 for any other.
    """

    frames: int
    utterances: int = 0
    phonemes: int = 0
    due: float | None = None
    plays_seconds: float = 0.0


class Timeline:
    """Steps of streams, in the order in which they are due.

    Args:
        tuning: sizes of windows and batches.
        cost: what turns cost.
        now: on the scheduler's clock.
    """

    def __init__(self, tuning: Tuning, cost: CostModel, now: float) -> None:
        self._tuning = tuning
        self._cost = cost
        self._now = now

    def round_frames(self, streams: int) -> int:
        """Returns the shortest window that lasts until so many streams have had one each; the longest if none does.

        Shorter ones, with the context that each is rendered with, would take more time than they play.
        """
        sizes = self._tuning.sizes
        turns = math.ceil(streams / self._tuning.render_batch)
        for size in sizes:
            plays_seconds = size * self._cost.frame_seconds
            render_seconds = self._cost.render_seconds(streams * size, self._now, turns)
            prepare_seconds = streams * plays_seconds * self._cost.prepare_factor(self._now)
            if render_seconds + prepare_seconds <= ROUND_SHARE * plays_seconds:
                return size
        return sizes[-1]

    def spare_seconds(self, playing: Iterable[Step]) -> float:
        """Returns how long the engine may do something else before one of these runs dry; negative if one will.

        Those that are dry already do not count: nothing saves them, and they are first in line anyway.
        """
        spare_seconds, before = math.inf, _Work(self._tuning, self._cost, self._now)
        in_order = sorted(((step.due, step) for step in playing if step.due is not None), key=lambda one: one[0])
        for due, step in in_order:
            before.add(step)
            if due >= self._now:
                spare_seconds = min(spare_seconds, due - self._now - before.seconds)
        return spare_seconds

    def room_for(self, others: Sequence[Step], playing: Sequence[Step]) -> int:
        """Returns how many of some others, from the first, can have their turns before all that play.

        One that begins to play with its turn needs its second window in time too.
        """
        return bisect_left(range(len(others)), 1, key=lambda last: not self._fits(others[: last + 1], playing))

    def _fits(self, others: Sequence[Step], playing: Sequence[Step]) -> bool:
        first, steps = _Work(self._tuning, self._cost, self._now), list(playing)
        for other in others:
            first.add(other)
            if other.plays_seconds:
                due = self._now + first.seconds + other.plays_seconds
                frames = self.round_frames(len(steps) + 1)
                steps.append(Step(frames, due=due))
        return self.spare_seconds(steps) >= first.seconds


class _Work:
    """The time of several steps, where those that fit share a batch."""

    def __init__(self, tuning: Tuning, cost: CostModel, now: float) -> None:
        self._tuning = tuning
        self._cost = cost
        self._now = now
        self._utterances = self._phonemes = self._windows = self._frames = 0

    def add(self, step: Step) -> None:
        """Adds a step."""
        self._utterances += step.utterances
        self._phonemes += step.phonemes
        self._windows += 1
        self._frames += step.frames

    @property
    def seconds(self) -> float:
        """The engine's time for all of them."""
        prepares = math.ceil(self._utterances / self._tuning.prepare_batch)
        renders = math.ceil(self._windows / self._tuning.render_batch)
        prepare_seconds = self._cost.prepare_seconds(self._phonemes, self._now, prepares)
        return SAFETY * (prepare_seconds + self._cost.render_seconds(self._frames, self._now, renders))
