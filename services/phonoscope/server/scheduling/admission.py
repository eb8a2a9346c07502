"""Admission: bounds on the requests held, on the audio owed to them, and on what the engine can render in time.

Called by `scheduler.py`. Requests that would fail are refused before any work: their callers can go elsewhere at once,
and admitted requests keep their audio in time.

The engine has room for a request if, at any time from now on, the work that is due by then fits into that time: the
processor demand test of earliest deadline first (Baruah, Rosier and Howell 1990). A stream's audio is due as it is
played, from the time at which its player needs the next; a stream that has not begun also needs a first window, before
its caller's patience ends. A unary reply with a deadline may come at any time before it, so it is refused only if that
is out of reach, or if streams would run dry; one without a deadline must come before its caller's patience ends. An
estimate can be wrong, and only work corrects it, so an idle engine admits any request, and deadlines are compared with
estimates without caution.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from phonoscope.common.errors import DeadlineUnreachable, Overloaded
from phonoscope.server.scheduling.cost_model import Estimates

# How long a full server asks callers to wait before they retry.
RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 30.0
# Share of the engine's time that may be promised: the rest is for batches that take longer than estimated.
PROMISED_SHARE: Final = 0.6
# Playing streams are promised a lead of this many times the time to first audio, so that others can start.
RESERVE_OF_FIRST_AUDIO: Final = 40.0
# A deadline is unreachable if the estimate exceeds it by this factor. Estimates from characters are rough, and callers
# lose more by a wrong refusal than by a wait in vain.
DEADLINE_FACTOR: Final = 1.5


@dataclass(frozen=True, slots=True)
class Demand:
    """One request's demand on the engine.

    Attributes:
        audio_seconds: still to be rendered.
        due_seconds: from now until its next audio, or its unary reply, is needed; negative if it is late.
        deadline_seconds: from now until its caller's deadline; None for no deadline.
        is_starting: it is a stream whose first window is not rendered yet.
        is_unary: all of its audio is needed at once.
        waits_for_caller: the engine has no work for it until its caller writes or reads.
        estimates: of the speed of its engine; None while unknown.
    """

    audio_seconds: float
    due_seconds: float
    deadline_seconds: float | None = None
    is_starting: bool = False
    is_unary: bool = False
    waits_for_caller: bool = False
    estimates: Estimates | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The bounds of one server.

    Attributes:
        max_requests: held at once.
        max_audio_seconds: owed at once to all requests together.
        max_first_audio_seconds: how long a stream may wait for its first audio; where an idle engine needs longer,
            twice as long as that.
    """

    max_requests: int
    max_audio_seconds: float
    max_first_audio_seconds: float

    def check(self, new: Demand, held: Sequence[Demand]) -> None:
        """Refuses a request that would exceed a bound.

        Args:
            new: the request's demand.
            held: the demands of the requests held.

        Raises:
            Overloaded: a bound would be exceeded, or some request's audio would be late.
            DeadlineUnreachable: the request's audio cannot be rendered before its deadline.
        """
        if len(held) >= self.max_requests:
            raise Overloaded(
                f"the server already holds {len(held)} requests, its maximum; retry after the delay",
                reason="QUEUE_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.check_owed([demand.audio_seconds for demand in held], new.audio_seconds)
        working = [demand for demand in held if not demand.waits_for_caller]
        if new.estimates is None or not working:
            return
        _check_deadlines(new, working)
        if (late_seconds := self.late_seconds([*working, new])) > 0:
            raise _capacity_full(len(working), late_seconds)

    def check_owed(self, held_seconds: Sequence[float], audio_seconds: float) -> None:
        """Refuses audio that would exceed the bound on audio owed; an idle server accepts any length.

        Args:
            held_seconds: owed to each of the other requests.
            audio_seconds: what one request needs.

        Raises:
            Overloaded: the bound would be exceeded.
        """
        owed_seconds = sum(held_seconds)
        if owed_seconds > 0 and owed_seconds + audio_seconds > self.max_audio_seconds:
            raise Overloaded(
                f"{owed_seconds:.0f} s of audio are queued and this request would add {audio_seconds:.0f} s; the "
                f"maximum is {self.max_audio_seconds:.0f} s; retry after the delay",
                reason="AUDIO_OWED_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )

    def late_seconds(self, demands: Sequence[Demand]) -> float:
        """Returns the maximum lateness of all this work; 0 or less if all of it is in time."""
        needs = self._needs(demands)
        return max((needed_seconds / PROMISED_SHARE - at for at, needed_seconds in needs), default=0.0)

    def demand_ratio(self, demands: Sequence[Demand]) -> float:
        """Returns the largest share of the engine's time, from now to any later time, that this work needs."""
        working = [demand for demand in demands if not demand.waits_for_caller]
        firsts = (demand.estimates.first_audio_seconds for demand in working if demand.estimates)
        shortest_seconds = max(min(firsts, default=0.0), 1e-6)  # nothing can be done in no time
        needs = self._needs(working)
        return max((needed_seconds / max(at, shortest_seconds) for at, needed_seconds in needs), default=0.0)

    def _needs(self, demands: Sequence[Demand]) -> Iterator[tuple[float, float]]:
        """Yields times from now, ascending, and the engine seconds of the work due by each.

        Those seconds jump where a first window or a unary reply is due, and grow while streams play. It is enough to
        check after each change; where only a unary reply with a deadline is due, there is nothing to check.
        """
        changes = sorted(chain.from_iterable(self._changes(demand) for demand in demands))
        needed_seconds = growth = latest = 0.0
        players = 0
        for at, jump, change, is_bound in changes:
            needed_seconds += growth * (at - latest) + jump
            growth += change
            players += (change > 0) - (change < 0)
            latest = at
            if is_bound or players:
                yield at, needed_seconds

    def _changes(self, demand: Demand) -> list[tuple[float, float, float, bool]]:
        """Returns the changes of a request's needs over time.

        Each has its time, its engine seconds, the change of the growth of these seconds, and whether the engine must
        keep up with the needs at that time whatever else it does.
        """
        estimates = demand.estimates
        if estimates is None:
            return []
        factor, due_seconds = estimates.real_time_factor, max(0.0, demand.due_seconds)
        if demand.is_unary:
            is_bound = demand.deadline_seconds is None
            return [(due_seconds, estimates.whole_factor * demand.audio_seconds, 0.0, is_bound)]
        first_seconds = estimates.first_audio_seconds
        if demand.is_starting:  # it may begin to play at once, and must begin before its caller gives up
            patience_seconds = max(self.max_first_audio_seconds, 2 * first_seconds)
            begun_seconds = max(0.0, demand.due_seconds + patience_seconds - first_seconds)
            start = [(begun_seconds, PROMISED_SHARE * first_seconds, 0.0, True)]
        else:
            due_seconds, start = max(0.0, due_seconds - RESERVE_OF_FIRST_AUDIO * first_seconds), []
        playing = [(due_seconds, 0.0, factor, True), (due_seconds + demand.audio_seconds, 0.0, -factor, True)]
        return [*start, *playing]


def _check_deadlines(new: Demand, working: Sequence[Demand]) -> None:
    """Refuses a request that cannot be complete before its deadline, or that would take that from another one."""
    needed_seconds = _seconds_until_complete(new, working)
    if new.deadline_seconds is not None and needed_seconds > DEADLINE_FACTOR * new.deadline_seconds:
        raise DeadlineUnreachable(
            f"the request would take about {needed_seconds:.1f} s, but its deadline is in "
            f"{new.deadline_seconds:.1f} s; set a later deadline, send less text, or use another replica"
        )
    for held in working:
        if not held.is_unary or held.deadline_seconds is None or held.due_seconds < new.due_seconds:
            continue
        now_seconds = _seconds_until_complete(held, working)
        more_seconds = _seconds_before(new, held)
        if now_seconds <= DEADLINE_FACTOR * held.deadline_seconds < now_seconds + more_seconds:
            raise _capacity_full(len(working), more_seconds)


def _seconds_until_complete(demand: Demand, working: Sequence[Demand]) -> float:
    """Returns the engine time of a request and of what comes before it until its deadline: what is due earlier."""
    others = (other for other in working if other is not demand and other.due_seconds <= demand.due_seconds)
    return _engine_seconds(demand, demand.audio_seconds) + sum(_seconds_before(other, demand) for other in others)


def _seconds_before(other: Demand, demand: Demand) -> float:
    """Returns the engine time of work that comes before a request: of a stream, what is played until its deadline."""
    audio_seconds = other.audio_seconds
    if not other.is_unary and demand.deadline_seconds is not None:
        audio_seconds = min(audio_seconds, max(0.0, demand.deadline_seconds - other.due_seconds))
    return _engine_seconds(other, audio_seconds)


def _capacity_full(requests: int, late_seconds: float) -> Overloaded:
    return Overloaded(
        f"the engine is busy with {requests} requests and cannot serve another one in time; retry after the delay, or "
        "use another replica",
        reason="CAPACITY_FULL",
        retry_after_seconds=min(max(RETRY_SECONDS, late_seconds), MAX_RETRY_SECONDS),
    )


def _engine_seconds(demand: Demand, audio_seconds: float) -> float:
    return demand.estimates.whole_factor * audio_seconds if demand.estimates else 0.0
