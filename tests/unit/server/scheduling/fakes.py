"""Engines whose audio is silence, and that record what they were asked; and requests as the scheduler holds them.

The tests beside this file load it by its path: pytest imports without packages here.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from phonoscope.server.engines.base import NO_SAMPLES, Step, StepResult, Tuning
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.engines.windows import nearest_size, window_stops
from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.policy import Batch, EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import OpenJob, RequestState
from phonoscope.server.types import Utterance

RATE_HZ = 22_050
FRAME_SAMPLES = 256
FRAME_SECONDS = FRAME_SAMPLES / RATE_HZ
SIZES = (16, 32, 64, 128)


class RecordingEngine:
    """What the fake engines have in common.

    Attributes:
        log: "open", "close" and the kinds of batches, in order.
        batches: the steps that ran together, in order.
        held_jobs: open now.
        idle_pieces: of idle work that are left.
        before_open, before_run, before_close: called first; may raise.
    """

    device, precision = "cpu", "float32"

    def __init__(self, name: str, voices: Sequence[str], step_kinds: Sequence[str], tuning: Tuning) -> None:
        self.name, self.step_kinds, self.tuning = name, tuple(step_kinds), tuning
        self.voices = tuple(tone_voice(voice, sample_rate_hz=RATE_HZ) for voice in voices)
        self.log: list[str] = []
        self.batches: list[tuple[Step, ...]] = []
        self.held_jobs: list[object] = []
        self.opened: list[Utterance] = []
        self.before_open: Callable[[Utterance], None] = lambda _utterance: None
        self.before_run: Callable[[Sequence[Step]], None] = lambda _steps: None
        self.before_close: Callable[[object], None] = lambda _job: None
        self.idle_pieces = 0

    def warm_up(self) -> None:
        self.log.append("warm_up")

    def idle_work(self) -> int:
        self.log.append("idle_work")
        self.idle_pieces -= 1
        return self.idle_pieces

    def open(self, utterance: Utterance):
        self.before_open(utterance)
        self.log.append("open")
        self.opened.append(utterance)
        job = self.job_of(utterance)
        self.held_jobs.append(job)
        return job

    def job_of(self, utterance: Utterance):
        raise NotImplementedError

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        assert len({(step.kind, step.batch_key) for step in steps}) == 1
        assert all(step.job in self.held_jobs for step in steps), "a job that is not open"
        self.log.append(steps[0].kind)
        self.batches.append(tuple(steps))
        self.before_run(steps)
        return [step.job.move(step) for step in steps]

    def close(self, job: object) -> None:
        self.log.append("close")
        self.held_jobs.remove(job)
        self.before_close(job)

    def of_kind(self, kind: str) -> list[tuple[Step, ...]]:
        return [steps for steps in self.batches if steps[0].kind == kind]


class FrameEngine(RecordingEngine):
    """Plans an utterance's length, which is its first symbol in frames, then renders it by windows.

    Args:
        sizes: lengths of windows in frames.
        is_elastic: windows are as long as they are asked for.
    """

    def __init__(
        self,
        *,
        name: str = "frames",
        voices: Sequence[str] = ("a", "b"),
        sizes: Sequence[int] = SIZES,
        prepare_batch: int = 4,
        render_batch: int = 3,
        max_jobs: int | None = None,
        plans_ahead: bool = True,
        is_elastic: bool = False,
    ) -> None:
        seconds = tuple(frames * FRAME_SECONDS for frames in sizes)
        max_batch = {"prepare": prepare_batch, "render": render_batch}
        tuning = Tuning(max_batch, seconds, max_jobs=max_jobs, plans_ahead=plans_ahead)
        super().__init__(name, voices, ("prepare", "render"), tuning)
        self.sizes, self.is_elastic = sizes, is_elastic

    def job_of(self, utterance: Utterance) -> "FrameJob":
        return FrameJob(utterance, self)


class FrameJob:
    def __init__(self, utterance: Utterance, engine: FrameEngine) -> None:
        self.utterance = utterance
        self.frames = int(utterance.symbols[0])
        self.is_planned = False
        self.cursor = 0
        self._engine = engine

    def next_step(self, audio_seconds: float) -> Step | None:
        voice = self.utterance.voice_id
        if not self.is_planned:
            return Step(self, "prepare", voice, len(self.utterance.symbols), 0.0)
        if self.cursor == self.frames:
            return None
        wanted = audio_seconds / FRAME_SECONDS
        size = max(1, round(wanted)) if self._engine.is_elastic else nearest_size(self._engine.sizes, wanted)
        [stop] = window_stops(self.cursor, size, self.frames)
        return Step(self, "render", voice, stop - self.cursor, (stop - self.cursor) * FRAME_SECONDS)

    def move(self, step: Step) -> StepResult:
        total = self.frames * FRAME_SAMPLES
        if step.kind == "prepare":
            self.is_planned = True
            return StepResult(NO_SAMPLES, is_last=False, total_samples=total)
        frames = int(step.cost)
        self.cursor += frames
        samples = np.zeros(frames * FRAME_SAMPLES, np.float32)
        return StepResult(samples, is_last=self.cursor == self.frames, total_samples=total)


class TokenEngine(RecordingEngine):
    """Decodes token by token: only running a step shows how much audio it makes, which its symbol says in samples."""

    def __init__(
        self,
        *,
        name: str = "tokens",
        voices: Sequence[str] = ("t",),
        max_batch: int = 4,
        max_jobs: int | None = None,
    ) -> None:
        tuning = Tuning({"prefill": max_batch, "decode": max_batch}, max_jobs=max_jobs)
        super().__init__(name, voices, ("prefill", "decode"), tuning)

    def job_of(self, utterance: Utterance) -> "TokenJob":
        return TokenJob(utterance)


class TokenJob:
    def __init__(self, utterance: Utterance) -> None:
        self.utterance = utterance
        self.is_filled = False
        self.cursor = 0

    def next_step(self, audio_seconds: float) -> Step | None:
        voice, symbols = self.utterance.voice_id, self.utterance.symbols
        if not self.is_filled:
            return Step(self, "prefill", voice, len(symbols), 0.0)
        return None if self.cursor == len(symbols) else Step(self, "decode", voice, 1.0, None)

    def move(self, step: Step) -> StepResult:
        if step.kind == "prefill":
            self.is_filled = True
            return StepResult(NO_SAMPLES, is_last=False)
        samples = np.zeros(int(self.utterance.symbols[self.cursor]), np.float32)
        self.cursor += 1
        return StepResult(samples, is_last=self.cursor == len(self.utterance.symbols))


def utterance(*symbols: int, voice: str = "a") -> Utterance:
    """An utterance that a FrameEngine makes so many frames long, or a TokenEngine in steps of so many samples."""
    return Utterance(voice, symbols or (100,))


def slot_of(engine: RecordingEngine, cost: CostModel | None = None) -> Slot:
    return Slot(engine, engine.tuning, cost or CostModel())


def a_state(
    slot: Slot,
    said: Iterable[Utterance] = (),
    *,
    number: int = 0,
    entered: float = 0.0,
    deadline: float | None = None,
    is_unary: bool = False,
    is_text_complete: bool = True,
    first_audio_seconds: float = 0.2,
    **fields: object,
) -> RequestState:
    sizes = slot.tuning.audio_seconds
    state = RequestState(number, slot, entered, deadline, is_unary, first_audio_seconds=first_audio_seconds, **fields)
    state.step_seconds = (sizes[-1] if is_unary else sizes[0]) if sizes else 0.0
    state.is_text_complete = is_text_complete
    for one in said:
        state.add(one, slot, None)
    return state


def begin(state: RequestState) -> OpenJob:
    """Begins its next waiting utterance, as the lane's thread does."""
    queued = state.waiting.popleft()
    queued.slot.open_jobs += 1
    job = OpenJob(queued, queued.slot.engine.open(queued.utterance), RATE_HZ)
    state.jobs.append(job)
    return job


