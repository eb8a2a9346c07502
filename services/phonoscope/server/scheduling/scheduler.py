"""The scheduler: admits requests, runs them on a lane's thread, returns audio to the event loop.

Called by `speech/` from the event loop. `admission.py` decides what is admitted, `policy.py` what runs next;
`lane_worker.py` is the thread.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from phonoscope.common.errors import DeadlineUnreachable, NotReady
from phonoscope.server.engines.base import Engine
from phonoscope.server.events import Emit, UtteranceQueued
from phonoscope.server.scheduling.admission import RETRY_SECONDS, Admission, Demand
from phonoscope.server.scheduling.batch_runner import BatchRunner
from phonoscope.server.scheduling.cost_model import Estimates
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.lane import Lane, Slot
from phonoscope.server.scheduling.lane_worker import LaneWorker, engine_lost
from phonoscope.server.scheduling.policy import Policy
from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.scheduling.stream import SpeechStream
from phonoscope.server.types import Utterance

# How long the current batch may take to end once the scheduler stops. An interpreter that ends while native code
# runs on another thread may crash.
LAST_BATCH_SECONDS: Final = 10.0


class Scheduler:
    """Runs the engines of one device for many requests.

    Args:
        engines: of one device; called from the scheduler's own thread only.
        emit: receives an event for every batch and for the queue's size; called from both threads.
        admission: decides what is admitted.
        policy: decides what runs next.
        clock: seconds, monotonic; tests supply their own.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        emit: Emit,
        *,
        admission: Admission,
        policy: Policy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lane = Lane(engines)
        self._emit = emit
        self._admission = admission
        self._clock = clock
        self._held = HeldRequests(emit)
        self._worker = LaneWorker(self._lane, self._held, policy, BatchRunner(emit, clock), emit, clock)
        self._is_draining = False
        self._lost = asyncio.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Starts the lane's thread and returns once it has warmed the engines up.

        Raises:
            Exception: any error of an engine's warm-up.
        """
        loop = asyncio.get_running_loop()
        warm = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, warm), name="engine", daemon=True)
        self._thread.start()
        await warm

    def begin_idle_work(self) -> None:
        """Lets engines prepare for later requests while none is held."""
        with self._held.changed:
            self._worker.does_idle_work = True
            self._held.changed.notify_all()

    async def wait_until_lost(self) -> None:
        """Returns once an engine is lost: every request is then refused until the process restarts."""
        await self._lost.wait()

    def open(
        self,
        *,
        request: int,
        voice_id: str,
        audio_seconds: float,
        deadline_seconds: float | None = None,
        is_unary: bool = False,
        max_seconds: float | None = None,
        is_reported: bool = True,
    ) -> SpeechStream:
        """Admits a request.

        Args:
            request: its number, unique in this process.
            voice_id: its first voice.
            audio_seconds: an estimate of its total audio.
            deadline_seconds: from now; None for no deadline.
            is_unary: its audio is needed only once all of it is complete.
            max_seconds: of a unary request: longer audio raises AudioTooLong.
            is_reported: whether events report it; False for speech that the server itself requests.

        Raises:
            Overloaded: too many requests, too much audio owed, or some audio would be late.
            NotReady: the server is draining, or an engine is lost.
            DeadlineUnreachable: the deadline has passed, or the speech cannot be rendered before it.
        """
        now = self._clock()
        if deadline_seconds is not None and deadline_seconds <= 0:
            raise DeadlineUnreachable("the deadline passed before the request was admitted; set a later deadline")
        with self._held.changed:
            slot = self._lane.of_voice(voice_id)
            state = _new_state(request, slot, now, deadline_seconds, is_unary=is_unary)
            state.owed_seconds, state.max_seconds = audio_seconds, max_seconds
            state.is_reported = is_reported
            self._check(state, now)
            stream = SpeechStream(self, state)
            self._held.add(state, stream)
        return stream

    def check_room(self, *, is_unary: bool) -> None:
        """Raises if `open` would refuse even a request for no audio, before its text is read.

        Raises:
            Overloaded, NotReady: as `open`.
        """
        now = self._clock()
        with self._held.changed:
            self._check(_new_state(0, next(iter(self._lane)), now, None, is_unary=is_unary), now)

    def estimates(self) -> Mapping[str, Estimates]:
        """Returns the current estimates of each engine's speed, by name; engines without estimates are omitted."""
        with self._held.changed:
            return self._lane.estimates(self._clock())

    def demand_ratio(self) -> float:
        """Returns the estimated share of the lane's time that the requests held need; 0 while unknown."""
        now = self._clock()
        with self._held.changed:
            return self._admission.demand_ratio([_demand(state, now) for state in self._held])

    def _check(self, state: RequestState, now: float) -> None:
        """Refuses a new request if there is no capacity for it."""
        if self._is_draining:
            raise _draining("the server is shutting down")
        if self._worker.is_lost:
            raise engine_lost()
        self._admission.check(_demand(state, now), [_demand(held, now) for held in self._held])

    def add_utterance(self, state: RequestState, utterance: Utterance, context: object) -> None:
        """Appends an utterance."""
        if state.is_reported:
            self._emit(UtteranceQueued(state.number, state.queued, len(utterance.symbols)))
        with self._held.changed:
            if state.awaits_text:
                now, slot = self._clock(), state.slot
                state.begin_again(now, _first_step_seconds(slot, is_unary=False), slot.first_audio_seconds(now))
            state.add(utterance, self._lane.of_voice(utterance.voice_id), context)
            self._held.changed.notify_all()

    def expect(self, state: RequestState, audio_seconds: float) -> None:
        """Increases the estimate of a request's total audio; see SpeechStream.expect."""
        with self._held.changed:
            others = [other.wanted_seconds for other in self._held if other is not state]
            self._admission.check_owed(others, audio_seconds - state.sent_seconds)
            state.owed_seconds = max(state.owed_seconds, audio_seconds)

    def finish_text(self, state: RequestState) -> None:
        """Marks a request's text as complete; ends it at once if nothing is left to speak."""
        with self._held.changed:
            state.is_text_complete = True
            if state in self._held:
                self._held.end_if_finished(state)
            self._held.changed.notify_all()

    def acknowledge(self, state: RequestState, audio_seconds: float) -> None:
        """Counts audio as read, so that more may be rendered."""
        with self._held.changed:
            state.acknowledge(audio_seconds, self._clock())
            self._held.changed.notify_all()

    def remove(self, state: RequestState) -> None:
        """Drops a request; discards its waiting utterances and closes its jobs."""
        with self._held.changed:
            self._held.drop(state)

    async def drain(self, max_seconds: float) -> None:
        """Refuses new requests, waits up to `max_seconds` for those admitted, then stops the lane's thread."""
        with self._held.changed:
            self._is_draining = True
        await asyncio.to_thread(self._wait_until_empty, max_seconds)
        with self._held.changed:
            self._worker.is_stopping = True
            for state in self._held:
                self._held.end(state, _draining("the server shut down before the request was finished"))
            self._held.changed.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LAST_BATCH_SECONDS)

    def _wait_until_empty(self, max_seconds: float) -> None:
        with self._held.changed:
            self._held.changed.wait_for(lambda: not len(self._held), timeout=max_seconds)

    def _run(self, loop: asyncio.AbstractEventLoop, warm: "asyncio.Future[None]") -> None:
        """The lane's thread."""
        try:
            self._worker.warm_up()
        except Exception as error:  # noqa: BLE001  the engine loop: `start` raises it
            loop.call_soon_threadsafe(_settle, warm, error)
            return
        loop.call_soon_threadsafe(_settle, warm, None)
        self._worker.run_until_stopped()
        if self._worker.is_lost:
            loop.call_soon_threadsafe(self._lost.set)


