"""Policy, admission and cost model over minutes of simulated load: who gets audio when, and who is refused.

Nothing waits: the clock is a number, and the engine a cost. Streams play what they get as it comes, as a browser does.
"""

import heapq
import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, Overloaded, ServiceError
from phonoscope.server.engines.base import NO_SAMPLES, Job, Step, StepResult, Tuning
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.engines.windows import nearest_size, window_stops
from phonoscope.server.scheduling import scheduler
from phonoscope.server.scheduling.admission import Admission
from phonoscope.server.scheduling.batch_runner import BatchRunner
from phonoscope.server.scheduling.cost_model import CostModel, Estimates
from phonoscope.server.scheduling.held import HeldRequests
from phonoscope.server.scheduling.lane import Lane
from phonoscope.server.scheduling.lane_worker import LaneWorker
from phonoscope.server.scheduling.policy import EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import RequestState
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.types import Utterance

FRAME_SAMPLES = 256
RATE_HZ = 22_050
FRAME_SECONDS = FRAME_SAMPLES / RATE_HZ
CONTEXT_FRAMES = 40
"""Frames that a window costs beside its own: docs/benchmarks.md."""
SIZES = (21, 42, 74, 106, 170, 234, 298, 426)
FRAMES_PER_PHONEME = 8
PREPARE_SHARE = 0.2
"""Of the engine's time for a second of audio, the share of `prepare`."""


class SimulatedJob:
    """An utterance of so many frames, whose step of a certain number raises if it is one that fails."""

    def __init__(self, frames: int, fails_at: float) -> None:
        self.frames = frames
        self.cursor: int | None = None
        self.steps_left = fails_at

    def next_step(self, audio_seconds: float) -> Step | None:
        if self.cursor is None:
            return Step(self, "prepare", "", math.ceil(self.frames / FRAMES_PER_PHONEME), 0.0)
        if self.cursor == self.frames:
            return None
        [stop] = window_stops(self.cursor, nearest_size(SIZES, audio_seconds / FRAME_SECONDS), self.frames)
        frames = stop - self.cursor
        return Step(self, "render", "", frames, frames * FRAME_SAMPLES / RATE_HZ)


class SimulatedEngine:
    """Makes silence; the simulation's clock goes on by what that costs."""

    name, device, precision = "simulated", "cpu", "float32"
    step_kinds = ("prepare", "render")
    voices = (tone_voice("a"),)
    tuning = Tuning({"prepare": 4, "render": 1}, tuple(size * FRAME_SECONDS for size in SIZES), plans_ahead=True)

    def __init__(self, work: Callable[[float], None]) -> None:
        self._work = work
        self.open_jobs = 0

    def warm_up(self) -> None:
        pass

    def idle_work(self) -> int:
        return 0

    def open(self, utterance: Utterance) -> Job:
        self.open_jobs += 1
        frames, fails_at = utterance.symbols
        return SimulatedJob(int(frames), float(fails_at))

    def close(self, job: Job) -> None:
        self.open_jobs -= 1

    def run(self, steps: Sequence[Step]) -> Sequence[StepResult]:
        jobs = [step.job for step in steps]
        frames = sum(
            PREPARE_SHARE * job.frames if job.cursor is None else (1 - PREPARE_SHARE) * (step.cost + CONTEXT_FRAMES)
            for job, step in zip(jobs, steps, strict=True)
        )
        self._work(frames * FRAME_SECONDS)
        for job in jobs:
            job.steps_left -= 1
            if job.steps_left == 0:
                job.steps_left = 1  # whoever runs it alone sees it fail again
                raise RuntimeError("out of tune")
        return [self._result(job, step) for job, step in zip(jobs, steps, strict=True)]

    def _result(self, job: SimulatedJob, step: Step) -> StepResult:
        samples = NO_SAMPLES
        if job.cursor is None:
            job.cursor = 0
        else:
            job.cursor += int(step.cost)
            samples = np.zeros(int(step.cost) * FRAME_SAMPLES, np.float32)
        return StepResult(samples, job.cursor == job.frames, job.frames * FRAME_SAMPLES)


