"""Decides which batch the engine runs next: the scheduling policy, without threads.

Called by `lane_worker.py`, with the scheduler's lock held. Earliest deadline first: a stream that plays is due when
what it has sent will have been played, one that does not is due as soon as an idle engine could start it, and a unary
request is due half-way to its caller's deadline, while there is still time to render it.

Two rules keep playing streams from running dry. Other work runs before them only if the next step of each would still
be in time. And a step makes as much audio as the deadlines of the others allow: long steps cost less for a second of
audio, short ones let other requests run in between. While several requests are held, no batch takes much longer than
first audio, so that a new caller waits mainly for its own speech.

Steps start small, for early first audio. A batch takes steps of similar cost only: an engine pads them to the longest,
so a long one would delay the others, and short ones would cost as much as long ones.

To change the policy, write a class with the methods of `Policy` and give it to the scheduler in `build.py`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.next_steps import PlannedStep, ReadyRequest, makes_audio, ready_requests
from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.scheduling.timeline import Timeline, UpcomingAudio, Work

# Costs of steps that may share a batch with the most urgent one, as ratios to that one's; an engine that cuts an
# utterance into windows makes those of one nominal size differ by as much.
LIKE_COSTS: Final = (0.5, 1.5)
# A batch may take this share of the time left before a stream runs dry: estimates are not exact.
SLACK_SHARE: Final = 0.5
# While several requests are held, a batch takes at most this many times the time to first audio.
MAX_BATCH_OF_FIRST_AUDIO: Final = 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps of one engine, kind and batch key, that run together."""

    members: tuple[PlannedStep, ...]

    @property
    def slot(self) -> Slot:
        """The engine that runs it."""
        return self.members[0].job.slot

    @property
    def kind(self) -> str:
        """The kind of its steps."""
        return self.members[0].step.kind


class Policy(Protocol):
    """Decides what runs next. Every method is called with the scheduler's lock held, and changes no state."""

    def to_open(self, states: Iterable[RequestState]) -> RequestState | None:
        """Returns a request whose next waiting utterance an engine should open now; None if there is none."""

    def choose(self, states: Iterable[RequestState], now: float) -> Batch | None:
        """Returns the next batch; None if there is no work.

        Args:
            states: of the requests held.
            now: on the clock of their deadlines, in seconds.
        """

    def next_step_seconds(self, state: RequestState) -> float:
        """Returns the minimum audio of the step after the one just delivered."""


class EarliestDeadlineFirst(Policy):
    """The policy described above."""

    def to_open(self, states: Iterable[RequestState]) -> RequestState | None:
        """Returns the most urgent request whose next utterance should be opened now."""
        return min((state for state in states if _wants_to_open(state)), key=lambda state: state.due, default=None)

    def choose(self, states: Iterable[RequestState], now: float) -> Batch | None:
        """Returns the most urgent step that may run, and those that can share its batch."""
        timeline = Timeline(now)
        ready = _without_those_that_can_wait(ready_requests(states), timeline)
        if not ready:
            return None
        max_seconds = _max_batch_seconds(ready, timeline, now)
        first = ready[0].first
        if makes_audio(first.step):
            return _audio_batch(_sized(first, ready, timeline, max_seconds), ready)
        return _preparation_batch(first, ready, timeline, max_seconds)

    def next_step_seconds(self, state: RequestState) -> float:
        """Returns the next length of about double the size, so that streams grow towards cheap steps."""
        sizes = state.slot.tuning.audio_seconds
        return next((size for size in sizes if size >= 1.9 * state.step_seconds), sizes[-1] if sizes else 0.0)


def _may_share(one: PlannedStep, other: PlannedStep) -> bool:
    same_engine = one.job.slot is other.job.slot
    return same_engine and (one.step.kind, one.step.batch_key) == (other.step.kind, other.step.batch_key)


def _wants_to_open(state: RequestState) -> bool:
    """Whether its next waiting utterance should be opened: it is due to play after at most one more step.

    A stream's first audio has priority, however short its first utterance is.
    """
    if not state.waiting:
        return False
    slot = state.next_slot
    if not slot.has_room:
        return False
    if not state.jobs:
        return slot.tuning.max_jobs is None or not state.is_backpressured
    if state.is_unary:
        return state.is_planned_ahead
    if state.playing_since is None or len(state.jobs) > 1:
        return False
    step = state.jobs[0].next_step(state.step_seconds)
    return step is not None and state.jobs[0].is_last(step)


def _without_those_that_can_wait(ready: list[ReadyRequest], timeline: Timeline) -> list[ReadyRequest]:
    """Excludes the requests whose work would make a playing stream run dry; all are in order of `due`."""
    playing = [one for one in ready if one.is_playing]
    others = [one for one in ready if not one.is_playing]
    if not playing or not others:
        return ready
    streams = Counter(one.state.slot for one in playing)
    room = timeline.room_for(_upcoming(others, timeline, streams), _upcoming(playing, timeline, streams))
    can_wait = set(map(id, others[room:]))
    return [one for one in ready if id(one) not in can_wait]


