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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from phonoscope.server.engines.base import Step
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.request_state import OpenJob, RequestState
from phonoscope.server.scheduling.timeline import Timeline, UpcomingAudio, Work, audio_work

# Costs of steps that may share a batch with the most urgent one, as ratios to that one's; an engine that cuts an
# utterance into windows makes those of one nominal size differ by as much.
LIKE_COSTS: Final = (0.5, 1.5)
# A batch may take this share of the time left before a stream runs dry: estimates are not exact.
SLACK_SHARE: Final = 0.5
# While several requests are held, a batch takes at most this many times the time to first audio.
MAX_BATCH_OF_FIRST_AUDIO: Final = 2.0


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a batch, and its request."""

    state: RequestState
    job: OpenJob
    step: Step


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
        ready = sorted((state for state in states if _next(state) is not None), key=lambda state: state.due)
        timeline = Timeline(now)
        ready = _without_those_that_can_wait(ready, timeline)
        if not ready:
            return None
        max_seconds = _max_batch_seconds(ready, timeline, now)
        first = _next(ready[0])
        assert first is not None  # noqa: S101  ready ones have a next step
        if makes_audio(first.step):
            return _audio_batch(_sized(first, ready, timeline, max_seconds, now), ready)
        return _preparation_batch(first, ready, max_seconds, now)

    def next_step_seconds(self, state: RequestState) -> float:
        """Returns the next length of about double the size, so that streams grow towards cheap steps."""
        sizes = state.slot.tuning.audio_seconds
        return next((size for size in sizes if size >= 1.9 * state.step_seconds), sizes[-1] if sizes else 0.0)


def makes_audio(step: Step) -> bool:
    """Whether a step makes audio, as far as that is known before it runs."""
    return step.audio_seconds is None or step.audio_seconds > 0


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


def _next(state: RequestState) -> PlannedStep | None:
    """Returns the next step of a request: the preparation of open utterances, then audio."""
    return next(_preparations(state), None) or _next_audio(state)


def _preparations(state: RequestState) -> Iterator[PlannedStep]:
    """Yields the steps without audio that are next in its jobs."""
    for job in state.jobs:
        step = job.next_step(state.step_seconds)
        if step is not None and not makes_audio(step):
            yield PlannedStep(state, job, step)


def _next_audio(state: RequestState) -> PlannedStep | None:
    """Returns the next step of audio, of the first open utterance; None if it has to wait.

    A unary request waits until the length of every utterance is known, if the engine plans ahead: no audio is rendered
    for a reply that is too long. A reader that does not read waits too, unless its job blocks others from the engine.
    """
    if not state.jobs:
        return None
    job, slot = state.jobs[0], state.jobs[0].slot
    if state.is_unary and state.is_planned_ahead and (state.waiting or not state.is_text_complete):
        return None
    if state.is_backpressured and slot.tuning.max_jobs is None:
        return None
    step = job.next_step(state.step_seconds)
    if step is None or not makes_audio(step):
        return None
    if state.is_unary and next(_preparations(state), None) is not None:
        return None
    return PlannedStep(state, job, step)


def _without_those_that_can_wait(ready: Sequence[RequestState], timeline: Timeline) -> list[RequestState]:
    """Excludes the requests whose work would make a playing stream run dry; all are in order of `due`."""
    playing = [state for state in ready if state.is_playing]
    others = [state for state in ready if not state.is_playing]
    if not playing or not others:
        return list(ready)
    streams = Counter(state.slot for state in playing)
    first, second = ([_upcoming(state, timeline, streams) for state in states] for states in (others, playing))
    can_wait = {id(state) for state in others[timeline.room_for(first, second) :]}
    return [state for state in ready if id(state) not in can_wait]


def _upcoming(state: RequestState, timeline: Timeline, streams: Counter[Slot]) -> UpcomingAudio:
    """Returns a request's work until its next audio; playing streams get steps that last for a round."""
    slot = state.slot
    wanted = timeline.round_seconds(slot, streams) if state.is_playing else slot.first_step_seconds
    preparations = list(_preparations(state))
    if preparations:
        max_steps = preparations[0].job.slot.max_batch(preparations[0].step.kind) if state.is_unary else 1
        preparations = preparations[:max_steps]
    work = [Work(one.job.slot, one.step.kind, one.step.cost) for one in preparations]
    step = state.jobs[0].next_step(wanted) if state.jobs else None
    plays_seconds = wanted
    if step is not None and makes_audio(step):
        work.append(Work(state.jobs[0].slot, step.kind, step.cost))
        plays_seconds = wanted if step.audio_seconds is None else step.audio_seconds
    else:
        work += audio_work(slot, wanted)
    return UpcomingAudio(
        tuple(work),
        slot,
        due=state.due if state.is_playing else None,
        plays_seconds=plays_seconds if state.is_starting else 0.0,
    )