class SimulatedCost(CostModel):
    """Answers a question once for each time: at one time, as many callers ask it as are held and refused."""

    def __init__(self) -> None:
        super().__init__()
        self._estimates: dict[tuple[float, float], Estimates | None] = {}
        self._first_audio_seconds: dict[tuple[float, float], float] = {}

    def learn(self, kind: str, seconds: float, cost: float, now: float) -> None:
        self._forget()
        super().learn(kind, seconds, cost, now)

    def learn_audio(self, kind: str, cost: float, steps: int, audio_seconds: float, *, utterances: int) -> None:
        self._forget()
        super().learn_audio(kind, cost, steps, audio_seconds, utterances=utterances)

    def estimates(self, first_step_seconds: float, now: float, longest_step_seconds: float = 0.0) -> Estimates | None:
        asked = first_step_seconds, now
        if asked not in self._estimates:
            self._estimates[asked] = super().estimates(first_step_seconds, now, longest_step_seconds)
        return self._estimates[asked]

    def first_audio_seconds(self, first_step_seconds: float, now: float) -> float:
        asked = first_step_seconds, now
        if asked not in self._first_audio_seconds:
            self._first_audio_seconds[asked] = super().first_audio_seconds(first_step_seconds, now)
        return self._first_audio_seconds[asked]

    def _forget(self) -> None:
        self._estimates.clear()
        self._first_audio_seconds.clear()


@dataclass(eq=False)
class Listener:
    """One request of a simulation, and what it got when. The scheduler's work sees it as the request's stream."""

    simulation: "Simulation"
    state: RequestState
    arrives: float
    seconds: float
    said: list[Utterance]
    cancels_after: int | None = None  # chunks
    reads_after: float = 0.0  # seconds between a chunk and its being read
    refusal: ServiceError | None = None
    failure: BaseException | None = None
    is_admitted: bool = False
    is_over: bool = False
    when_over: Callable[["Listener"], None] = lambda _self: None
    heard: list[tuple[float, float]] = field(default_factory=list)  # (when, seconds of audio)

    def deliver(self, item: Rendered | BaseException | None) -> None:
        """Takes what the scheduler delivers."""
        if isinstance(item, Rendered):
            self.simulation.play(self, item.audio_seconds)
        else:
            self.failure = item
            self.end()

    def end(self) -> None:
        """Notes that it is over, once."""
        if not self.is_over:
            self.is_over = True
            self.when_over(self)

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    @property
    def first_audio_seconds(self) -> float:
        return self.heard[0][0] - self.arrives

    @property
    def done(self) -> float:
        return self.heard[-1][0]

    @property
    def longest_gap_seconds(self) -> float:
        """How long a player that starts at the first chunk would at most have been silent."""
        return max(self._lateness, default=0.0)

    @property
    def late_chunks(self) -> int:
        """How many chunks came after such a player had run dry."""
        return sum(seconds > 1e-9 for seconds in self._lateness)

    @property
    def _lateness(self) -> list[float]:
        """How long after it was needed each chunk came; the first is needed when it comes."""
        played = itertools.accumulate((seconds for _, seconds in self.heard), initial=0.0)
        return [when - self.heard[0][0] - before for (when, _), before in zip(self.heard, played, strict=False)]


