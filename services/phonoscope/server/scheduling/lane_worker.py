"""The work of a lane's thread: open utterances, run the batch that the policy chose, record its results, repeat.

Started by `scheduler.py`. It waits on a condition; nothing polls. Engines are called without the lock, except `open`,
which is cheap by contract.
"""

from collections.abc import Callable
from dataclasses import dataclass

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed
from phonoscope.server.engines.base import StepResult
from phonoscope.server.events import Emit, EngineRaised, Member, QueueLeft, UtteranceSpoken
from phonoscope.server.scheduling.batch_runner import BatchFailed, BatchRunner, BrokenContract
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.lane import Lane, Slot
from phonoscope.server.scheduling.policy import Batch, PlannedStep, Policy
from phonoscope.server.scheduling.request_state import OpenJob
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered

ENGINE_FAILED = "the engine failed on this request; the server's log has the error"


@dataclass(slots=True, eq=False)
class LaneWorker:
    """Advances the requests held, one batch after another. Every method is called on the lane's thread.

    Attributes:
        lane: the engines.
        held: the requests.
        policy: decides what runs next.
        emit: receives the events.
        clock: seconds, monotonic.
        is_stopping: set it, and notify `held.changed`, to end the thread.
    """

    lane: Lane
    held: HeldRequests
    policy: Policy
    emit: Emit
    clock: Callable[[], float]
    is_stopping: bool = False

    def warm_up(self) -> None:
        """Warms up every engine; propagates any error."""
        for slot in self.lane:
            slot.engine.warm_up()

    def run_until_stopped(self) -> None:
        """Runs batches until the worker is stopped. A defect here fails the requests held, and the loop continues."""
        while not self.is_stopping:
            try:
                while (batch := self._next_batch()) is not None:
                    self._run(batch)
            except Exception as error:  # noqa: BLE001  the engine loop: a defect must not leave callers waiting
                self._fail_all(error)
        with self.held.changed:
            to_close = self.held.take_jobs_to_close()
        self._close_jobs(to_close)

    def _next_batch(self) -> Batch | None:
        """Waits for the next batch; returns None once the worker is stopped."""
        while True:
            with self.held.changed:
                if self.is_stopping:
                    return None
                self._drop_expired()
                self._open_wanted()
                to_close = self.held.take_jobs_to_close()
                if not to_close:
                    batch = self.policy.choose(self.held, self.clock())
                    if self._end_broken():
                        continue
                    if batch is not None:
                        return batch
                    self.held.changed.wait(self._seconds_to_next_deadline())
            self._close_jobs(to_close)

    def _close_jobs(self, jobs: list[OpenJob]) -> None:
        for job in jobs:
            job.slot.open_jobs -= 1
            try:
                job.slot.engine.close(job.job)
            except Exception as error:  # noqa: BLE001  an engine that cannot clean up must not end the thread
                self._report_raised(job, error)

    def _report_raised(self, job: OpenJob, error: Exception) -> None:
        utterance = job.queued.utterance
        self.emit(EngineRaised(utterance.voice_id, job.slot.engine.step_kinds[-1], (), self.clock(), error))

    # --- with the lock held --------------------------------------------------------------------------------------

    def _drop_expired(self) -> None:
        now = self.clock()
        for state in self.held:
            if state.deadline is not None and state.deadline <= now:
                self.held.end(
                    state, DeadlineUnreachable("the deadline passed before the speech was made; allow more time")
                )

    def _seconds_to_next_deadline(self) -> float | None:
        deadlines = [state.deadline for state in self.held if state.deadline is not None]
        return max(0.0, min(deadlines) - self.clock()) if deadlines else None

    def _open_wanted(self) -> None:
        """Opens the utterances that the policy chooses."""
        while state := self.policy.to_open(self.held):
            queued = state.waiting.popleft()
            voice_id = queued.utterance.voice_id
            try:
                job = queued.slot.engine.open(queued.utterance)
            except Exception as error:  # noqa: BLE001  the engine loop: a bad utterance fails alone
                kind = queued.slot.engine.step_kinds[0]
                members = (Member(state.number, queued.index, 0.0),)
                self.emit(EngineRaised(voice_id, kind, members, self.clock(), error))
                self.held.end(state, EngineFailed(ENGINE_FAILED))
                continue
            queued.slot.open_jobs += 1
            state.jobs.append(OpenJob(queued, job, self.lane.sample_rate_hz(voice_id)))

    def _end_broken(self) -> bool:
        """Fails the requests for which an engine raised in `next_step`; returns whether there were any."""
        broken = [(state, job, job.failure) for state in self.held for job in state.jobs if job.failure]
        for state, job, failure in broken:
            self._report_raised(job, failure)
            self.held.end(state, EngineFailed(ENGINE_FAILED))
        return bool(broken)

    # --- a batch -------------------------------------------------------------------------------------------------

    def _run(self, batch: Batch) -> None:
        self._report_waits(batch)
        try:
            outcomes, shares = BatchRunner(self.emit, self.clock).run(batch)
        except BatchFailed:
            self._run_alone(batch)
            return
        with self.held.changed:
            now, slot = self.clock(), batch.slot
            cost = sum(member.step.cost for member in batch.members)
            slot.cost.learn(batch.kind, sum(share.seconds for share in shares), cost, now)
            for member, outcome, share in zip(batch.members, outcomes, shares, strict=True):
                if isinstance(outcome, BrokenContract):
                    self.held.end(member.state, EngineFailed(ENGINE_FAILED))
                else:
                    self._record(member, outcome, share.seconds, now)

    def _report_waits(self, batch: Batch) -> None:
        """Emits how long each request waited for its first batch."""
        now = self.clock()
        for member in batch.members:
            state = member.state
            if state.started is None:
                state.started = now
                self.emit(QueueLeft(state.number, member.job.queued.utterance.voice_id, now - state.entered))

    def _run_alone(self, batch: Batch) -> None:
        """Retries each member of a failed batch alone, so that one bad request cannot fail its batch-mates."""
        if len(batch.members) == 1:
            with self.held.changed:
                self.held.end(batch.members[0].state, EngineFailed(ENGINE_FAILED))
            return
        for member in batch.members:
            with self.held.changed:
                is_held = member.state in self.held
            if is_held:
                self._run(Batch((member,)))

    def _record(self, member: PlannedStep, result: StepResult, seconds: float, now: float) -> None:
        """Counts a step's result, and delivers its samples; the request may be gone by now."""
        state, job = member.state, member.job
        start = job.made_samples
        job.add(result)
        _learn_audio(member, result)
        stream = self.held.stream_of(state)
        if stream is None:
            return
        state.engine_seconds += seconds
        if result.is_last:  # before its samples are delivered: the writer then counts what is unspoken
            state.finish_job(job)
            self.held.close_later(job)
            self.emit(UtteranceSpoken(state.number, job.queued.index))
        if len(result.samples):
            audio_seconds = len(result.samples) / job.sample_rate_hz
            state.deliver(audio_seconds, now)
            state.step_seconds = self.policy.next_step_seconds(state)
            stream.deliver(
                Rendered(job.queued.context, result.samples, start, audio_seconds, seconds, result.symbol_samples)
            )
        elif result.is_last:
            stream.note_progress()
        if state.max_seconds is not None and state.known_seconds > state.max_seconds:
            self.held.end(state, AudioTooLong(state.known_seconds))
        self.held.end_if_finished(state)
        self.held.report()

    def _fail_all(self, error: Exception) -> None:
        """Reports a defect of the scheduler itself, and fails every request held, since none would get a batch."""
        slot: Slot = next(iter(self.lane))
        self.emit(EngineRaised("", slot.engine.step_kinds[-1], (), self.clock(), error))
        with self.held.changed:
            for state in self.held:
                self.held.end(state, EngineFailed("the scheduler failed; the server's log has the error; call again"))


def _learn_audio(member: PlannedStep, result: StepResult) -> None:
    """Updates the cost model with the audio that a step's work makes, as soon as that is known.

    Steps that make audio count at once. Preparation counts once the first audio is rendered and the length of the
    utterance is known; at its end at the latest.
    """
    job, step, made = member.job, member.step, len(result.samples)
    cost_model = job.slot.cost
    cost, steps = job.unlearned.pop(step.kind, (0.0, 0))
    cost, steps = cost + step.cost, steps + 1
    if made:
        job.audio_kinds.add(step.kind)
        cost_model.learn_audio(step.kind, cost, steps, made / job.sample_rate_hz, utterances=0)
    elif result.is_last and step.kind in job.audio_kinds:
        cost_model.learn_audio(step.kind, cost, steps, 0.0, utterances=0)
    else:
        job.unlearned[step.kind] = cost, steps
    if job.total_samples is not None and (made or result.is_last):
        for kind, (costs, count) in job.unlearned.items():
            cost_model.learn_audio(kind, costs, count, job.known_seconds, utterances=1)
        job.unlearned.clear()
