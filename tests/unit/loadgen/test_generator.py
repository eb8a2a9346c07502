"""Whole runs against a simulated server, in simulated time."""

import asyncio
import contextlib
import itertools
import math

import pytest

from phonoscope.common.errors import StartupError
from phonoscope.loadgen.arrivals import poisson_arrivals, ramp_arrivals
from phonoscope.loadgen.events import Figures, ServerAway, ServerBack
from phonoscope.loadgen.generator import LoadGenerator
from phonoscope.loadgen.histogram import RELATIVE_ERROR
from phonoscope.loadgen.plan import Cancellation, LoadPlan, PlannedCall

CALL = PlannedCall("Hello.", {}, is_stream=True)
BAD_CALL = PlannedCall("", {}, is_stream=True, is_bad=True)
CANCELLED_CALL = PlannedCall("Hello.", {}, is_stream=True, cancellation=Cancellation())


@pytest.fixture
def load(simulate, simulated_server):
    """Runs a plan; returns its summary and its events. `at` gives times at which to call something of the run."""

    def run(said=None, at=(), neighbours=None, **plan):
        events = []

        async def work():
            generator = LoadGenerator(
                LoadPlan(**plan), simulated_server, said or itertools.repeat(CALL), events.append, neighbours
            )
            for seconds, act in at:
                asyncio.get_running_loop().call_at(seconds, act, generator)
            return await generator.run()

        return simulate(work()), events

    return run


def test_a_closed_loop_keeps_as_many_calls_in_flight_as_planned(load, simulated_server):
    summary, _ = load(concurrency=3, duration_seconds=10.05)
    assert simulated_server.max_at_once == 3
    assert summary.tally.ok == 3 * 101  # the last three were under way when time was up, and ended
    assert summary.seconds == pytest.approx(10.1)


def test_a_number_of_calls_ends_the_run(load):
    summary, _ = load(concurrency=2, duration_seconds=0, calls=5)
    assert summary.tally.ok == 5
    assert summary.seconds == pytest.approx(0.3)


def test_an_open_loop_starts_calls_when_they_are_due_whatever_the_server_does(load, simulated_server):
    simulated_server.reply_seconds = 3.0
    load(arrivals_per_second=20, duration_seconds=10, seed=7)
    due = list(itertools.takewhile(lambda seconds: seconds < 10, poisson_arrivals(20, 7)))
    assert simulated_server.started_at == pytest.approx(due, abs=1e-6)
    assert simulated_server.max_at_once > 40


def test_a_ramp_starts_calls_when_they_are_due(load, simulated_server):
    load(ramp_per_second=(0, 20), duration_seconds=10, seed=7)
    assert simulated_server.started_at == pytest.approx(list(ramp_arrivals(0, 20, 10, 7)), abs=1e-6)


def test_the_summary_of_an_open_loop_has_a_sample_of_each_call_with_the_time_at_which_it_was_due(
    load, simulated_server
):
    simulated_server.away = [(0.0, 3.0)]  # the time counts from when the server is there
    summary, _ = load(arrivals_per_second=20, duration_seconds=10, seed=7)
    due = list(itertools.takewhile(lambda seconds: seconds < 10, poisson_arrivals(20, 7)))
    assert [sample.due_seconds for sample in summary.samples] == pytest.approx(due, abs=1e-6)
    assert [sample.seconds for sample in summary.samples] == pytest.approx([0.1] * len(due))


def test_the_summary_of_a_closed_loop_has_samples_too(load, simulated_server):
    simulated_server.away = [(0.0, 3.0)]
    summary, _ = load(concurrency=1, duration_seconds=0, calls=4)
    assert [sample.due_seconds for sample in summary.samples] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def assert_waited(first_audio, waits):
    """The percentiles are those of `waits`."""
    ordered = sorted(waits)
    assert first_audio.count == len(ordered)
    for percent in (50, 75, 90, 99, 100):
        exact = ordered[math.ceil(len(ordered) * percent / 100) - 1]
        assert first_audio.percentile(percent) == pytest.approx(exact, rel=2 * RELATIVE_ERROR)