def prepared(state: RequestState, count: int = 1) -> RequestState:
    """Begins and prepares so many of its utterances."""
    for _ in range(count):
        job = begin(state)
        [result] = job.slot.engine.run([job.next_step(0.0)])
        job.add(result)
    return state


def playing(state: RequestState, *, sent_seconds: float, since: float = 0.0) -> RequestState:
    """Prepares its first utterance, and counts so much audio as delivered and read."""
    prepared(state)
    state.playing_since, state.sent_seconds = since, sent_seconds
    return state


def choose(policy: EarliestDeadlineFirst, states: Sequence[RequestState], now: float = 0.0) -> Batch | None:
    """Begins the utterances that the policy wants begun, then returns the batch that it chooses."""
    while state := policy.to_open(states):
        begin(state)
    return policy.choose(states, now)


def apply(policy: EarliestDeadlineFirst, batch: Batch, now: float = 0.0, *, is_read: bool = True) -> None:
    """Runs a batch and does to the states what the lane's thread does after it."""
    results = batch.slot.engine.run([member.step for member in batch.members])
    for member, result in zip(batch.members, results, strict=True):
        state, job, audio_seconds = member.state, member.job, len(result.samples) / RATE_HZ
        job.add(result)
        if audio_seconds:
            state.deliver(audio_seconds, now)
            state.step_seconds = policy.next_step_seconds(state)
            if is_read:
                state.acknowledge(audio_seconds, now)
        if result.is_last:
            state.finish_job(job)
            job.slot.open_jobs -= 1
            job.slot.engine.close(job.job)


def batches_of(policy: EarliestDeadlineFirst, states: Sequence[RequestState], now: float = 0.0) -> list[Batch]:
    """Runs whatever the policy chooses, until it chooses nothing."""
    batches = []
    while (batch := choose(policy, states, now)) is not None:
        batches.append(batch)
        apply(policy, batch, now)
        assert len(batches) < 10_000, "the policy never comes to an end"
    return batches


def teach(
    cost: CostModel,
    *,
    seconds_per_frame: float = 0.001,
    fixed_seconds: float = 0.0,
    prepare_seconds: float = 0.02,
    prepare_cost: float = 1.0,
    now: float = 0.0,
) -> CostModel:
    """Teaches what a FrameEngine's steps cost: so much for each batch and frame, so much for each utterance."""
    for frames in SIZES * 4:
        cost.learn("prepare", prepare_seconds, prepare_cost, now)
        cost.learn_audio("prepare", prepare_cost, 1, 1000 * FRAME_SECONDS, utterances=1)
        cost.learn("render", fixed_seconds + seconds_per_frame * frames, frames, now)
        cost.learn_audio("render", frames, 1, frames * FRAME_SECONDS, utterances=0)
    return cost
