"""⑤ The scheduler: admits requests, runs the engine on one thread, hands audio back to the event loop.

Called by ③ synthesizer from the event loop. `admission.py` says who is let in; each turn of the engine thread runs one
batch that `policy.py` chose, through `instrumented_engine.py`. A condition wakes the thread; nothing polls.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, NotReady, ServiceError
from phonoscope.server.engines.base import Engine, Plan, Window
from phonoscope.server.events import Emit, EngineRaised, QueueLeft, QueueMoved, UtteranceQueued, UtteranceSpoken
from phonoscope.server.scheduling.admission import RETRY_SECONDS, Admission, Demand
from phonoscope.server.scheduling.cost_model import CostModel, Estimates
from phonoscope.server.scheduling.instrumented_engine import BatchFailed, MeasuredEngine
from phonoscope.server.scheduling.policy import EarliestDueFirst, PrepareTurn, RenderTurn, Work
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.types import Utterance

MOST_UNREAD_WINDOWS: Final = 4
# How long the batch under way may take to end once the scheduler stops. An interpreter that ends while native code
# runs on another thread may crash.
LAST_BATCH_SECONDS: Final = 10.0


class Scheduler:
    """Runs one engine for many requests.

    Args:
        engine: called from the scheduler's own thread only.
        emit: told of every batch and of the queue's size; called from both threads.
        most_requests: admitted at once.
        most_audio_seconds: owed at once, all requests together.
        max_first_audio_seconds: how long a stream may have to wait for its first audio.
        clock: seconds, monotonic; tests bring their own.
    """

    def __init__(
        self,
        engine: Engine,
        emit: Emit,
        *,
        most_requests: int,
        most_audio_seconds: float,
        max_first_audio_seconds: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = MeasuredEngine(engine, emit, clock)
        self._emit = emit
        self._admission = Admission(most_requests, most_audio_seconds, max_first_audio_seconds)
        self._clock = clock
        self._cost = CostModel()
        self._policy = EarliestDueFirst(engine.tuning, self._cost, most_unread=MOST_UNREAD_WINDOWS)
        self._first_window_frames = engine.tuning.first_window_frames
        self._streams: dict[int, SpeechStream] = {}  # by identity of their Work
        self._changed = threading.Condition()
        self._is_draining = False
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    # --- on the event loop -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts the engine thread and returns once it has warmed the engine up.

        Raises:
            Exception: whatever the engine raised while it warmed up.
        """
        loop = asyncio.get_running_loop()
        warm: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, warm), name="engine", daemon=True)
        self._thread.start()
        await warm

    def open(
        self,
        *,
        request: int,
        audio_seconds: float,
        deadline_seconds: float | None = None,
        is_whole: bool = False,
        most_seconds: float | None = None,
    ) -> SpeechStream:
        """Admits a request.

        Args:
            request: its number, for events.
            audio_seconds: an estimate of the audio that it will want.
            deadline_seconds: from now; None for no deadline.
            is_whole: its audio is of use only once all of it is there.
            most_seconds: with `is_whole`, refuse with AudioTooLong when it turns out longer, before rendering.

        Raises:
            Overloaded: too many requests, too much audio owed, or no player would be fed in time any more.
            NotReady: the server is draining.
            DeadlineUnreachable: the deadline has passed already, or the speech cannot be made before it.
        """
        now = self._clock()
        if deadline_seconds is not None and deadline_seconds <= 0:
            raise DeadlineUnreachable("the deadline had passed before the request was admitted; allow more time")
        with self._changed:
            work = self._new_work(now, deadline_seconds, is_whole=is_whole, request=request)
            self._check(work, audio_seconds, deadline_seconds, now)
            stream = SpeechStream(self, work, audio_seconds, most_seconds)
            self._streams[id(work)] = stream
            self._tell_queue()
            self._changed.notify_all()  # its deadline may be the next
        return stream

    def check_room(self, *, is_whole: bool) -> None:
        """Refuses where `open` would refuse even a request for no audio, before anything is known of its text.

        Raises:
            Overloaded, NotReady: as `open`.
        """
        now = self._clock()
        with self._changed:
            self._check(self._new_work(now, None, is_whole=is_whole), 0.0, None, now)

    def estimates(self) -> Estimates | None:
        """Returns what is believed now of the engine's speed; None while too little is known."""
        with self._changed:
            return self._cost.estimates(self._first_window_frames, self._clock())

    def demand_ratio(self) -> float:
        """Returns the share of the engine's time that the requests held take, by the estimates; 0 while unknown."""
        now = self._clock()
        with self._changed:
            estimates = self._cost.estimates(self._first_window_frames, now)
            if estimates is None:
                return 0.0
            demands = [self._demand(stream, now) for stream in self._streams.values()]
        return self._admission.demand_ratio([one for one in demands if not one.waits_for_caller], estimates)

    def _new_work(self, now: float, deadline_seconds: float | None, *, is_whole: bool, request: int = 0) -> Work:
        return Work(
            now,
            None if deadline_seconds is None else now + deadline_seconds,
            is_whole,
            self._policy.first_window_frames(is_whole=is_whole),
            request,
            first_audio_seconds=self._first_audio_seconds(now),
        )

    def _check(self, work: Work, audio_seconds: float, deadline_seconds: float | None, now: float) -> None:
        """Refuses new work that there is no room for."""
        if self._is_draining:
            raise _draining("this server is shutting down")
        self._admission.check(
            Demand(
                audio_seconds,
                work.due - now,
                deadline_seconds,
                is_starting=work.is_starting,
                is_unary=work.is_whole,
            ),
            [self._demand(held, now) for held in self._streams.values()],
            self._cost.estimates(self._first_window_frames, now),
        )

    def _first_audio_seconds(self, now: float) -> float:
        return self._cost.first_audio_seconds(self._first_window_frames, now)

    def add_utterance(self, stream: SpeechStream, utterance: Utterance) -> None:
        """Puts an utterance in a request's line."""
        work = stream.work
        self._emit(UtteranceQueued(work.request, work.queued, len(utterance.phoneme_ids)))
        with self._changed:
            if work.awaits_text:
                now, first = self._clock(), self._policy.first_window_frames(is_whole=work.is_whole)
                work.begins_again(now, first, self._first_audio_seconds(now))
            work.queued += 1
            work.waiting.append(utterance)
            self._changed.notify_all()

    def expect(self, stream: SpeechStream, audio_seconds: float) -> None:
        """Raises the estimate of what a request will want in all; see SpeechStream.expect."""
        with self._changed:
            others = [self._wanted_seconds(other) for other in self._streams.values() if other is not stream]
            self._admission.check_owed(others, audio_seconds - stream.work.sent_seconds)
            stream.owed_seconds = max(stream.owed_seconds, audio_seconds)

    def finish_text(self, stream: SpeechStream) -> None:
        """Marks a request's text as complete; ends it at once when nothing is left to speak."""
        with self._changed:
            stream.work.is_text_complete = True
            self._end_if_spoken(stream)
            self._changed.notify_all()

    def taken(self, stream: SpeechStream, audio_seconds: float) -> None:
        """Counts a window as read, so that the next may be rendered."""
        with self._changed:
            self._policy.taken(stream.work, audio_seconds, self._clock())
            self._changed.notify_all()

    def remove(self, stream: SpeechStream) -> None:
        """Forgets a request; what it still had waiting is never rendered."""
        with self._changed:
            if self._streams.pop(id(stream.work), None):
                self._tell_queue()
                self._changed.notify_all()

    async def drain(self, most_seconds: float) -> None:
        """Refuses new requests, waits for those admitted up to a bound, then stops the engine thread."""
        with self._changed:
            self._is_draining = True
        await asyncio.to_thread(self._wait_until_empty, most_seconds)
        with self._changed:
            self._is_stopping = True
            for stream in list(self._streams.values()):
                self._fail(stream, _draining("the server shut down first"))
            self._changed.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LAST_BATCH_SECONDS)

    def _wait_until_empty(self, most_seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._streams, timeout=most_seconds)

    # --- on the engine thread ----------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, warm: asyncio.Future[None]) -> None:
        try:
            self._engine.warm_up()
        except Exception as error:  # noqa: BLE001  the engine loop: `start` raises it
            loop.call_soon_threadsafe(_settle, warm, error)
            return
        loop.call_soon_threadsafe(_settle, warm, None)
        while not self._is_stopping:
            try:
                self._run_turns()
            except Exception as error:  # noqa: BLE001  the engine loop: a defect must not leave callers waiting
                self._fail_all(error)

    def _run_turns(self) -> None:
        while (turn := self._next_turn()) is not None:
            if isinstance(turn, PrepareTurn):
                self._prepare(turn)
            else:
                self._render(turn)

    def _fail_all(self, error: Exception) -> None:
        """Reports a defect of the scheduler itself, and fails every request held: none would get a turn."""
        self._emit(EngineRaised("", "render", (), self._clock(), error))
        with self._changed:
            for stream in list(self._streams.values()):
                self._fail(stream, EngineFailed("the scheduler failed; the server's log says how; call again"))

    def _next_turn(self) -> PrepareTurn | RenderTurn | None:
        with self._changed:
            while not self._is_stopping:
                self._drop_expired()
                turn = self._policy.choose((stream.work for stream in self._streams.values()), self._clock())
                if turn is not None:
                    return turn
                self._changed.wait(self._seconds_to_next_deadline())
        return None

    def _drop_expired(self) -> None:
        now = self._clock()
        for stream in list(self._streams.values()):
            if stream.work.deadline is not None and stream.work.deadline <= now:
                self._fail(
                    stream, DeadlineUnreachable("the deadline passed before the speech was made; allow more time")
                )

    def _seconds_to_next_deadline(self) -> float | None:
        deadlines = [s.work.deadline for s in self._streams.values() if s.work.deadline is not None]
        return max(0.0, min(deadlines) - self._clock()) if deadlines else None

    def _prepare(self, turn: PrepareTurn) -> None:
        self._note_waits(turn)
        try:
            plans, members = self._engine.prepare(turn.batch, turn.owners)
        except BatchFailed:
            self._retry_alone(turn)
            return
        with self._changed:
            self._cost.prepared(sum(member.seconds for member in members), turn.batch, plans, self._clock())
            for work, plan, member in zip(turn.works, plans, members, strict=True):
                if stream := self._streams.get(id(work)):
                    self._prepared(stream, plan, member.seconds)

    def _note_waits(self, turn: PrepareTurn) -> None:
        """Tells how long each request waited for its first turn."""
        now = self._clock()
        for work, utterance in zip(turn.works, turn.batch, strict=True):
            if work.started is None:
                work.started = now
                self._emit(QueueLeft(work.request, utterance.voice_id, now - work.entered))

    def _prepared(self, stream: SpeechStream, plan: Plan, seconds: float) -> None:
        stream.work.prepared(plan)
        stream.engine_seconds += seconds
        if stream.most_seconds is not None and stream.work.prepared_seconds > stream.most_seconds:
            self._fail(stream, AudioTooLong(stream.work.prepared_seconds))

    def _render(self, turn: RenderTurn) -> None:
        try:
            waveforms, members = self._engine.render(turn.batch, turn.owners)
        except BatchFailed:
            self._retry_alone(turn)
            return
        with self._changed:
            self._cost.rendered(sum(member.seconds for member in members), turn.batch, self._clock())
            for work, window, samples, member in zip(turn.works, turn.batch, waveforms, members, strict=True):
                if stream := self._streams.get(id(work)):
                    self._rendered(stream, window, _rendered(window, samples, member.seconds, work.spoken))

    def _rendered(self, stream: SpeechStream, window: Window, rendered: Rendered) -> None:
        work, index = stream.work, stream.work.spoken
        work.rendered(window, self._clock())
        work.window_frames = self._policy.next_window_frames(work)
        stream.engine_seconds += rendered.engine_seconds
        if work.spoken > index:
            self._emit(UtteranceSpoken(work.request, index))
        stream.deliver(rendered)
        if not self._end_if_spoken(stream):
            self._tell_queue()

    def _retry_alone(self, turn: PrepareTurn | RenderTurn) -> None:
        """Lets each member of a failed batch try alone, so that one bad request cannot fail its batch-mates."""
        if len(turn.batch) == 1:
            with self._changed:
                if stream := self._streams.get(id(turn.works[0])):
                    self._fail(stream, EngineFailed("the engine failed on this request; the server's log says how"))
        elif isinstance(turn, PrepareTurn):
            for work, utterance in zip(turn.works, turn.batch, strict=True):
                if self._holds(work):
                    self._prepare(PrepareTurn((work,), (utterance,)))
        else:
            for work, window in zip(turn.works, turn.batch, strict=True):
                if self._holds(work):
                    self._render(RenderTurn((work,), (window,)))

    def _holds(self, work: Work) -> bool:
        with self._changed:
            return id(work) in self._streams

    # --- under the lock ----------------------------------------------------------------------------------------

    def _demand(self, stream: SpeechStream, now: float) -> Demand:
        """Returns what admission must know of a request; those that wait for their caller are not short of audio."""
        work = stream.work
        is_silent = work.awaits_text and (work.queued > 0 or stream.owed_seconds == 0)  # its caller has yet to write
        return Demand(
            self._wanted_seconds(stream),
            work.due - now,
            is_starting=work.is_starting,
            is_unary=work.is_whole,
            waits_for_caller=is_silent or self._policy.is_held_up(work),
        )

    def _end_if_spoken(self, stream: SpeechStream) -> bool:
        if not stream.work.is_spoken or id(stream.work) not in self._streams:
            return False
        del self._streams[id(stream.work)]
        stream.deliver(None)
        self._tell_queue()
        self._changed.notify_all()
        return True

    def _fail(self, stream: SpeechStream, error: ServiceError | AudioTooLong) -> None:
        if self._streams.pop(id(stream.work), None):
            stream.deliver(error)
            self._tell_queue()
            self._changed.notify_all()

    def _wanted_seconds(self, stream: SpeechStream) -> float:
        """Returns the audio that the engine must still make; nothing while the reader leaves what it has unread."""
        return 0.0 if self._policy.is_held_up(stream.work) else stream.unsent_seconds

    def _owed_seconds(self) -> float:
        return sum(self._wanted_seconds(stream) for stream in self._streams.values())

    def _tell_queue(self) -> None:
        self._emit(QueueMoved(len(self._streams), self._owed_seconds()))


def _rendered(window: Window, samples: NDArray[np.float32], seconds: float, utterance: int) -> Rendered:
    plan = window.plan
    return Rendered(
        samples,
        seconds,
        window.audio_seconds,
        utterance,
        phoneme_frames=plan.phoneme_frames,
        start=window.start,
        samples_per_frame=plan.samples_per_frame,
    )


def _settle(warm: asyncio.Future[None], error: Exception | None) -> None:
    """Ends the wait of `start`, unless that was cancelled meanwhile."""
    if warm.done():
        return
    if error is None:
        warm.set_result(None)
    else:
        warm.set_exception(error)


def _draining(what: str) -> NotReady:
    return NotReady(
        f"{what}; call again, another replica will answer", reason="DRAINING", retry_after_seconds=RETRY_SECONDS
    )
