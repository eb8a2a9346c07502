"""Whether playing streams get their next audio in time: `policy.py` checks before it runs others first.

Pure arithmetic on the cost models' estimates. Called with the scheduler's lock held.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.scheduling.lane import Slot

# Share of a step's playing time in which all other streams must get a step too.
ROUND_SHARE: Final = 0.8
# Safety factor on the estimates of batches: some take longer.
SAFETY: Final = 1.75


@dataclass(frozen=True, slots=True)
class Work:
    """Work of one kind for one request."""

    slot: Slot
    kind: str
    cost: float


@dataclass(frozen=True, slots=True)
class UpcomingAudio:
    """One request's engine work until its next audio.

    Attributes:
        work: the steps up to that audio.
        due: when its player runs dry, on the scheduler's clock; None for a request that does not play.
        plays_seconds: duration of the first audio of a stream that does not play yet; 0 for any other.
        slot: the engine that makes the audio.
    """

    work: tuple[Work, ...]
    slot: Slot
    due: float | None = None
    plays_seconds: float = 0.0


class Timeline:
    """The next audio of requests, in the order in which it is due.

    Args:
        now: on the scheduler's clock.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._rates: dict[tuple[Slot, str], tuple[float, float]] = {}
        self._rounds: dict[tuple[Slot, frozenset[tuple[Slot, int]]], float] = {}

    def round_seconds(self, slot: Slot, streams: Mapping[Slot, int]) -> float:
        """Returns the shortest audio of a step that lasts until all streams have had one; the longest if none does.

        Shorter ones, with the context that each is rendered with, would take longer to render than to play.

        Args:
            slot: the engine whose step lengths are considered.
            streams: number on each engine.
        """
        key = slot, frozenset(streams.items())
        if key not in self._rounds:
            self._rounds[key] = self._round_seconds(slot.tuning.audio_seconds, streams)
        return self._rounds[key]

    def _rates_of(self, slot: Slot, kind: str) -> tuple[float, float]:
        key = slot, kind
        if key not in self._rates:
            self._rates[key] = slot.cost.rates(kind, self._now)
        return self._rates[key]

    def _round_seconds(self, sizes: Sequence[float], streams: Mapping[Slot, int]) -> float:
        preparation_factor = sum(count * one.cost.preparation_factor(self._now) for one, count in streams.items())
        for plays_seconds in sizes:
            work = _Sum(self._rates_of)
            for one, count in streams.items():
                work.add(audio_work(one, plays_seconds), times=count)
            if work.seconds + preparation_factor * plays_seconds <= ROUND_SHARE * plays_seconds:
                return plays_seconds
        return sizes[-1] if sizes else 0.0

    def spare_seconds(self, playing: Iterable[UpcomingAudio]) -> float:
        """Returns how long the engine may do other work before one of these runs dry; negative if one will.

        Streams that are already dry do not count: it is too late for them, and they run first anyway.
        """
        spare_seconds, before = math.inf, _Sum(self._rates_of)
        in_order = sorted(((one.due, one) for one in playing if one.due is not None), key=lambda one: one[0])
        for due, one in in_order:
            before.add(one.work)
            if due >= self._now:
                spare_seconds = min(spare_seconds, due - self._now - SAFETY * before.seconds)
        return spare_seconds

    def room_for(self, others: Sequence[UpcomingAudio], playing: Sequence[UpcomingAudio]) -> int:
        """Returns how many of `others`, from the first, can run before all playing streams.

        A stream that thereby begins to play needs its second step in time too.
        """
        return bisect_left(range(len(others)), 1, key=lambda last: not self._fits(others[: last + 1], playing))

    def _fits(self, others: Sequence[UpcomingAudio], playing: Sequence[UpcomingAudio]) -> bool:
        first, then = _Sum(self._rates_of), list(playing)
        streams = Counter(one.slot for one in then)
        for other in others:
            first.add(other.work)
            if other.plays_seconds:
                due = self._now + SAFETY * first.seconds + other.plays_seconds
                streams[other.slot] += 1
                work = audio_work(other.slot, self.round_seconds(other.slot, streams))
                then.append(UpcomingAudio(work, other.slot, due))
        return self.spare_seconds(then) >= SAFETY * first.seconds


def audio_work(slot: Slot, audio_seconds: float) -> tuple[Work, ...]:
    """Returns the average work of a step of about this much audio."""
    return tuple(Work(slot, kind, cost) for kind, cost in slot.cost.audio_work(audio_seconds))


class _Sum:
    """The time of several pieces of work, where those that fit share a batch.

    Args:
        rates: returns the time of a batch of a kind, and of each unit of cost in it.
    """

    def __init__(self, rates: Callable[[Slot, str], tuple[float, float]]) -> None:
        self.seconds = 0.0
        self._rates = rates
        self._counts: dict[tuple[Slot, str], int] = {}

    def add(self, works: Iterable[Work], times: int = 1) -> None:
        """Adds the work of `times` requests."""
        for work in works:
            before = self._counts.get((work.slot, work.kind), 0)
            self._counts[work.slot, work.kind] = before + times
            max_batch = work.slot.max_batch(work.kind)
            batches = -(-(before + times) // max_batch) - -(-before // max_batch)
            fixed, slope = self._rates(work.slot, work.kind)
            self.seconds += fixed * batches + slope * times * work.cost
