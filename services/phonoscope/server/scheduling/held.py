"""The requests that a scheduler holds, and the lock that guards them: the single owner of their states.

`scheduler.py` adds and drops them on the event loop, `lane_worker.py` advances them on the lane's thread.
"""

import threading
from collections.abc import Iterator

from phonoscope.server.events import Emit, QueueMoved
from phonoscope.server.scheduling.request_state import OpenJob, RequestState
from phonoscope.server.scheduling.stream import SpeechStream


class HeldRequests:
    """States and streams of the requests held, by their number. Acquire `changed` before using anything else.

    Attributes:
        changed: the lock, and the condition that something has changed.
    """

    def __init__(self, emit: Emit) -> None:
        self.changed = threading.Condition()
        self._emit = emit
        self._held: dict[int, tuple[RequestState, SpeechStream]] = {}
        self._to_close: list[OpenJob] = []

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[RequestState]:
        return iter([state for state, _ in self._held.values()])

    def __contains__(self, state: RequestState) -> bool:
        return state.number in self._held

    def add(self, state: RequestState, stream: SpeechStream) -> None:
        """Holds a request.

        Raises:
            ValueError: one of that number is held already.
        """
        if state.number in self._held:
            raise ValueError(f"request {state.number} is held already")
        self._held[state.number] = state, stream
        self.report()
        self.changed.notify_all()

    def drop(self, state: RequestState) -> SpeechStream | None:
        """Removes a request and schedules its jobs for closing; returns its stream, None if it was not held."""
        _, stream = self._held.pop(state.number, (state, None))
        if stream is not None:
            self._to_close += state.jobs
            state.jobs.clear()
            self.report()
            self.changed.notify_all()
        return stream

    def end(self, state: RequestState, item: BaseException | None) -> None:
        """Drops a request and ends its stream, with an error if there is one."""
        if stream := self.drop(state):
            stream.deliver(item)

    def end_if_finished(self, state: RequestState) -> None:
        """Ends a request if all of its text is spoken."""
        if state.is_finished:
            self.end(state, None)

    def stream_of(self, state: RequestState) -> SpeechStream | None:
        """Returns the stream of a request; None if it is no longer held."""
        return self._held[state.number][1] if state.number in self._held else None

    def close_later(self, job: OpenJob) -> None:
        """Schedules a job to be closed by the lane's thread."""
        self._to_close.append(job)

    def take_jobs_to_close(self) -> list[OpenJob]:
        """Returns the jobs to close, once each."""
        jobs, self._to_close = self._to_close, []
        return jobs

    def report(self) -> None:
        """Emits QueueMoved."""
        self._emit(QueueMoved(len(self._held), sum(state.wanted_seconds for state, _ in self._held.values())))