def _upcoming(ready: Iterable[ReadyRequest], timeline: Timeline, streams: Mapping[Slot, int]) -> list[UpcomingAudio]:
    """Returns each request's work until its next audio; playing streams get steps that last for a round."""
    rounds: dict[Slot, float] = {}
    upcoming = []
    for one in ready:
        slot = one.state.slot
        if not one.is_playing:
            wanted = slot.first_step_seconds
        elif (wanted := rounds.get(slot, -1.0)) < 0:
            wanted = rounds[slot] = timeline.round_seconds(slot, streams)
        upcoming.append(_upcoming_of(one, wanted, timeline))
    return upcoming


def _upcoming_of(one: ReadyRequest, wanted: float, timeline: Timeline) -> UpcomingAudio:
    state, due, is_playing, preparations, first = one
    work: list[Work] = []
    if preparations:  # as many as run at once
        count = first.job.slot.max_batch(first.step.kind) if state.is_unary else 1
        work += [Work(job.slot, step.kind, step.cost) for _, job, step in preparations[:count]]
    job = state.jobs[0]
    step, plays_seconds = job.next_step(wanted), wanted
    if step is not None and makes_audio(step):
        work.append(Work(job.slot, step.kind, step.cost))
        plays_seconds = wanted if step.audio_seconds is None else step.audio_seconds
    else:
        work += timeline.audio_work(state.slot, wanted)
    if is_playing:
        return UpcomingAudio(work, state.slot, due)
    return UpcomingAudio(work, state.slot, None, plays_seconds if state.is_starting else 0.0)


def _max_batch_seconds(ready: Sequence[ReadyRequest], timeline: Timeline, now: float) -> float:
    """Returns the maximum time of a batch for the first of these, given the others and its own player."""
    first, others = ready[0], ready[1:]
    slot = first.state.slot
    if not slot.cost.is_known:
        return math.inf
    playing = [other for other in others if other.is_playing]
    max_seconds = timeline.spare_seconds(_upcoming(playing, timeline, _streams(ready)))
    if first.is_playing:
        max_seconds = min(max_seconds, first.due - now)
    max_seconds *= SLACK_SHARE
    if others:
        max_seconds = min(max_seconds, MAX_BATCH_OF_FIRST_AUDIO * slot.first_audio_seconds(now))
    return max_seconds


def _streams(ready: Iterable[ReadyRequest]) -> Mapping[Slot, int]:
    """Returns the number of streams on each engine."""
    return Counter(one.state.slot for one in ready if not one.state.is_unary)


def _sized(first: PlannedStep, ready: Sequence[ReadyRequest], timeline: Timeline, max_seconds: float) -> PlannedStep:
    """Returns a step as long as the batch allows, and long enough for a round; a stream's first stays small."""
    state, slot = first.state, first.job.slot
    sizes = slot.tuning.audio_seconds
    if state.is_starting or not sizes or not slot.cost.is_known:
        return _alone(first, ready)
    least = timeline.round_seconds(slot, _streams(ready)) if state.is_playing else sizes[0]
    longer = (size for size in reversed(sizes) if size > least)
    wanted = next((size for size in longer if _seconds(first, size, timeline) <= max_seconds), least)
    step = first.job.next_step(wanted)
    return _alone(first if step is None else PlannedStep(state, first.job, step), ready)


def _seconds(member: PlannedStep, audio_seconds: float, timeline: Timeline) -> float:
    step = member.job.next_step(audio_seconds)
    return 0.0 if step is None else timeline.batch_seconds(member.job.slot, step.kind, step.cost)


def _alone(first: PlannedStep, ready: Sequence[ReadyRequest]) -> PlannedStep:
    """Gives a unary request that is alone the longest step that the engine can run."""
    slot = first.job.slot
    if not first.state.is_unary or len(ready) > 1 or not slot.tuning.audio_seconds:
        return first
    step = first.job.next_step(slot.tuning.audio_seconds[-1] * slot.max_batch(first.step.kind))
    return first if step is None else PlannedStep(first.state, first.job, step)


def _audio_batch(first: PlannedStep, ready: Sequence[ReadyRequest]) -> Batch:
    """Returns the first step, and similar next steps of others."""
    shortest, longest = (ratio * first.step.cost for ratio in LIKE_COSTS)
    others = (member for one in ready if one.state is not first.state and (member := one.next_audio()))
    like = (one for one in others if _may_share(one, first) and shortest <= one.step.cost <= longest)
    return Batch((first, *islice(like, first.job.slot.max_batch(first.step.kind) - 1)))


def _preparation_batch(
    first: PlannedStep, ready: Sequence[ReadyRequest], timeline: Timeline, max_seconds: float
) -> Batch:
    """Returns the first step, and as many of others as fit into the batch and the time.

    Unary requests, which need all of their utterances prepared first, fill it from their own.
    """
    slot, cost = first.job.slot, first.step.cost
    members = [first]
    for member in _candidates(ready):
        if member.job is first.job or not _may_share(member, first):
            continue
        cost += member.step.cost
        is_too_long = timeline.batch_seconds(slot, first.step.kind, cost) > max_seconds
        if len(members) == slot.max_batch(first.step.kind) or is_too_long:
            break
        members.append(member)
    return Batch(tuple(members))


def _candidates(ready: Sequence[ReadyRequest]) -> Iterator[PlannedStep]:
    """Yields the preparations of several requests, the most urgent of each first."""
    own = [one for one in ready if one.preparations]
    yield from (one.first for one in own)
    for one in own:
        if one.state.is_unary:
            yield from one.preparations[1:]