@dataclass
class Simulation:
    """Runs the scheduler's own code, without its threads, on an engine that takes `factor` s for a second of audio.

    `slowdown` says by what to multiply that at a time; `noise` is the spread of the time of a batch.
    """

    factor: float
    max_requests: int = 1000
    slowdown: Callable[[float], float] = lambda _now: 1.0
    noise: float = 0.0
    listeners: list[Listener] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.engine = SimulatedEngine(self._work)
        self.lane = Lane([self.engine])
        [self.slot] = self.lane
        self.slot.cost = SimulatedCost()
        self.states = HeldRequests(lambda _event: None)
        self.policy = EarliestDeadlineFirst()
        runner = BatchRunner(lambda _event: None, lambda: self.now)
        self.worker = LaneWorker(self.lane, self.states, self.policy, runner, lambda _event: None, lambda: self.now)
        self.admission = Admission(self.max_requests, 3600.0, 3.0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._chance = random.Random(0)

    # --- what callers do -----------------------------------------------------------------------------------------

    def at(self, time: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), act))

    def arrive(
        self,
        at: float,
        frames: Iterable[int],
        *,
        is_whole: bool = False,
        deadline: float | None = None,
        cancels_after: int | None = None,
        reads_after: float = 0.0,
        fails_at: float = math.inf,
    ) -> Listener:
        said = [Utterance("a", (count, fails_at)) for count in frames]
        deadline_seconds = None if deadline is None else deadline - at
        state = scheduler._new_state(next(self._numbers), self.slot, at, deadline_seconds, is_unary=is_whole)
        state.owed_seconds = sum(one.symbols[0] for one in said) * FRAME_SECONDS
        listener = Listener(self, state, at, state.owed_seconds, said, cancels_after, reads_after)
        self.listeners.append(listener)
        self.at(at, partial(self._admit, listener))
        return listener

    def arrive_at_random(self, source: random.Random, *, load: float, until: float) -> None:
        """Streams of 4 to 14 s come by a Poisson process that asks for `load` times what the engine can make."""
        per_second = load / (self.factor * 9.0)
        at = source.expovariate(per_second)
        while at < until:
            self.arrive(at, sentences(source, source.uniform(4, 14)))
            at += source.expovariate(per_second)

    def cancel(self, listener: Listener) -> None:
        with self.states.changed:
            self.states.drop(listener.state)
        listener.end()

    def play(self, listener: Listener, audio_seconds: float) -> None:
        """Has a listener hear a chunk."""
        listener.heard.append((self.now, audio_seconds))
        read = partial(listener.state.acknowledge, audio_seconds)
        self.at(self.now + listener.reads_after, lambda: read(self.now))
        if len(listener.heard) == listener.cancels_after:
            self.at(self.now, partial(self.cancel, listener))

    # --- what the scheduler does ---------------------------------------------------------------------------------

    @property
    def estimates(self) -> Estimates | None:
        return self.slot.estimates(self.now)

    @property
    def held(self) -> list[Listener]:
        return [listener for listener in self.listeners if listener.state in self.states]

    def run(self, until: float = float("inf")) -> None:
        """Lets time pass until nothing is left to do, or until the batch that ends after a time."""
        with self.states.changed:
            self._run(until)

    def _run(self, until: float) -> None:
        while self.now < until:
            self._act_until(self.now)
            self.worker._drop_expired()
            self.worker._open_wanted()
            self.worker._close_jobs(self.states.take_jobs_to_close())
            batch = self.policy.choose(self.states, self.now)
            if batch is not None:
                self.worker._run(batch)
            elif self._events:
                self._act_until(min(until, self._events[0][0]))
            else:
                self.now = until if math.isfinite(until) else self.now
                return

    def _act_until(self, time: float) -> None:
        while self._events and self._events[0][0] <= time:
            at, _, act = heapq.heappop(self._events)
            self.now = max(self.now, at)
            act()
        self.now = max(self.now, time)

    def _work(self, seconds: float) -> None:
        """Has the engine take so long at its best; callers do not wait for it."""
        noise = self._chance.lognormvariate(0.0, self.noise)
        self._act_until(self.now + self.factor * seconds * noise * self.slowdown(self.now))

    def _admit(self, listener: Listener) -> None:
        state = listener.state
        state.first_audio_seconds = self.slot.first_audio_seconds(self.now)
        demands = [scheduler._demand(held, self.now) for held in self.states]
        try:
            self.admission.check(scheduler._demand(state, self.now), demands)
        except (Overloaded, DeadlineUnreachable) as refusal:
            listener.refusal = refusal
            listener.end()
            return
        listener.is_admitted = True
        self.states.add(state, listener)
        for utterance in listener.said:
            state.add(utterance, self.slot, None)
        state.is_text_complete = True
        if state.deadline is not None:
            self.at(state.deadline, lambda: None)  # the worker looks at deadlines between batches

    # --- what came of it -----------------------------------------------------------------------------------------

    @property
    def admitted(self) -> list[Listener]:
        return [listener for listener in self.listeners if listener.is_admitted]

    @property
    def refused(self) -> list[Listener]:
        return [listener for listener in self.listeners if listener.is_refused]

    @property
    def late_chunks(self) -> int:
        return sum(listener.late_chunks for listener in self.admitted)

    @property
    def goodput(self) -> float:
        """Seconds of audio, made for players that never ran dry, per second."""
        good = sum(listener.seconds for listener in self.admitted if listener.longest_gap_seconds <= 0)
        return good / self.now


