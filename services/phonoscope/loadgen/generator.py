"""A run from start to end: wait for the server, start calls at the planned rate, report progress, let the calls end.

Built and run by cli/bench.py, inside an event loop, whose clock is the only one here.

A closed loop starts a call whenever one ends, like users who wait for their answers; a slow server slows it down. An
open loop starts calls when they are due, like independent users; a delay by a slow server is part of the figures,
since all times count from when a call was due (no coordinated omission).
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
MAX_PAUSE_SECONDS: Final = 30.0


class LoadGenerator:
    """One run of `plan` against `server`, with calls from `calls`; `on_event` gets the events.

    `neighbours` is entered when the server is SERVING, and exited when the run ends.
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
        self._started = self._reported_at = 0.0

    def stop(self) -> None:
        """Ends the run and cancels the calls in progress. For signal handlers; may be called twice."""
        self._is_stopped.set()

    async def run(self) -> Summary:
        """Returns the results of the run; raises StartupError when the server is not SERVING in time."""
        now = asyncio.get_running_loop().time
        self._started = self._reported_at = now()
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._availability.watch())]
            is_serving = await self._until_stopped(self._availability.wait(), self._plan.wait_seconds)
            if is_serving:
                with self._neighbours:
                    self._started = self._reported_at = now()
                    background.append(tasks.create_task(self._report_figures()))
                    await self._until_stopped(self._start_calls(tasks), self._plan.duration_seconds)
                    await self._until_stopped(self._wait_for_calls())
            for task in (*background, *self._in_flight):
                task.cancel()
        self._whole.merge(self._recent)
        if not is_serving and not self._is_stopped.is_set():
            raise StartupError(
                f"{self._server.address} was not SERVING within {self._plan.wait_seconds:g} s: start the server, or "
                "increase --wait SECONDS"
            )
        return Summary(self._plan, now() - self._started, self._whole, self._log.samples())

    async def _until_stopped(self, work: Coroutine[None, None, None], seconds: float = 0.0) -> bool:
        """Awaits `work` until it is done, the run is stopped, or `seconds` have passed; 0 means no limit.

        Returns whether it was done; otherwise cancels it.
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

        def release_slot(task: asyncio.Task[CallResult]) -> None:
            if not task.cancelled() and task.exception() is None:
                loop.call_later(pause_after(task.result(), self._plan.retry_seconds), slots.release)

        for call in self._calls:
            await slots.acquire()
            await self._availability.wait()
            self._start(tasks, call, loop.time()).add_done_callback(release_slot)

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
        elif task.exception() is None:  # the task group ends the run for an unexpected exception
            self._recent.add(task.result())
            self._log.add(task.result(), due - self._started)
            if task.result().is_away:
                self._availability.request_check()

    async def _wait_for_calls(self) -> None:
        """Waits for the calls in progress; each has a deadline."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _report_figures(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._plan.line_seconds)
            seconds, self._reported_at = now() - self._reported_at, now()
            self._on_event(Figures(now() - self._started, seconds, len(self._in_flight), self._recent))
            self._whole.merge(self._recent)
            self._recent = Tally()


def pause_after(result: CallResult, retry_seconds: float | None = None) -> float:
    """Returns how long a caller of a closed loop waits before its next call.

    After a failure: the delay that the server requests, or up to half a second with jitter; nothing after a deadline.
    `retry_seconds` replaces these after every failure.
    """
    is_expected = result.call.is_bad and result.is_refused
    if not result.error or is_expected:
        return 0.0
    if retry_seconds is not None:
        return retry_seconds
    if result.error.startswith("DEADLINE_EXCEEDED"):
        return 0.0
    if result.retry_after_seconds is not None:
        return min(result.retry_after_seconds, MAX_PAUSE_SECONDS)
    return PAUSE_AFTER_FAILURE_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