def _new_state(
    request: int, slot: Slot, now: float, deadline_seconds: float | None, *, is_unary: bool
) -> RequestState:
    return RequestState(
        request,
        slot,
        now,
        None if deadline_seconds is None else now + deadline_seconds,
        is_unary,
        first_audio_seconds=slot.first_audio_seconds(now),
        step_seconds=_first_step_seconds(slot, is_unary=is_unary),
    )


def _first_step_seconds(slot: Slot, *, is_unary: bool) -> float:
    """Returns the audio of a request's first step."""
    sizes = slot.tuning.audio_seconds
    return (sizes[-1] if is_unary else sizes[0]) if sizes else 0.0


def _demand(state: RequestState, now: float) -> Demand:
    """Returns a request's demand, for admission."""
    return Demand(
        state.wanted_seconds,
        state.due - now,
        None if state.deadline is None else state.deadline - now,
        is_starting=state.is_starting,
        is_unary=state.is_unary,
        waits_for_caller=state.waits_for_caller,
        estimates=state.slot.estimates(now),
    )


def _settle(warm: "asyncio.Future[None]", error: Exception | None) -> None:
    """Completes the future of `start`, unless it was cancelled."""
    if warm.done():
        return
    if error is None:
        warm.set_result(None)
    else:
        warm.set_exception(error)


def _draining(what: str) -> NotReady:
    return NotReady(f"{what}; retry to reach another replica", reason="DRAINING", retry_after_seconds=RETRY_SECONDS)