def sentences(source: random.Random, seconds: float) -> list[int]:
    """Sentences of 1 to 6 s, about so many seconds together, in frames."""
    lengths: list[int] = []
    while sum(lengths) * FRAME_SECONDS < seconds:
        lengths.append(round(source.uniform(1, 6) / FRAME_SECONDS))
    return lengths


def warmed(factor: float, **changes: object) -> Simulation:
    """A simulation whose engine has spoken for a while, and is idle at 100 s."""
    simulation = Simulation(factor, **changes)
    source = random.Random(0)
    for number in range(10):
        simulation.arrive(10.0 * number, sentences(source, 8))
    simulation.run(100.0)
    simulation.listeners.clear()
    return simulation


@pytest.mark.parametrize("factor", [0.012, 0.05])
@pytest.mark.parametrize("load", [0.3, 0.55])
def test_below_saturation_everyone_is_heard_without_a_gap(factor: float, load: float) -> None:
    simulation = Simulation(factor)
    simulation.arrive_at_random(random.Random(1), load=load, until=60)
    simulation.run()
    assert len(simulation.listeners) > 30
    assert len(simulation.admitted) >= 0.96 * len(simulation.listeners)  # some come at a bad moment
    assert [x.longest_gap_seconds for x in simulation.admitted if x.longest_gap_seconds > 0] == []
    for listener in simulation.admitted:
        assert sum(seconds for _, seconds in listener.heard) == pytest.approx(listener.seconds)


@pytest.mark.slow
def test_below_saturation_the_slowest_first_audio_is_near_the_usual_one() -> None:
    simulation = Simulation(0.012)
    simulation.arrive_at_random(random.Random(2), load=0.6, until=200)
    simulation.run()
    first_audio = sorted(listener.first_audio_seconds for listener in simulation.admitted)
    assert len(first_audio) > 1000
    assert first_audio[int(0.99 * len(first_audio))] <= 5 * statistics.median(first_audio)


@pytest.mark.slow
def test_at_three_times_what_the_engine_can_make_those_let_in_are_served_as_well_as_ever() -> None:
    peak = Simulation(0.02)
    peak.arrive_at_random(random.Random(3), load=0.75, until=60)
    flood = Simulation(0.02)
    flood.arrive_at_random(random.Random(3), load=3.0, until=60)
    peak.run()
    flood.run()
    assert sum(listener.is_refused for listener in flood.listeners) > len(flood.listeners) / 3
    assert flood.goodput >= 0.9 * peak.goodput
    dry = [listener for listener in flood.admitted if listener.longest_gap_seconds > 0.025]
    assert len(dry) <= len(flood.admitted) / 50


def test_one_long_whole_reply_starves_nobody_and_is_made_beside_streams() -> None:
    source, simulation = random.Random(4), Simulation(0.02)
    simulation.arrive_at_random(source, load=0.5, until=60)
    page = simulation.arrive(5.0, sentences(source, 650), is_whole=True, deadline=125.0)
    simulation.run()
    streams = [listener for listener in simulation.admitted if listener is not page]
    assert page.done < 125.0
    assert max(stream.longest_gap_seconds for stream in streams) <= 0
    assert max(stream.first_audio_seconds for stream in streams) < 0.5


def test_what_cannot_be_made_before_its_deadline_is_refused_and_costs_nothing() -> None:
    source, simulation = random.Random(5), Simulation(0.05)
    simulation.arrive(0.0, sentences(source, 60))
    simulation.arrive(19.9, sentences(source, 60))  # an idle engine would take even what is hopeless
    hopeless = simulation.arrive(20.0, sentences(source, 300), is_whole=True, deadline=21.0)
    simulation.arrive(20.1, sentences(source, 5))
    simulation.run()
    assert hopeless.is_refused
    assert hopeless.heard == []
    assert len(simulation.admitted) == 3


