"""One admitted request, as the scheduler sees it: what is waiting, open and delivered.

Only the scheduler changes it, under its lock. `policy.py` reads it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, cast

from phonoscope.server.engines.base import Job, Step, StepResult
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.types import Utterance

# A unary reply is due after this share of the time to its deadline, and after PATIENCE_SECONDS at the latest:
# behind live streams, but never starved.
UNARY_SHARE: Final = 0.5
PATIENCE_SECONDS: Final = 60.0
# A reader with this many steps, or this much audio, unread gets no more until it reads; one more may be in progress.
MAX_UNREAD_STEPS: Final = 4
MAX_UNREAD_SECONDS: Final = 5.0
# Of a step that the engine has not been asked for.
_UNASKED: Final = Step(cast("Job", None), "", None, 0.0, None)
# Tolerance for comparing two computations of the same length.
EPSILON_SECONDS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Queued:
    """An utterance, and the context to return with its samples.

    Attributes:
        slot: the engine that speaks it.
        index: within the request, from 0.
        context: opaque to the scheduler.
    """

    utterance: Utterance
    slot: Slot
    index: int
    context: object


@dataclass(slots=True, eq=False)
class OpenJob:
    """An utterance that an engine has opened.

    Attributes:
        made_samples: so far.
        total_samples: of the whole utterance; None while unknown.
        unlearned: cost and steps, by kind, whose audio is not known yet.
        audio_kinds: kinds of its steps that made audio.
        failure: what the engine raised in `next_step`.
    """

    queued: Queued
    job: Job
    sample_rate_hz: int
    made_samples: int = 0
    total_samples: int | None = None
    unlearned: dict[str, tuple[float, int]] = field(default_factory=dict)
    audio_kinds: set[str] = field(default_factory=set)
    failure: Exception | None = None
    _steps: dict[float, Step | None] = field(default_factory=dict)  # by the requested audio, until one runs

    @property
    def slot(self) -> Slot:
        """The engine that speaks it."""
        return self.queued.slot

    @property
    def known_seconds(self) -> float:
        """Known audio of the utterance: its total, or what is rendered so far."""
        known = self.made_samples if self.total_samples is None else self.total_samples
        return known / self.sample_rate_hz

    def next_step(self, audio_seconds: float) -> Step | None:
        """Returns its next step, of about this much audio; None at its end, and if the engine raises (`failure`)."""
        if (step := self._steps.get(audio_seconds, _UNASKED)) is not _UNASKED:
            return step
        try:
            step = self._steps[audio_seconds] = self.job.next_step(audio_seconds)
        except Exception as error:  # noqa: BLE001  the engine's code: a bad utterance fails alone
            self.failure = error
            return None
        return step

    def is_last(self, step: Step) -> bool:
        """Whether a step is known to end the utterance."""
        if self.total_samples is None or step.audio_seconds is None:
            return False
        rest_seconds = (self.total_samples - self.made_samples) / self.sample_rate_hz
        return 0 < rest_seconds <= step.audio_seconds + EPSILON_SECONDS

    def add(self, result: StepResult) -> None:
        """Counts a step's result."""
        self.has_run()
        self.made_samples += len(result.samples)
        if result.is_last:
            self.total_samples = self.made_samples
        elif result.total_samples is not None:
            self.total_samples = result.total_samples

    def has_run(self) -> None:
        """Discards the steps from before the engine ran one."""
        self._steps.clear()

    def learn_audio(self, step: Step, result: StepResult) -> None:
        """Updates the cost model with the audio that a step's work makes, as soon as that is known.

        Steps that make audio count at once. Preparation counts once the first audio is rendered and the length of the
        utterance is known; at its end at the latest.
        """
        made, cost_model = len(result.samples), self.slot.cost
        cost, steps = self.unlearned.pop(step.kind, (0.0, 0))
        cost, steps = cost + step.cost, steps + 1
        if made:
            self.audio_kinds.add(step.kind)
            cost_model.learn_audio(step.kind, cost, steps, made / self.sample_rate_hz, utterances=0)
        elif result.is_last and step.kind in self.audio_kinds:
            cost_model.learn_audio(step.kind, cost, steps, 0.0, utterances=0)
        else:
            self.unlearned[step.kind] = cost, steps
        if self.total_samples is not None and (made or result.is_last):
            for kind, (costs, count) in self.unlearned.items():
                cost_model.learn_audio(kind, costs, count, self.known_seconds, utterances=1)
            self.unlearned.clear()


