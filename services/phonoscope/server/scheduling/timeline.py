"""Whether playing streams get their next audio in time: `policy.py` checks before it runs others first.

Pure arithmetic on the cost models' estimates. Called with the scheduler's lock held.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from phonoscope.server.scheduling.lane import Slot

# Share of a step's playing time in which all other streams must get a step too.
ROUND_SHARE: Final = 0.8
# Safety factor on the estimates of batches: some take longer.
SAFETY: Final = 1.75


class Work(NamedTuple):
    """Work of one kind for one request; a plain tuple, since every batch is chosen with one or two for each stream."""

    slot: Slot
    kind: str
    cost: float


class UpcomingAudio(NamedTuple):
    """One request's engine work until its next audio.

    Attributes:
        work: the steps up to that audio.
        slot: the engine that makes the audio.
        due: when its player runs dry, on the scheduler's clock; None for a request that does not play.
        plays_seconds: duration of the first audio of a stream that does not play yet; 0 for any other.
    """

    work: Sequence[Work]
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
        self._rates = _Rates(now)
        self._works: dict[tuple[Slot, float], Sequence[Work]] = {}
        self._preparation_factors: dict[Slot, float] = {}
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

    def batch_seconds(self, slot: Slot, kind: str, cost: float) -> float:
        """Returns the time of a batch of one kind; 0 while unknown."""
        fixed, slope, _ = self._rates[slot, kind]
        return fixed + slope * cost

    def audio_work(self, slot: Slot, audio_seconds: float) -> Sequence[Work]:
        """Returns the average work of a step of about this much audio."""
        key = slot, audio_seconds
        if (works := self._works.get(key)) is None:
            costs = slot.cost.audio_work(audio_seconds)
            works = self._works[key] = [Work(slot, kind, cost) for kind, cost in costs]
        return works

    def _preparation_factor(self, slot: Slot) -> float:
        if (factor := self._preparation_factors.get(slot)) is None:
            factor = self._preparation_factors[slot] = slot.cost.preparation_factor(self._now)
        return factor

    def _round_seconds(self, sizes: Sequence[float], streams: Mapping[Slot, int]) -> float:
        preparation_factor = sum(count * self._preparation_factor(one) for one, count in streams.items())
        for plays_seconds in sizes:
            work = _Sum(self._rates)
            for one, count in streams.items():
                work.add(self.audio_work(one, plays_seconds), times=count)
            if work.seconds + preparation_factor * plays_seconds <= ROUND_SHARE * plays_seconds:
                return plays_seconds
        return sizes[-1] if sizes else 0.0

    def spare_seconds(self, playing: Iterable[UpcomingAudio]) -> float:
        """Returns how long the engine may do other work before one of these runs dry; negative if one will.

        Streams that are already dry do not count: it is too late for them, and they run first anyway.
        """
        spare_seconds, before, now = math.inf, _Sum(self._rates), self._now
        for due, work in sorted([(one.due, one.work) for one in playing if one.due is not None], key=itemgetter(0)):
            before.add(work)
            if due >= now and (seconds := due - now - SAFETY * before.seconds) < spare_seconds:
                spare_seconds = seconds
        return spare_seconds

    def room_for(self, others: Sequence[UpcomingAudio], playing: Sequence[UpcomingAudio]) -> int:
        """Returns how many of `others`, from the first, can run before all playing streams.

        A stream that thereby begins to play needs its second step in time too.
        """
        return bisect_left(range(len(others)), 1, key=lambda last: not self._fits(others[: last + 1], playing))

    def _fits(self, others: Sequence[UpcomingAudio], playing: Sequence[UpcomingAudio]) -> bool:
        first, then = _Sum(self._rates), list(playing)
        streams = Counter(one.slot for one in then)
        for other in others:
            first.add(other.work)
            if other.plays_seconds:
                due = self._now + SAFETY * first.seconds + other.plays_seconds
                streams[other.slot] += 1
                work = self.audio_work(other.slot, self.round_seconds(other.slot, streams))
                then.append(UpcomingAudio(work, other.slot, due))
        return self.spare_seconds(then) >= SAFETY * first.seconds


class _Rates(dict[tuple[Slot, str], tuple[float, float, int]]):
    """The time of a batch of each kind, that of each unit of cost in it, and the steps that it holds at most.

    Args:
        now: on the clock of the cost models.
    """

    def __init__(self, now: float) -> None:
        super().__init__()
        self._now = now

    def __missing__(self, key: tuple[Slot, str]) -> tuple[float, float, int]:
        slot, kind = key
        self[key] = *slot.cost.rates(kind, self._now), slot.max_batch(kind)
        return self[key]


class _Sum:
    """The time of several pieces of work, where those that fit share a batch.

    Args:
        rates: of each kind.
    """

    def __init__(self, rates: _Rates) -> None:
        self.seconds = 0.0
        self._rates = rates
        self._counts: dict[tuple[Slot, str], int] = {}

    def add(self, works: Iterable[Work], times: int = 1) -> None:
        """Adds the work of `times` requests."""
        for slot, kind, cost in works:
            key = slot, kind
            fixed, slope, max_batch = self._rates[key]
            before = self._counts.get(key, 0)
            self._counts[key] = after = before + times
            batches = -(-after // max_batch) - -(-before // max_batch)
            self.seconds += fixed * batches + slope * times * cost