def test_a_stall_shows_in_the_percentiles_of_an_open_loop_for_every_call_that_was_due(load, simulated_server):
    """Coordinated omission: a tool that waits for the stalled call would show one slow call in two hundred."""
    simulated_server.stalls = [(5.0, 9.0)]
    summary, _ = load(arrivals_per_second=20, duration_seconds=10)
    due = itertools.takewhile(lambda seconds: seconds < 10, poisson_arrivals(20, 0))
    waits = [9.0 - at if 5.0 <= at + 0.1 < 9.0 else 0.1 for at in due]
    assert_waited(summary.tally.measured["first_audio_seconds"], waits)
    assert sorted(waits)[len(waits) * 8 // 10] > 1.5
    assert summary.tally.no_room == 0


def test_calls_count_from_when_they_were_due_even_when_the_generator_itself_is_late(simulate, simulated_server):
    """A loop that was held up for two seconds starts the calls late; their callers waited all the same."""

    async def work():
        loop = asyncio.get_running_loop()

        def hold_up():
            loop._seconds += 2.0

        plan = LoadPlan(arrivals_per_second=20, duration_seconds=6, line_seconds=60)
        generator = LoadGenerator(plan, simulated_server, itertools.repeat(CALL), print)
        loop.call_at(3.0, hold_up)
        return await generator.run()

    first_audio = simulate(work()).tally.measured["first_audio_seconds"]
    due = itertools.takewhile(lambda seconds: seconds < 6, poisson_arrivals(20, 0))
    sent_before = 3.0 - simulated_server.reply_seconds  # what was under way had its answer late too
    assert_waited(
        first_audio, [5.1 - at if 3.0 <= at < 5.0 else 5.0 - at if sent_before < at < 3.0 else 0.1 for at in due]
    )


def test_what_finds_no_room_is_counted_and_not_sent(load, simulated_server):
    simulated_server.reply_seconds = 100.0
    summary, _ = load(arrivals_per_second=20, max_in_flight=8, duration_seconds=10)
    assert simulated_server.max_at_once == 8
    due = len(list(itertools.takewhile(lambda seconds: seconds < 10, poisson_arrivals(20, 0))))
    assert summary.tally.no_room == due - 8
    assert summary.tally.ok == 8


def test_a_closed_loop_waits_while_the_server_is_away_and_continues_when_it_is_back(load, simulated_server):
    simulated_server.away = [(10.0, 40.0)]
    summary, events = load(concurrency=4, duration_seconds=60)
    told = [event for event in events if not isinstance(event, Figures)]
    assert told[0] == ServerAway("UNAVAILABLE")
    assert isinstance(told[1], ServerBack)
    assert len(told) == 2
    assert summary.tally.failed <= 8
    assert summary.tally.server_away == 0
    assert not [at for at in simulated_server.started_at if 11.0 < at < 40.0]
    assert len([at for at in simulated_server.started_at if at > 46.0]) >= 4 * 10 * 13


def test_an_open_loop_counts_what_was_due_while_the_server_was_away(load, simulated_server):
    simulated_server.away = [(10.0, 40.0)]
    summary, _ = load(arrivals_per_second=10, duration_seconds=60)
    due = len(list(itertools.takewhile(lambda seconds: seconds < 60, poisson_arrivals(10, 0))))
    assert summary.tally.server_away > 0.9 * 10 * 29
    assert summary.tally.ok + summary.tally.failed + summary.tally.server_away == due


def test_a_server_that_is_not_there_yet_is_waited_for_and_the_time_counts_from_then(load, simulated_server):
    simulated_server.away = [(0.0, 30.0)]
    summary, events = load(concurrency=1, duration_seconds=10, line_seconds=4)
    assert summary.seconds == pytest.approx(10.0, abs=0.2)
    assert summary.tally.ok == 100
    assert [type(event) for event in events[:2]] == [ServerAway, ServerBack]
    assert [round(event.at_seconds) for event in events[2:]] == [4, 8]


def test_a_server_that_does_not_come_is_given_up(load, simulated_server):
    simulated_server.away = [(0.0, 1e9)]
    with pytest.raises(StartupError, match=r"simulated:1 was not SERVING within 60 s.*--wait"):
        load()
    assert simulated_server.started_at == []


def test_a_wait_of_zero_is_without_end(load, simulated_server):
    simulated_server.away = [(0.0, 86_400.0)]
    summary, _ = load(wait_seconds=0, calls=1)
    assert summary.tally.ok == 1


def test_stop_cancels_what_is_under_way_and_gives_the_summary(load, simulated_server):
    simulated_server.reply_seconds = 0.4
    summary, _ = load(concurrency=3, duration_seconds=0, at=[(10.1, LoadGenerator.stop), (10.1, LoadGenerator.stop)])
    assert summary.seconds == pytest.approx(10.1)
    assert summary.tally.cut_off == 3
    assert summary.tally.ok == 3 * 25
    assert simulated_server.at_once == 0


def test_stop_while_the_last_calls_end_does_not_wait_for_them(load, simulated_server):
    simulated_server.reply_seconds = 50.0
    summary, _ = load(concurrency=2, duration_seconds=10, at=[(15.0, LoadGenerator.stop)])
    assert (summary.seconds, summary.tally.cut_off) == (pytest.approx(15.0), 2)


def test_stop_before_the_server_came_is_a_summary_of_nothing(load, simulated_server):
    simulated_server.away = [(0.0, 1e9)]
    summary, _ = load(wait_seconds=0, at=[(5.0, LoadGenerator.stop)])
    assert summary.tally.ended == 0


def test_the_figures_of_the_lines_add_up_to_the_summary(load):
    summary, events = load(concurrency=2, duration_seconds=13, line_seconds=5)
    seen = [event for event in events if isinstance(event, Figures)]
    assert [round(figures.at_seconds) for figures in seen] == [5, 10]
    assert [figures.in_flight for figures in seen] == [2, 2]
    told = sum(figures.tally.ok for figures in seen)
    assert told == pytest.approx(200, abs=4)
    assert told < summary.tally.ok == pytest.approx(260, abs=4)


@pytest.mark.parametrize(
    ("error", "retry_after", "calls_a_second"),
    [
        ("RESOURCE_EXHAUSTED QUEUE_FULL", 1.9, 0.5),
        ("INTERNAL", None, 1 / (0.1 + 0.375)),
        ("INVALID_ARGUMENT VOICE_UNKNOWN", None, 1 / (0.1 + 0.375)),
        ("DEADLINE_EXCEEDED", None, 10.0),
    ],
)
def test_a_caller_of_a_closed_loop_comes_back_when_the_server_asks_and_never_at_once_after_a_failure(
    load, simulated_server, error, retry_after, calls_a_second
):
    simulated_server.error = error
    simulated_server.retry_after_seconds = retry_after
    summary, _ = load(concurrency=1, duration_seconds=100)
    assert summary.tally.failed / 100 == pytest.approx(calls_a_second, rel=0.1)


@pytest.mark.parametrize("retry_after", [None, 0.0, 25.0])
@pytest.mark.parametrize(
    "error", ["RESOURCE_EXHAUSTED QUEUE_FULL", "INTERNAL", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT VOICE_UNKNOWN"]
)
def test_an_impatient_client_calls_again_after_its_own_pause_whatever_the_server_asks(
    load, simulated_server, error, retry_after
):
    simulated_server.error = error
    simulated_server.retry_after_seconds = retry_after
    load(concurrency=1, duration_seconds=10, retry_seconds=0.4)
    assert simulated_server.started_at == pytest.approx([0.5 * number for number in range(20)])


def test_an_impatient_client_does_not_pause_after_success(load, simulated_server):
    load(concurrency=1, duration_seconds=0, calls=3, retry_seconds=5.0)
    assert simulated_server.started_at == pytest.approx([0.0, 0.1, 0.2])


def test_a_caller_that_cancelled_is_counted_apart_and_calls_again_at_once(load, simulated_server):
    summary, _ = load(itertools.repeat(CANCELLED_CALL), concurrency=1, duration_seconds=0, calls=3, retry_seconds=5.0)
    assert simulated_server.started_at == pytest.approx([0.0, 0.1, 0.2])
    tally = summary.tally
    assert (tally.cancelled, tally.ok, tally.failed, tally.cut_off) == (3, 0, 0, 0)


class Neighbours(contextlib.AbstractContextManager["Neighbours"]):
    """Remembers when they were there."""

    def __init__(self):
        self.times = []

    def __enter__(self):
        self.times.append(asyncio.get_running_loop().time())
        return self

    def __exit__(self, *_):
        self.times.append(asyncio.get_running_loop().time())


def test_neighbours_are_there_from_when_the_server_is_serving_until_the_last_call_has_ended(load, simulated_server):
    simulated_server.away = [(0.0, 3.0)]
    simulated_server.reply_seconds = 4.0
    neighbours = Neighbours()
    load(neighbours=neighbours, concurrency=1, duration_seconds=10)
    start, end = neighbours.times
    assert start == simulated_server.started_at[0] >= 3.0
    assert end == pytest.approx(start + 12.0)


def test_neighbours_leave_when_the_run_is_stopped(load):
    neighbours = Neighbours()
    load(neighbours=neighbours, duration_seconds=0, at=[(5.0, LoadGenerator.stop)])
    assert neighbours.times == pytest.approx([0.0, 5.0])


def test_neighbours_leave_when_the_run_breaks(load, simulated_server):
    async def fail(*_):
        raise ZeroDivisionError

    simulated_server.make = fail
    neighbours = Neighbours()
    with pytest.raises(ExceptionGroup):
        load(neighbours=neighbours)
    assert len(neighbours.times) == 2


def test_neighbours_stay_away_while_no_server_is_there(load, simulated_server):
    simulated_server.away = [(0.0, 1e9)]
    neighbours = Neighbours()
    with pytest.raises(StartupError):
        load(neighbours=neighbours)
    assert neighbours.times == []


def test_requests_that_are_meant_to_be_refused_do_not_slow_the_loop(load):
    summary, _ = load(itertools.repeat(BAD_CALL), concurrency=1, duration_seconds=10, retry_seconds=0.4)
    assert summary.tally.refused_as_meant == 100


def test_an_error_of_the_generators_own_ends_the_run(load, simulated_server):
    async def fail(*_):
        raise ZeroDivisionError

    simulated_server.make = fail
    with pytest.raises(ExceptionGroup) as caught:
        load()
    assert caught.group_contains(ZeroDivisionError)


def test_calls_are_forgotten_when_they_have_ended(load, simulated_server):
    """What a run keeps does not grow with its calls: only the figures stay."""
    kept = []
    load(
        concurrency=5,
        duration_seconds=1000,
        at=[(at, lambda generator: kept.append(len(generator._in_flight))) for at in (10.0, 500.0, 999.0)],
    )
    assert kept == [5, 5, 5]
