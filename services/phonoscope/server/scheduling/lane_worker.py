"""The work of a lane's thread: open utterances, run the batch that the policy chose, record its results, repeat.

Started by `scheduler.py`. It waits on a condition; nothing polls. Engines are called without the lock, except `open`,
which is cheap by contract.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, NotReady
from phonoscope.server.engines.base import EngineLost, StepResult
from phonoscope.server.events import Emit, EngineRaised, IdleWorkDone, LaneLost, Member, QueueLeft, UtteranceSpoken
from phonoscope.server.scheduling.admission import RETRY_SECONDS
from phonoscope.server.scheduling.batch_runner import BatchFailed, BatchRunner, BrokenContract
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.lane import Lane, Slot
from phonoscope.server.scheduling.next_steps import PlannedStep
from phonoscope.server.scheduling.policy import Batch, Policy
from phonoscope.server.scheduling.request_state import OpenJob, Queued, RequestState
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered

ENGINE_FAILED: Final = "the engine failed on this request; the server's log has the error"
# Defects of the scheduler itself, in a row without a batch, after which it stops: each fails all requests held.
MAX_DEFECTS: Final = 3
# No idle work begins sooner after the last request: the next one often follows at once.
IDLE_SECONDS: Final = 0.05


@dataclass(slots=True, eq=False)
class LaneWorker:
    """Advances the requests held, one batch after another. Every method is called on the lane's thread.

    Attributes:
        lane: the engines.
        held: the requests.
        policy: decides what runs next.
        runner: runs each batch.
        emit: receives the events.
        clock: seconds, monotonic.
        does_idle_work: set it, and notify `held.changed`, once the server is ready.
        is_stopping: set it, and notify `held.changed`, to end the thread.
        is_lost: the engines speak no more until the process restarts, and the thread has ended.
    """

    lane: Lane
    held: HeldRequests
    policy: Policy
    runner: BatchRunner
    emit: Emit
    clock: Callable[[], float]
    does_idle_work: bool = False
    is_stopping: bool = False
    is_lost: bool = False
    _defects: int = 0
    _was_idle: bool = False

    def warm_up(self) -> None:
        """Warms up every engine; propagates any error."""
        for slot in self.lane:
            slot.engine.warm_up()

    def run_until_stopped(self) -> None:
        """Runs batches until the worker is stopped or an engine is lost.

        A defect here fails the requests held, and the loop continues; several in a row end it as a lost engine does.
        """
        while not (self.is_stopping or self.is_lost):
            try:
                while (batch := self._next_batch()) is not None:
                    self._run(batch)
                    self._defects = 0
            except EngineLost as error:
                self.lose(str(error), error)
            except Exception as error:  # noqa: BLE001  the engine loop: a defect must not leave callers waiting
                self._take_defect(error)
            except BaseException as error:  # noqa: BLE001  such as SystemExit: callers must not wait for a dead thread
                self.lose(f"the engine's thread ended: {error!r}", error)
        with self.held.changed:
            to_close = self.held.take_jobs_to_close()
        self._close_jobs(to_close)

    def _next_batch(self) -> Batch | None:
        """Waits for the next batch; returns None once the worker is stopped."""
        while True:
            is_idle = False
            self._check_suspects()
            with self.held.changed:
                if self.is_stopping:
                    return None
                self._drop_expired()
                self._open_wanted()
                to_close = self.held.take_jobs_to_close()
                if not to_close:
                    batch = self._choose()
                    if self._end_broken() or self._suspects():
                        continue
                    if batch is not None:
                        self._was_idle = False
                        return batch
                    is_idle = self._wait()
            self._close_jobs(to_close)
            if is_idle:
                self._do_idle_work()

    def _do_idle_work(self) -> None:
        """Runs one piece of an engine's idle work. One that fails ends it: requests are as they were, only slower."""
        slot = next(slot for slot in self.lane if slot.idle_work_left)
        began = self.clock()
        try:
            slot.idle_work_left = slot.engine.idle_work()
        except EngineLost:
            raise
        except Exception as error:  # noqa: BLE001  the engine loop: no request depends on it
            slot.idle_work_left = 0
            self.emit(EngineRaised("", slot.engine.step_kinds[-1], (), began, error))
        self.emit(IdleWorkDone(slot.engine.name, slot.idle_work_left, self.clock() - began))

    def _close_jobs(self, jobs: list[OpenJob]) -> None:
        for job in jobs:
            job.slot.open_jobs -= 1
            try:
                job.slot.engine.close(job.job)
            except Exception as error:  # noqa: BLE001  an engine that cannot clean up must not end the thread
                if not self.is_lost:  # it has been reported why
                    self._report_raised(job, error)

    def _report_raised(self, job: OpenJob, error: Exception) -> None:
        utterance = job.queued.utterance
        self.emit(EngineRaised(utterance.voice_id, job.slot.engine.step_kinds[-1], (), self.clock(), error))

    def _suspects(self) -> list[Slot]:
        return [slot for slot in self.lane if slot.failures.is_suspect and slot.has_room]

    def _check_suspects(self) -> None:
        """Lets each engine that failed several times in a row repeat what it has spoken before.

        Raises:
            EngineLost: it fails on that too, or has never spoken anything.
        """
        for slot in self._suspects():
            streak = slot.failures
            failed = f"{slot.engine.name} failed on {streak.count} utterances in a row"
            if streak.proven is None:
                raise EngineLost(f"{failed} and has spoken none since its start: {streak.error}") from streak.error
            try:
                slot.speak(streak.proven)
            except Exception as error:
                raise EngineLost(f"{failed}, and now on one that it has spoken before: {error}") from error
            streak.end(streak.proven)

    # --- with the lock held --------------------------------------------------------------------------------------

    def _drop_expired(self) -> None:
        now = self.clock()
        for state in self.held:
            if state.deadline is not None and state.deadline <= now:
                self.held.end(
                    state, DeadlineUnreachable("the deadline passed before the speech was made; allow more time")
                )

    def _wait(self) -> bool:
        """Waits until something changes; returns whether nothing did and there is idle work to do."""
        has_work = self.does_idle_work and not len(self.held) and any(slot.idle_work_left for slot in self.lane)
        if has_work and self._was_idle:
            return True
        seconds = IDLE_SECONDS if has_work else self._seconds_to_next_deadline()
        self._was_idle = not self.held.changed.wait(seconds) and has_work
        return self._was_idle

    def _seconds_to_next_deadline(self) -> float | None:
        deadlines = [state.deadline for state in self.held if state.deadline is not None]
        return max(0.0, min(deadlines) - self.clock()) if deadlines else None

    def _choose(self) -> Batch | None:
        """Returns the batch that the policy chooses; nothing held is nothing to choose from."""
        return self.policy.choose(self.held, self.clock()) if len(self.held) else None

    def _open_wanted(self) -> None:
        """Opens the utterances that the policy chooses."""
        while len(self.held) and (state := self.policy.to_open(self.held)):
            queued = state.waiting.popleft()
            voice_id = queued.utterance.voice_id
            try:
                job = queued.slot.engine.open(queued.utterance)
            except EngineLost:
                raise
            except Exception as error:  # noqa: BLE001  the engine loop: a bad utterance fails alone
                kind = queued.slot.engine.step_kinds[0]
                members = (Member(state.reported_number, queued.index, 0.0),)
                self.emit(EngineRaised(voice_id, kind, members, self.clock(), error))
                self._fail(state, queued, error)
                continue
            queued.slot.open_jobs += 1
            state.jobs.append(OpenJob(queued, job, self.lane.sample_rate_hz(voice_id)))

    def _end_broken(self) -> bool:
        """Fails the requests for which an engine raised in `next_step`; returns whether there were any."""
        broken = [(state, job, job.failure) for state in self.held for job in state.jobs if job.failure]
        for state, job, failure in broken:
            if isinstance(failure, EngineLost):
                raise failure
            self._report_raised(job, failure)
            self._fail(state, job.queued, failure)
        return bool(broken)

    def _fail(self, state: RequestState, queued: Queued, error: Exception) -> None:
        """Fails a request for an utterance that its engine could not speak."""
        queued.slot.failures.add(queued.utterance, error)
        self.held.end(state, EngineFailed(ENGINE_FAILED))

    # --- a batch -------------------------------------------------------------------------------------------------

    def _run(self, batch: Batch) -> None:
        self._report_waits(batch)
        try:
            outcomes, shares = self.runner.run(batch)
        except BatchFailed as failure:
            self._run_alone(batch, failure)
            return
        with self.held.changed:
            now, slot = self.clock(), batch.slot
            cost = sum(member.step.cost for member in batch.members)
            slot.cost.learn(batch.kind, sum(share.seconds for share in shares), cost, now)
            for member, outcome, share in zip(batch.members, outcomes, shares, strict=True):
                if isinstance(outcome, BrokenContract):
                    self._fail(member.state, member.job.queued, outcome)
                else:
                    self._record(member, outcome, share.seconds, now)

    def _report_waits(self, batch: Batch) -> None:
        """Emits how long each request waited for its first batch."""
        now = self.clock()
        for member in batch.members:
            state = member.state
            if state.started is None:
                state.started = now
                self._emit_of(
                    state, QueueLeft(state.number, member.job.queued.utterance.voice_id, now - state.entered)
                )

    def _emit_of(self, state: RequestState, event: QueueLeft | UtteranceSpoken) -> None:
        """Emits an event of a request, unless no caller asked for it."""
        if state.is_reported:
            self.emit(event)

    def _run_alone(self, batch: Batch, failure: BatchFailed) -> None:
        """Retries each member of a failed batch alone, so that one bad request cannot fail its batch-mates."""
        if len(batch.members) == 1:
            with self.held.changed:
                self._fail(batch.members[0].state, batch.members[0].job.queued, failure)
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
        if result.is_last:
            job.slot.failures.end(job.queued.utterance)
        job.learn_audio(member.step, result)
        stream = self.held.stream_of(state)
        if stream is None:
            return
        state.engine_seconds += seconds
        if result.is_last:  # before its samples are delivered: the writer then counts what is unspoken
            state.finish_job(job)
            self.held.close_later(job)
            self._emit_of(state, UtteranceSpoken(state.number, job.queued.index))
        if len(result.samples):
            audio_seconds = len(result.samples) / job.sample_rate_hz
            state.deliver(audio_seconds, now)
            state.step_seconds = self.policy.next_step_seconds(state)
            stream.deliver(Rendered(job.queued.context, result.samples, start, audio_seconds, result.symbol_samples))
        elif result.is_last:
            stream.note_progress()
        if state.max_seconds is not None and state.known_seconds > state.max_seconds:
            self.held.end(state, AudioTooLong(state.known_seconds))
        self.held.end_if_finished(state)
        self.held.report()

    # --- defects, and the end ------------------------------------------------------------------------------------

    def _take_defect(self, error: Exception) -> None:
        """Reports a defect of the scheduler itself, and fails every request held, since none would get a batch."""
        self._defects += 1
        if self._defects == MAX_DEFECTS:
            self.lose(f"the scheduler raised {MAX_DEFECTS} times in a row: {error!r}", error)
            return
        slot: Slot = next(iter(self.lane))
        self.emit(EngineRaised("", slot.engine.step_kinds[-1], (), self.clock(), error))
        with self.held.changed:
            for state in self.held:
                self.held.end(state, EngineFailed("the scheduler failed; the server's log has the error; retry"))

    def lose(self, cause: str, error: BaseException) -> None:
        """Refuses the requests held, and every later one: no batch runs until the process restarts."""
        with self.held.changed:
            self.is_lost = True
            for state in self.held:
                self.held.end(state, engine_lost())
        self.emit(LaneLost(next(iter(self.lane)).engine.device, cause, error))


def engine_lost() -> NotReady:
    """Returns the error of a request to a server whose engines are lost."""
    return NotReady(
        "the speech engine of this server has stopped working, and the server must be restarted; call again, another "
        "replica will answer",
        reason="ENGINE_LOST",
        retry_after_seconds=RETRY_SECONDS,
    )