def test_one_request_alone_is_heard_without_a_gap_from_sentence_to_sentence() -> None:
    source, simulation = random.Random(6), Simulation(0.3)
    stream = simulation.arrive(0.0, sentences(source, 60))
    simulation.run()
    assert stream.longest_gap_seconds <= 0


def test_thirty_two_callers_who_come_back_at_once_are_never_refused_where_the_engine_can_feed_them() -> None:
    simulation = Simulation(0.012)
    source = random.Random(7)
    for burst in range(4):
        for _ in range(32):
            simulation.arrive(12.0 * burst, sentences(source, 6))
    simulation.run()
    assert not any(listener.is_refused for listener in simulation.listeners)


# --- what was seen to go wrong ---------------------------------------------------------------------------------


def closed_loop(simulation: Simulation, callers: int, *, until: float, pause_seconds: float = 1.0) -> None:
    """Callers who call again once they have all their audio, or some time after a refusal."""
    source = random.Random(callers)

    def call() -> None:
        simulation.arrive(simulation.now, sentences(source, source.uniform(4, 14))).when_over = call_again

    def call_again(listener: Listener) -> None:
        if simulation.now < until:
            simulation.at(simulation.now + (pause_seconds if listener.is_refused else 0.0), call)

    for _ in range(callers):
        simulation.at(simulation.now, call)


@pytest.mark.parametrize("callers", [1, 2, 4, 8])
@pytest.mark.parametrize("factor", [0.01, 0.05])
def test_eight_callers_in_a_closed_loop_are_never_refused_and_never_run_dry(callers: int, factor: float) -> None:
    simulation = warmed(factor)
    closed_loop(simulation, callers, until=130.0)
    simulation.run()
    assert len(simulation.admitted) > 20
    assert (simulation.refused, simulation.late_chunks) == ([], 0)


@pytest.mark.parametrize("callers", [6, 8, 12, 20])
def test_of_a_burst_on_an_idle_server_those_are_admitted_who_can_be_fed(callers: int) -> None:
    simulation, source = warmed(0.05), random.Random(callers)
    for burst in range(4):
        for _ in range(callers):
            simulation.arrive(105.0 + 30 * burst, sentences(source, 12))
    simulation.run()
    assert max(listener.longest_gap_seconds for listener in simulation.admitted) < 0.02
    assert len(simulation.admitted) >= 4 * min(callers, 8)
    assert max(listener.first_audio_seconds for listener in simulation.admitted) < 3.0


@pytest.mark.slow
def test_impatient_clients_take_nothing_from_those_who_are_served() -> None:
    calm, rude = warmed(0.05), warmed(0.05)
    closed_loop(calm, 4, until=160.0)
    closed_loop(rude, 48, until=160.0, pause_seconds=0.05)
    calm.run()
    rude.run()
    assert len(rude.refused) > 1000
    assert rude.goodput >= 0.9 * calm.goodput
    assert sum(listener.late_chunks > 0 for listener in rude.admitted) <= len(rude.admitted) / 50


@pytest.mark.parametrize("windows", [1, 3])
def test_streams_that_are_interrupted_leave_the_door_open(windows: int) -> None:
    simulation, source = warmed(0.05), random.Random(9)
    for number in range(400):
        simulation.arrive(105.0 + 0.2 * number, sentences(source, 60), cancels_after=windows)
    simulation.run()
    estimates = simulation.estimates
    assert estimates is not None
    assert estimates.real_time_factor < 0.15  # small windows cost more for what they play, not ten times as much
    for number in range(60):
        simulation.arrive(200.0 + number, sentences(source, 60), is_whole=True, deadline=210.0 + number)
    simulation.run()
    assert not simulation.listeners[400].is_refused


def test_a_slow_spell_does_not_lock_the_door() -> None:
    simulation = warmed(0.05, slowdown=lambda now: 60.0 if 100 <= now < 160 else 1.0)
    source = random.Random(10)
    for number in range(30):
        simulation.arrive(100.0 + 2 * number, sentences(source, 6))
    for number in range(10):
        simulation.arrive(600.0 + 3 * number, sentences(source, 30), is_whole=True, deadline=660.0 + 3 * number)
    simulation.run()
    assert not any(listener.is_refused for listener in simulation.listeners[30:])


