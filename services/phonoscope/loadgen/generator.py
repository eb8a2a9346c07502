"""The story of a run: wait for the server, start calls at the plan's pace, tell how it goes, let the last calls end.

Built and run by `phonoscope bench`, inside an event loop, whose clock is the only one here.

A closed loop starts a call whenever one ends, as many users who wait for their answers; a slow server slows it down.
An open loop starts calls when they are due, as many users who do not know of each other; what a slow server delays is
delayed in the figures, since all times count from when a call was due (no coordinated omission).
"""

import asyncio
import functools
import itertools
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from phonoscope.common.errors import StartupError
from phonoscope.loadgen.arrivals import arrivals_of
from phonoscope.loadgen.availability import Availability
from phonoscope.loadgen.events import Figures, LoadEvent, Summary
from phonoscope.loadgen.plan import CallResult, LoadPlan, PlannedCall
from phonoscope.loadgen.samples import SampleLog
from phonoscope.loadgen.tally import Tally
from phonoscope.loadgen.target import Target

PAUSE_AFTER_FAILURE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0


class LoadGenerator:
    """One run of `plan` against `server`, with calls from `calls`; `on_event` hears how it goes.

    `neighbours` is entered when the server is SERVING, and left when the run ends.
    """

    def __init__(
        self,
        plan: LoadPlan,
        server: Target,
        calls: Iterable[PlannedCall],
        on_event: Callable[[LoadEvent], None],
        neighbours: AbstractContextManager[object] | None = None,
    ) -> None:
        self._plan = plan
        self._server = server
        self._calls = itertools.islice(calls, plan.calls or None)
        self._on_event = on_event
        self._neighbours = neighbours or nullcontext()
        self._availability = Availability(server.status, on_event)
        self._is_stopped = asyncio.Event()
        self._in_flight: set[asyncio.Task[CallResult]] = set()
        self._recent = Tally()
        self._whole = Tally()
        self._log = SampleLog(seed=plan.seed)
        self._started = self._told_at = 0.0

    def stop(self) -> None:
        """Ends the run: no more calls, and those under way are cancelled. For signal handlers; may be called twice."""
        self._is_stopped.set()

    async def run(self) -> Summary:
        """Returns what came of the run; raises StartupError where the server is not SERVING in time."""
        now = asyncio.get_running_loop().time
        self._started = self._told_at = now()
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._availability.watch())]
            is_there = await self._until_stopped(self._availability.wait(), self._plan.wait_seconds)
            if is_there:
                with self._neighbours:
                    self._started = self._told_at = now()
                    beside.append(tasks.create_task(self._tell_figures()))
                    await self._until_stopped(self._start_calls(tasks), self._plan.duration_seconds)
                    await self._until_stopped(self._calls_end())
            for task in (*beside, *self._in_flight):
                task.cancel()
        self._whole.merge(self._recent)
        if not is_there and not self._is_stopped.is_set():
            raise StartupError(
                f"{self._server.address} was not SERVING within {self._plan.wait_seconds:g} s: start the server, or "
                "wait longer for it with --wait SECONDS"
            )
        return Summary(self._plan, now() - self._started, self._whole, self._log.samples())

    async def _until_stopped(self, work: Coroutine[None, None, None], seconds: float = 0.0) -> bool:
        """Awaits `work` until it is done, the run is stopped, or `seconds` have passed; 0 means no limit.

        Returns whether it was done; otherwise it is cancelled.
        """
        doing = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._is_stopped.wait())
        try:
            await asyncio.wait({doing, stop}, timeout=seconds or None, return_when=asyncio.FIRST_COMPLETED)
            return doing.done() and doing.result() is None
        finally:
            doing.cancel()
            stop.cancel()
            await asyncio.gather(doing, stop, return_exceptions=True)

    async def _start_calls(self, tasks: asyncio.TaskGroup) -> None:
        if self._plan.is_open_loop:
            await self._open_loop(tasks, arrivals_of(self._plan))
        else:
            await self._closed_loop(tasks)

    async def _closed_loop(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        slots = asyncio.Semaphore(self._plan.slots)

        def give_back(task: asyncio.Task[CallResult]) -> None:
            if not task.cancelled() and task.exception() is None:
                loop.call_later(pause_after(task.result(), self._plan.retry_seconds), slots.release)

        for call in self._calls:
            await slots.acquire()
            await self._availability.wait()
            self._start(tasks, call, loop.time()).add_done_callback(give_back)

    async def _open_loop(self, tasks: asyncio.TaskGroup, arrivals: Iterator[float]) -> None:
        now = asyncio.get_running_loop().time
        for arrival, call in zip(arrivals, self._calls, strict=False):
            due = self._started + arrival
            await asyncio.sleep(max(0.0, due - now()))
            if self._availability.is_away:
                self._recent.server_away += 1
            elif len(self._in_flight) >= self._plan.slots:
                self._recent.no_room += 1
            else:
                self._start(tasks, call, due)

    def _start(self, tasks: asyncio.TaskGroup, call: PlannedCall, due: float) -> asyncio.Task[CallResult]:
        task = tasks.create_task(self._server.make(call, due))
        self._in_flight.add(task)
        task.add_done_callback(functools.partial(self._ended, due=due))
        return task

    def _ended(self, task: asyncio.Task[CallResult], *, due: float) -> None:
        self._in_flight.discard(task)
        if task.cancelled():
            self._recent.cut_off += 1
        elif task.exception() is None:  # an unexpected one ends the whole run, by its task group
            self._recent.add(task.result())
            self._log.add(task.result(), due - self._started)
            if task.result().is_away:
                self._availability.doubt()

    async def _calls_end(self) -> None:
        """Waits for the calls under way; each has its deadline."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _tell_figures(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._plan.line_seconds)
            seconds, self._told_at = now() - self._told_at, now()
            self._on_event(Figures(now() - self._started, seconds, len(self._in_flight), self._recent))
            self._whole.merge(self._recent)
            self._recent = Tally()


def pause_after(made: CallResult, retry_seconds: float | None = None) -> float:
    """Returns how long a caller of a closed loop waits before the next call.

    After a failure as long as the server asks, or else half a second, not all alike; a caller that was kept waiting
    until its deadline has waited enough. With `retry_seconds` just as long as that after every failure.
    """
    is_meant = made.call.is_bad and made.is_refused
    if not made.error or is_meant:
        return 0.0
    if retry_seconds is not None:
        return retry_seconds
    if made.error.startswith("DEADLINE_EXCEEDED"):
        return 0.0
    if made.retry_after_seconds is not None:
        return min(made.retry_after_seconds, LONGEST_PAUSE_SECONDS)
    return PAUSE_AFTER_FAILURE_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
