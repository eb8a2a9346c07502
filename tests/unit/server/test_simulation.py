"""Policy, admission and what they learn, over minutes of simulated load: who is heard when, and who is turned away.

Nothing waits: the clock is a number, and the engine a cost. Streams play what they get as it comes, as a browser does.
"""

import itertools
import random
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from phonoscope.common.errors import DeadlineUnreachable, Overloaded
from phonoscope.server.admission import Admission, Owed
from phonoscope.server.engines.base import Plan, Tuning
from phonoscope.server.pace import Pace
from phonoscope.server.policy import EarliestDueFirst, PrepareTurn, RenderTurn, Work
from phonoscope.server.types import Utterance

FRAME_SAMPLES = 256
RATE_HZ = 22_050
FRAME_SECONDS = FRAME_SAMPLES / RATE_HZ
CONTEXT_FRAMES = 40
"""Frames that a window costs beside its own: docs/benchmarks.md."""
TUNING = Tuning(4, 1, 21, 426, (21, 42, 74, 106, 170, 234, 298, 426))


@dataclass
class Listener:
    """One request of a simulation, and what it heard when."""

    work: Work
    arrives: float
    seconds: float
    said: list[Utterance]
    is_admitted: bool = False
    is_refused: bool = False
    heard: list[tuple[float, float]] = field(default_factory=list)  # (when, seconds of audio)

    @property
    def first_audio_seconds(self) -> float:
        return self.heard[0][0] - self.arrives

    @property
    def done(self) -> float:
        return self.heard[-1][0]

    @property
    def longest_gap_seconds(self) -> float:
        """How long a player that starts at the first chunk would at most have been silent."""
        played = itertools.accumulate((seconds for _, seconds in self.heard), initial=0.0)
        start = self.heard[0][0]
        return max(when - (start + before) for (when, _), before in zip(self.heard, played, strict=False))

    def owed(self, now: float) -> Owed:
        deadline = None if self.work.deadline is None else self.work.deadline - now
        return Owed(
            max(0.0, self.seconds - self.work.sent_seconds), self.work.due - now, deadline, self.work.is_settled
        )


@dataclass
class Simulation:
    """Runs the scheduler's judgement against an engine that takes `factor` seconds for a second of audio."""

    factor: float
    tuning: Tuning = TUNING
    most_requests: int = 1000
    listeners: list[Listener] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.policy = EarliestDueFirst(self.tuning, most_unread=4)
        self.admission = Admission(self.most_requests, 3600.0)
        self.pace = Pace()

    def arrive(
        self, at: float, frames: Iterable[int], *, is_whole: bool = False, deadline: float | None = None
    ) -> Listener:
        said = [Utterance("a", (count,), 0, 1.0, 0.0, 0.0, seed=0) for count in frames]
        work = Work(at, deadline, is_whole, self.policy.first_window_frames(is_whole=is_whole))
        work.is_text_complete = True
        listener = Listener(work, at, sum(said.phoneme_ids[0] for said in said) * FRAME_SECONDS, said)
        self.listeners.append(listener)
        return listener

    def arrive_at_random(self, source: random.Random, *, load: float, until: float) -> None:
        """Streams of 4 to 14 s come by a Poisson process that asks for `load` times what the engine can make."""
        per_second = load / (self.factor * 9.0)
        at = source.expovariate(per_second)
        while at < until:
            self.arrive(at, sentences(source, source.uniform(4, 14)))
            at += source.expovariate(per_second)

    def run(self) -> None:
        coming = sorted(self.listeners, key=lambda listener: listener.arrives)
        held: dict[int, Listener] = {}
        while coming or held:
            while coming and coming[0].arrives <= self.now:
                self._admit(coming.pop(0), held)
            turn = self.policy.choose([listener.work for listener in held.values()], self.now)
            if turn is None:
                self.now = coming[0].arrives
                continue
            self._run(turn, held)

    def _admit(self, listener: Listener, held: dict[int, Listener]) -> None:
        others = [other.owed(self.now) for other in held.values()]
        try:
            self.admission.check(listener.owed(self.now), others, self.pace.engine_seconds_per_audio_second(self.now))
        except (Overloaded, DeadlineUnreachable):
            listener.is_refused = True
            return
        listener.is_admitted = True
        listener.work.waiting.extend(listener.said)
        held[id(listener.work)] = listener

    def _run(self, turn: PrepareTurn | RenderTurn, held: dict[int, Listener]) -> None:
        if isinstance(turn, PrepareTurn):
            seconds = self.factor * 0.2 * sum(said.phoneme_ids[0] for said in turn.batch) * FRAME_SECONDS
            self.now += seconds
            audio_seconds = sum(said.phoneme_ids[0] for said in turn.batch) * FRAME_SECONDS
            self.pace.prepared(seconds, audio_seconds, self.now)
            for work, said in zip(turn.works, turn.batch, strict=True):
                frames = said.phoneme_ids[0]
                work.prepared(Plan("a", frames, FRAME_SAMPLES, RATE_HZ, (frames,)))
            return
        frames = sum(window.frames + CONTEXT_FRAMES for window in turn.batch)
        seconds = self.factor * 0.8 * frames * FRAME_SECONDS
        self.now += seconds
        self.policy.cost.learn(sum(window.frames for window in turn.batch), seconds)
        self.pace.rendered(seconds, sum(window.audio_seconds for window in turn.batch), self.now)
        for work, window in zip(turn.works, turn.batch, strict=True):
            work.rendered(window, self.now)
            self.policy.taken(work, window.audio_seconds, self.now)
            work.window_frames = self.policy.next_window_frames(work)
            held[id(work)].heard.append((self.now, window.audio_seconds))
            if work.is_spoken:
                del held[id(work)]

    @property
    def admitted(self) -> list[Listener]:
        return [listener for listener in self.listeners if listener.is_admitted]

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


def test_below_saturation_the_slowest_first_audio_is_near_the_usual_one() -> None:
    simulation = Simulation(0.012)
    simulation.arrive_at_random(random.Random(2), load=0.6, until=200)
    simulation.run()
    first_audio = sorted(listener.first_audio_seconds for listener in simulation.admitted)
    assert len(first_audio) > 1000
    assert first_audio[int(0.99 * len(first_audio))] <= 5 * statistics.median(first_audio)


def test_at_three_times_what_the_engine_can_make_those_let_in_are_served_as_well_as_ever() -> None:
    peak = Simulation(0.02)
    peak.arrive_at_random(random.Random(3), load=0.75, until=60)
    flood = Simulation(0.02)
    flood.arrive_at_random(random.Random(3), load=3.0, until=60)
    peak.run()
    flood.run()
    assert sum(listener.is_refused for listener in flood.listeners) > len(flood.listeners) / 3
    assert flood.goodput >= 0.9 * peak.goodput
    dry = [listener for listener in flood.admitted if listener.longest_gap_seconds > 0]
    assert len(dry) <= len(flood.admitted) / 20


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