def _max_batch_seconds(ready: Sequence[RequestState], timeline: Timeline, now: float) -> float:
    """Returns the maximum time of a batch for the first of these, given the others and its own player."""
    if not ready[0].slot.cost.is_known:
        return math.inf
    first, others = ready[0], ready[1:]
    streams = Counter(state.slot for state in ready if not state.is_unary)
    max_seconds = timeline.spare_seconds(_upcoming(other, timeline, streams) for other in others if other.is_playing)
    if first.is_playing:
        max_seconds = min(max_seconds, first.due - now)
    max_seconds *= SLACK_SHARE
    if others:
        max_seconds = min(max_seconds, MAX_BATCH_OF_FIRST_AUDIO * first.slot.first_audio_seconds(now))
    return max_seconds


def _sized(
    first: PlannedStep, ready: Sequence[RequestState], timeline: Timeline, max_seconds: float, now: float
) -> PlannedStep:
    """Returns a step as long as the batch allows, and long enough for a round; a stream's first stays small."""
    state, slot = first.state, first.job.slot
    sizes = slot.tuning.audio_seconds
    if state.is_starting or not sizes or not slot.cost.is_known:
        return _alone(first, ready)
    streams = Counter(one.slot for one in ready if not one.is_unary)
    least = timeline.round_seconds(slot, streams) if state.is_playing else sizes[0]
    wanted = max([least, *(size for size in sizes if _seconds(first, size, now) <= max_seconds)])
    step = first.job.next_step(wanted)
    return _alone(first if step is None else PlannedStep(state, first.job, step), ready)


def _seconds(member: PlannedStep, audio_seconds: float, now: float) -> float:
    step = member.job.next_step(audio_seconds)
    return 0.0 if step is None else member.job.slot.cost.seconds(step.kind, step.cost, now)


def _alone(first: PlannedStep, ready: Sequence[RequestState]) -> PlannedStep:
    """Gives a unary request that is alone the longest step that the engine can run."""
    slot = first.job.slot
    if not first.state.is_unary or len(ready) > 1 or not slot.tuning.audio_seconds:
        return first
    step = first.job.next_step(slot.tuning.audio_seconds[-1] * slot.max_batch(first.step.kind))
    return first if step is None else PlannedStep(first.state, first.job, step)


def _audio_batch(first: PlannedStep, ready: Sequence[RequestState]) -> Batch:
    """Returns the first step, and similar next steps of others."""
    shortest, longest = (ratio * first.step.cost for ratio in LIKE_COSTS)
    others = (member for state in ready if state is not first.state and (member := _next_audio(state)))
    like = (one for one in others if _may_share(one, first) and shortest <= one.step.cost <= longest)
    return Batch((first, *islice(like, first.job.slot.max_batch(first.step.kind) - 1)))


def _preparation_batch(first: PlannedStep, ready: Sequence[RequestState], max_seconds: float, now: float) -> Batch:
    """Returns the first step, and as many of others as fit into the batch and the time.

    Unary requests, which need all of their utterances prepared first, fill it from their own.
    """
    slot, cost = first.job.slot, first.step.cost
    members = [first]
    for member in _candidates(ready):
        if member.job is first.job or not _may_share(member, first):
            continue
        cost += member.step.cost
        is_too_long = slot.cost.seconds(first.step.kind, cost, now) > max_seconds
        if len(members) == slot.max_batch(first.step.kind) or is_too_long:
            break
        members.append(member)
    return Batch(tuple(members))


def _candidates(ready: Sequence[RequestState]) -> Iterator[PlannedStep]:
    """Yields the preparations of several requests, the most urgent of each first."""
    firsts = ((state, list(_preparations(state))) for state in ready)
    own = [(state, steps) for state, steps in firsts if steps]
    yield from (steps[0] for _, steps in own)
    for state, steps in own:
        if state.is_unary:
            yield from steps[1:]
