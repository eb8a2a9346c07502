"""MeasuredEngine: every batch is timed, shared out, held to the contract and told of."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.server.engines.base import Plan, Window
from phonoscope.server.engines.tone import ToneEngine
from phonoscope.server.events import BatchRan, EngineRaised, Event, Member
from phonoscope.server.scheduling.instrumented_engine import BatchFailed, MeasuredEngine
from phonoscope.server.types import Utterance


class SlowEngine:
    """A ToneEngine that takes so many seconds for each batch, on the clock of the test, or raises after them."""

    def __init__(self) -> None:
        self._tone = ToneEngine()
        self.now = 100.0
        self.batch_seconds = 6.0
        self.error: Exception | None = None

    def clock(self) -> float:
        return self.now

    def warm_up(self) -> None:
        self._pass()

    def prepare(self, batch: Sequence[Utterance]) -> list[Plan]:
        self._pass()
        return self._tone.prepare(batch)

    def render(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        self._pass()
        return self._tone.render(windows)

    def _pass(self) -> None:
        self.now += self.batch_seconds
        if self.error:
            raise self.error


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def measured(engine: SlowEngine, events: list[Event]) -> MeasuredEngine:
    return MeasuredEngine(engine, events.append, engine.clock)  # type: ignore[arg-type]  # the part that is called


def utterance(phonemes: int) -> Utterance:
    return Utterance("tone", (40,) * phonemes, 0, 1.0, 0.0, 0.0, seed=0)


def windows(*lengths: int) -> list[Window]:
    (plan,) = ToneEngine().prepare([utterance(100)])
    return [Window(plan, 0, length) for length in lengths]


def test_a_batchs_time_is_shared_by_the_phonemes_of_its_utterances(
    measured: MeasuredEngine, events: list[Event]
) -> None:
    plans, members = measured.prepare([utterance(n) for n in (10, 20, 30)], [(7, 0), (7, 1), (9, 4)])
    assert members == (Member(7, 0, 1.0), Member(7, 1, 2.0), Member(9, 4, 3.0))
    assert events == [BatchRan("tone", "prepare", members, 100.0, 6.0, padding_ratio=1 - 60 / 90)]
    assert [plan.frames for plan in plans] == [80, 160, 240]


def test_a_batchs_time_is_shared_by_the_frames_of_its_windows(measured: MeasuredEngine, events: list[Event]) -> None:
    waveforms, members = measured.render(windows(16, 32), [(1, 0), (2, 0)])
    assert members == (Member(1, 0, 2.0), Member(2, 0, 4.0))
    assert events == [BatchRan("tone", "render", members, 100.0, 6.0, padding_ratio=0.25)]
    assert [len(samples) for samples in waveforms] == [16 * 256, 32 * 256]


@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1), (3, 7, 11, 13), (1, 400)])
def test_the_shares_of_a_batch_sum_to_its_time(
    measured: MeasuredEngine, events: list[Event], lengths: tuple[int, ...]
) -> None:
    measured.prepare([utterance(n) for n in lengths], [(request, 0) for request in range(len(lengths))])
    (event,) = events
    assert isinstance(event, BatchRan)
    assert sum(member.seconds for member in event.members) == pytest.approx(event.seconds)


def test_a_batch_of_like_lengths_has_no_padding(measured: MeasuredEngine, events: list[Event]) -> None:
    measured.render(windows(32, 32, 32), [(1, 0), (2, 0), (3, 0)])
    (event,) = events
    assert isinstance(event, BatchRan)
    assert event.padding_ratio == 0.0


@pytest.mark.parametrize("stage", ["prepare", "render"])
def test_a_batch_that_the_engine_raises_on_is_told_of_with_everyone_in_it(
    measured: MeasuredEngine, engine: SlowEngine, events: list[Event], stage: str
) -> None:
    engine.error = RuntimeError("out of order")
    owners = [(7, 2), (9, 0)]
    run = {
        "prepare": lambda: measured.prepare([utterance(10), utterance(20)], owners),
        "render": lambda: measured.render(windows(16, 32), owners),
    }
    with pytest.raises(BatchFailed) as caught:
        run[stage]()
    assert caught.value.__cause__ is engine.error
    assert events == [EngineRaised("tone", stage, (Member(7, 2, 3.0), Member(9, 0, 3.0)), 100.0, engine.error)]


def test_an_engine_that_breaks_its_contract_has_raised(measured: MeasuredEngine, events: list[Event]) -> None:
    long = windows(16)[0].plan
    with pytest.raises(BatchFailed):
        measured.render([Window(long, long.frames - 1, long.frames + 1)], [(1, 0)])
    (event,) = events
    assert isinstance(event, EngineRaised)


def test_warming_up_is_no_batch(measured: MeasuredEngine, engine: SlowEngine, events: list[Event]) -> None:
    measured.warm_up()
    assert events == []
    engine.error = MemoryError("no room")
    with pytest.raises(MemoryError, match="no room"):
        measured.warm_up()