@dataclass(slots=True, eq=False)
class RequestState:
    """What the engine owes one request. Times are on the scheduler's clock, in seconds.

    Attributes:
        number: the request's, unique in this process.
        slot: the engine of its own voice.
        entered: when it was admitted, or its first text arrived.
        deadline: its caller's deadline; None for no deadline.
        is_unary: its audio is needed only once all of it is complete.
        owed_seconds: its total audio, estimated.
        is_reported: whether events report it; False for speech that the server itself requests.
        max_seconds: a unary request with more audio is refused; None for no maximum.
        first_audio_seconds: how soon after `entered` a stream's first audio is due.
        waiting: utterances that no engine has opened, in order.
        jobs: open utterances, in order.
        is_text_complete: no more utterances will arrive.
        started: when its first step ran.
        playing_since: when its first audio was delivered.
        finished_seconds, sent_seconds: audio of the utterances that are finished, and audio delivered.
        step_seconds: minimum audio of the next step; 0 if the engine decides.
        unread_steps, unread_seconds: delivered and not read yet.
        queued, finished: number of utterances added, and of those fully spoken.
        engine_seconds: the engine's time for it.
    """

    number: int
    slot: Slot
    entered: float
    deadline: float | None
    is_unary: bool
    owed_seconds: float = 0.0
    is_reported: bool = True
    max_seconds: float | None = None
    first_audio_seconds: float = 0.0
    waiting: deque[Queued] = field(default_factory=deque)
    jobs: deque[OpenJob] = field(default_factory=deque)
    is_text_complete: bool = False
    started: float | None = None
    playing_since: float | None = None
    finished_seconds: float = 0.0
    sent_seconds: float = 0.0
    step_seconds: float = 0.0
    unread_steps: int = 0
    unread_seconds: float = 0.0
    queued: int = 0
    finished: int = 0
    engine_seconds: float = 0.0

    @property
    def reported_number(self) -> int | None:
        """Its number in events; None if they do not report it."""
        return self.number if self.is_reported else None

    @property
    def due(self) -> float:
        """When its next audio is needed."""
        if self.is_unary:
            patience = PATIENCE_SECONDS
            if self.deadline is not None:
                patience = min(patience, UNARY_SHARE * (self.deadline - self.entered))
            return self.entered + patience
        if self.playing_since is None:
            return self.entered + self.first_audio_seconds
        return self.playing_since + self.sent_seconds

    @property
    def is_starting(self) -> bool:
        """Whether it is a stream that has no audio yet."""
        return self.playing_since is None and not self.is_unary

    @property
    def is_playing(self) -> bool:
        """Whether it is a stream whose player has got some audio."""
        return self.playing_since is not None and not self.is_unary

    @property
    def awaits_text(self) -> bool:
        """Whether all text so far is spoken, and more may arrive."""
        return not (self.is_text_complete or self.waiting or self.jobs)

    @property
    def is_finished(self) -> bool:
        """Whether its text is complete and all of it is spoken."""
        return self.is_text_complete and not self.waiting and not self.jobs

    @property
    def waits_for_caller(self) -> bool:
        """Whether the engine has no work for it until its caller writes or reads."""
        has_yet_to_write = self.awaits_text and (self.queued > 0 or self.owed_seconds == 0)
        return has_yet_to_write or self.is_backpressured

    @property
    def is_backpressured(self) -> bool:
        """Whether its reader must read before more is rendered."""
        return self.unread_steps >= MAX_UNREAD_STEPS or self.unread_seconds >= MAX_UNREAD_SECONDS

    @property
    def known_seconds(self) -> float:
        """Known audio of all its utterances."""
        return self.finished_seconds + sum(job.known_seconds for job in self.jobs)

    @property
    def unsent_seconds(self) -> float:
        """Audio owed to it: estimated while some text is not prepared, exact afterwards.

        It is 0 while the caller has not sent the next text.
        """
        if self.awaits_text and self.queued:
            return 0.0
        known, is_exact = self.finished_seconds, self.is_text_complete and not self.waiting
        for job in self.jobs:
            known += job.known_seconds
            is_exact = is_exact and job.total_samples is not None
        return max(0.0, (known if is_exact else max(self.owed_seconds, known)) - self.sent_seconds)

    @property
    def wanted_seconds(self) -> float:
        """Audio that the engine must still render; 0 while its reader does not read."""
        return 0.0 if self.is_backpressured else self.unsent_seconds

    @property
    def is_planned_ahead(self) -> bool:
        """Whether the length of all its text so far can be known before any of it is spoken."""
        slots = {one.slot for one in (*self.waiting, *(job.queued for job in self.jobs))}
        return all(slot.tuning.plans_ahead and slot.tuning.max_jobs is None for slot in slots)

    @property
    def next_slot(self) -> Slot:
        """The engine of the next waiting utterance; at least one must be waiting."""
        return self.waiting[0].slot

    def add(self, utterance: Utterance, slot: Slot, context: object) -> None:
        """Appends an utterance."""
        self.waiting.append(Queued(utterance, slot, self.queued, context))
        self.queued += 1

    def begin_again(self, now: float, step_seconds: float, first_audio_seconds: float) -> None:
        """Records that text arrived when there was none to speak: a new start, unless its player has audio left."""
        if self.is_unary:
            return
        if self.playing_since is None:
            self.entered, self.first_audio_seconds = now, first_audio_seconds
        elif self.due <= now:
            self.playing_since = now + first_audio_seconds - self.sent_seconds
            self.step_seconds = step_seconds

    def deliver(self, audio_seconds: float, now: float) -> None:
        """Counts audio delivered to its reader."""
        if self.playing_since is None:
            self.playing_since = now
        self.unread_steps += 1
        self.unread_seconds += audio_seconds
        self.sent_seconds += audio_seconds

    def acknowledge(self, audio_seconds: float, now: float) -> None:
        """Counts audio that its reader has read; a slow reader cannot have played unread audio."""
        if self.is_backpressured and self.playing_since is not None:
            self.playing_since = max(self.playing_since, now + self.unread_seconds - self.sent_seconds)
        self.unread_steps -= 1
        self.unread_seconds = self.unread_seconds - audio_seconds if self.unread_steps else 0.0

    def finish_job(self, job: OpenJob) -> None:
        """Counts an utterance as spoken to its end."""
        self.jobs.remove(job)
        self.finished_seconds += job.made_samples / job.sample_rate_hz
        self.finished += 1