def test_readers_that_stop_do_not_block_others() -> None:
    simulation, source = warmed(0.05), random.Random(11)
    for number in range(20):
        simulation.arrive(105.0 + number, sentences(source, 60), reads_after=1e6)
    late = [simulation.arrive(200.0 + number, sentences(source, 10)) for number in range(5)]
    simulation.run(300.0)
    assert not any(listener.is_refused for listener in late)


# --- whatever may come -----------------------------------------------------------------------------------------

REFERENCE_LOAD_SECONDS = 300.0
"""A time when nothing is left of any load that hypothesis makes."""

seconds = st.floats(0.0, 60.0)
calls = st.fixed_dictionaries(
    {
        "at": seconds,
        "length": st.floats(0.5, 40.0),
        "kind": st.sampled_from(["stream", "stream", "stream", "unary"]),
        "deadline": st.one_of(st.none(), st.floats(0.2, 60.0)),
        "cancels_after": st.one_of(st.none(), st.none(), st.integers(1, 6)),
        "cancelled_at": st.one_of(st.none(), st.none(), seconds),
        "reads_after": st.sampled_from([0.0, 0.0, 0.0, 2.0, 1e6]),
        "fails_at": st.sampled_from([math.inf, math.inf, math.inf, 1.0, 2.0, 5.0]),
    }
)
spells = st.one_of(st.none(), st.tuples(seconds, st.sampled_from([3.0, 30.0, 100.0])))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(
    load=st.lists(calls, max_size=60),
    spell=spells,
    factor=st.sampled_from([0.01, 0.05, 0.2]),
    source=st.integers(0, 1000).map(random.Random),
)
def test_whatever_happened_an_idle_engine_admits_and_soon_knows_how_fast_it_is(
    load: list[dict[str, Any]], spell: tuple[float, float] | None, factor: float, source: random.Random
) -> None:
    """An idle engine admits; refusals end with the load; ten requests bring the estimates back; nobody is dry."""
    slow_at, slower = spell or (0.0, 1.0)
    simulation = warmed(factor, slowdown=lambda now: slower if slow_at <= now - 100 < slow_at + 60 else 1.0)
    before = simulation.estimates
    for call in load:
        arrive(simulation, call, source)
    simulation.run(100.0 + REFERENCE_LOAD_SECONDS)
    for stalled in [listener for listener in simulation.held if listener.reads_after]:
        simulation.cancel(stalled)  # the edge ends streams that nobody reads
    simulation.run(simulation.now + 1)
    assert all(listener.is_over for listener in simulation.listeners), "all of the load is over"
    assert simulation.engine.open_jobs == 0, "what jobs held is freed"
    for listener in simulation.listeners:
        if isinstance(listener.failure, EngineFailed):
            assert any(one.symbols[1] < math.inf for one in listener.said), "a bad utterance fails alone"
    if spell is None:
        assert not [one for one in simulation.admitted if not one.reads_after and one.longest_gap_seconds > factor]

    later = [simulation.arrive(simulation.now + 10 * number, sentences(source, 8)) for number in range(1, 11)]
    simulation.run()
    assert not any(listener.is_refused for listener in later)
    assert not any(listener.late_chunks for listener in later[-5:])
    after = simulation.estimates
    assert before is not None
    assert after is not None
    assert before.real_time_factor / 1.5 < after.real_time_factor < before.real_time_factor * 1.5
    assert before.first_audio_seconds / 1.5 < after.first_audio_seconds < before.first_audio_seconds * 1.5


def arrive(simulation: Simulation, call: dict[str, Any], source: random.Random) -> None:
    at = 100.0 + call["at"]
    is_whole = call["kind"] == "unary"
    listener = simulation.arrive(
        at,
        sentences(source, call["length"]),
        is_whole=is_whole,
        deadline=None if call["deadline"] is None else at + call["deadline"],
        cancels_after=None if is_whole else call["cancels_after"],
        reads_after=0.0 if is_whole else call["reads_after"],
        fails_at=call["fails_at"],
    )
    if call["cancelled_at"] is not None:
        simulation.at(at + call["cancelled_at"], partial(simulation.cancel, listener))
