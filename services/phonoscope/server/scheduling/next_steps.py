"""What each request would run next, as `policy.py` compares it. Read once for each decision.

Called with the scheduler's lock held, for every request and every batch: what is read twice is kept.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from phonoscope.server.engines.base import Step
from phonoscope.server.scheduling.request_state import OpenJob, RequestState


class PlannedStep(NamedTuple):
    """One step of a batch, and its request; a plain tuple, since each decision makes one for every request."""

    state: RequestState
    job: OpenJob
    step: Step


class ReadyRequest(NamedTuple):
    """A request that has a next step, as it is at the moment of a decision.

    Attributes:
        due: when its next audio is needed.
        is_playing: whether it is a stream whose player has got some audio.
        preparations: the steps without audio that are next in its jobs.
        first: its next step: the preparation of open utterances, then audio.
    """

    state: RequestState
    due: float
    is_playing: bool
    preparations: list[PlannedStep]
    first: PlannedStep

    def next_audio(self) -> PlannedStep | None:
        """Returns its next step of audio; None if it has to wait."""
        state = self.state
        if not self.preparations:
            return self.first
        return None if state.is_unary else _next_audio(state, state.jobs[0].next_step(state.step_seconds))


def ready_requests(states: Iterable[RequestState]) -> list[ReadyRequest]:
    """Returns the requests that have a next step, the most urgent first."""
    return sorted(_ready(states), key=lambda one: one.due)


def makes_audio(step: Step) -> bool:
    """Whether a step makes audio, as far as that is known before it runs."""
    return step.audio_seconds is None or step.audio_seconds > 0


def _ready(states: Iterable[RequestState]) -> Iterator[ReadyRequest]:
    for state in states:
        if not state.jobs:
            continue
        preparations, steps = [], [job.next_step(state.step_seconds) for job in state.jobs]
        for job, step in zip(state.jobs, steps, strict=True):
            if step is not None and not makes_audio(step):
                preparations.append(PlannedStep(state, job, step))
        first = preparations[0] if preparations else _next_audio(state, steps[0])
        if first is not None:
            yield ReadyRequest(state, state.due, state.is_playing, preparations, first)


def _next_audio(state: RequestState, step: Step | None) -> PlannedStep | None:
    """Returns the next step of audio, given that of the first open utterance; None if it has to wait.

    A unary request waits until the length of every utterance is known, if the engine plans ahead: no audio is rendered
    for a reply that is too long. A reader that does not read waits too, unless its job blocks others from the engine.
    """
    if step is None or not makes_audio(step):
        return None
    job, has_all_text = state.jobs[0], state.is_text_complete and not state.waiting
    if state.is_unary and state.is_planned_ahead and not has_all_text:
        return None
    if state.is_backpressured and job.slot.tuning.max_jobs is None:
        return None
    return PlannedStep(state, job, step)
