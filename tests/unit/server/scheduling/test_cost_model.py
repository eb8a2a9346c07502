"""What the engine's turns teach: the time of a turn, and of a second of audio."""

import pytest

from phonoscope.server.engines.base import Plan, Window
from phonoscope.server.scheduling.cost_model import MAX_SLOWDOWN, MIN_TURNS, CostModel, TurnCost
from phonoscope.server.types import Utterance

FRAMES_PER_SECOND = 100
RATE_HZ = 22_100


def plan_of(seconds: float) -> Plan:
    frames = round(FRAMES_PER_SECOND * seconds)
    return Plan("a", frames, RATE_HZ // FRAMES_PER_SECOND, RATE_HZ, (frames,))


def utterance(phonemes: int) -> Utterance:
    return Utterance("a", (1,) * phonemes, 0, 1.0, 0.0, 0.0, seed=0)


def learn(cost: TurnCost, size: int, seconds: float, now: float = 0.0) -> None:
    cost.learn(seconds, members=1, size=size, audio_seconds=size / FRAMES_PER_SECOND, now=now)


def prepared(model: CostModel, seconds: float, audio_seconds: float = 3.0, now: float = 0.0) -> None:
    model.prepared(seconds, [utterance(40)], [plan_of(audio_seconds)], now)


def rendered(model: CostModel, seconds: float, audio_seconds: float = 1.0, now: float = 0.0) -> None:
    plan = plan_of(audio_seconds)
    model.rendered(seconds, [Window(plan, 0, plan.frames)], now)


def factor(model: CostModel, now: float = 0.0) -> float:
    estimates = model.estimates(20, now)
    assert estimates is not None
    return estimates.real_time_factor


class TestTurnCost:
    def test_nothing_is_known_before_enough_turns(self) -> None:
        cost = TurnCost()
        for number in range(MIN_TURNS):
            assert not cost.is_known, number
            learn(cost, 20, 0.01)
        assert cost.is_known
        assert cost.seconds(20, 0.0) == pytest.approx(0.01)

    def test_a_fixed_part_and_a_part_by_size_are_told_apart(self) -> None:
        cost = TurnCost()
        for size in (20, 40, 100, 400) * 5:
            learn(cost, size, 0.005 + 0.0001 * size)
        assert [cost.seconds(size, 0.0) for size in (0, 200, 1000)] == pytest.approx([0.005, 0.025, 0.105])
        assert cost.seconds(200, 0.0, turns=3) == pytest.approx(0.035)

    def test_of_one_size_only_others_are_taken_in_proportion(self) -> None:
        cost = TurnCost()
        for _ in range(MIN_TURNS):
            learn(cost, 50, 0.02)
        assert cost.seconds(100, 0.0) == pytest.approx(0.04)

    def test_noise_never_makes_a_larger_turn_cheaper(self) -> None:
        cost = TurnCost()
        for size, seconds in [(20, 0.05), (200, 0.01)] * 10:
            learn(cost, size, seconds)
        assert 0 < cost.seconds(10, 0.0) <= cost.seconds(300, 0.0)

    def test_turns_that_the_clock_does_not_resolve_are_no_error(self) -> None:
        cost = TurnCost()
        for _ in range(20):
            learn(cost, 20, 0.0)
        assert 0 <= cost.seconds(20, 0.0) < 1e-5

    def test_a_single_stall_changes_little(self) -> None:
        cost = TurnCost()
        for _ in range(30):
            for size in (20, 200):
                learn(cost, size, 0.0001 * size)
        learn(cost, 20, 3.0)  # 1500 times as long
        assert cost.seconds(100, 0.0) == pytest.approx(0.01, rel=0.3)
        assert cost.slowdown(0.0) < 1.3

    @pytest.mark.parametrize("slower", [3.0, 60.0])
    def test_a_machine_that_becomes_slower_or_faster_is_believed_after_a_dozen_turns(self, slower: float) -> None:
        cost = TurnCost()
        for _ in range(50):
            for size in (20, 200):
                learn(cost, size, 0.0001 * size)
        for _ in range(6):
            for size in (20, 200):
                learn(cost, size, slower * 0.0001 * size)
        assert cost.seconds(100, 0.0) == pytest.approx(slower * 0.01, rel=0.1)
        assert cost.slowdown(0.0) == pytest.approx(slower, rel=0.1)
        for _ in range(6):
            for size in (20, 200):
                learn(cost, size, 0.0001 * size)
        assert cost.seconds(100, 0.0) == pytest.approx(0.01, rel=0.1)

    def test_what_is_promised_counts_with_the_slowest_of_the_last_seconds(self) -> None:
        cost = TurnCost()
        for slower in [1.0] * 30 + [1.3] * 12 + [1.0] * 12:
            learn(cost, 100, slower * 0.01, now=10.0)
        assert cost.seconds(100, 10.0) == pytest.approx(0.01, rel=0.01)
        assert cost.seconds_per_audio_second(10.0) == pytest.approx(0.013, rel=0.02)
        learn(cost, 100, 0.01, now=21.0)
        assert cost.seconds_per_audio_second(21.0) == pytest.approx(0.01, rel=0.02)

    def test_no_slowdown_beyond_what_is_plausible_is_believed(self) -> None:
        cost = TurnCost()
        for _ in range(20):
            learn(cost, 100, 0.01)
        for _ in range(200):
            learn(cost, 100, 0.01 * 1e6)
        assert cost.seconds(100, 0.0) <= 4 * MAX_SLOWDOWN * 0.01

    def test_a_slow_spell_is_forgotten_without_turns(self) -> None:
        cost = TurnCost()
        for seconds in [0.01] * 50 + [0.5] * 50:
            learn(cost, 100, seconds, now=10.0)
        assert cost.seconds(100, 10.0) == pytest.approx(0.5, rel=0.05)
        assert cost.seconds(100, 15.0) == pytest.approx(0.255, rel=0.1)
        assert cost.seconds(100, 70.0) == pytest.approx(0.01, rel=0.1)


class TestCostModel:
    def test_nothing_is_believed_before_both_halves_were_seen(self) -> None:
        model = CostModel()
        for _ in range(20):
            rendered(model, 0.05)
        assert model.estimates(20, 0.0) is None
        assert (model.render_seconds(20, 0.0), model.prepare_seconds(20, 0.0)) == (0.0, 0.0)
        prepared(model, 0.03)
        assert model.is_known

    def test_both_halves_count(self) -> None:
        model = CostModel()
        for _ in range(50):
            prepared(model, 0.03, audio_seconds=3.0)
            rendered(model, 0.02, audio_seconds=1.0)
        assert factor(model) == pytest.approx(0.03, rel=0.02)

    def test_a_first_sound_takes_a_prepare_and_a_small_window(self) -> None:
        model = CostModel()
        for _ in range(20):
            prepared(model, 0.03)
            rendered(model, 0.02, audio_seconds=0.2)
            rendered(model, 0.05, audio_seconds=0.5)
        estimates = model.estimates(20, 0.0)
        assert estimates is not None
        assert estimates.first_audio_seconds == pytest.approx(0.05, rel=0.02)

    def test_streams_cancelled_after_their_first_window_do_not_raise_the_estimate(self) -> None:
        model = CostModel()
        for number in range(400):
            prepared(model, 0.05, audio_seconds=5.0, now=0.1 * number)
            rendered(model, 0.005, audio_seconds=0.25, now=0.1 * number)  # the other 4.75 s are never rendered
        assert factor(model, 40.0) == pytest.approx(0.03, rel=0.02)

    def test_after_a_slow_spell_ten_requests_bring_the_estimate_back(self) -> None:
        model = CostModel()
        for slower in [1] * 40 + [60] * 200:
            prepared(model, slower * 0.03)
            rendered(model, slower * 0.02)
        assert factor(model) == pytest.approx(60 * 0.03, rel=0.1)
        for _ in range(10):
            prepared(model, 0.03)
            rendered(model, 0.02)
            rendered(model, 0.02)
        assert 0.03 / 1.5 < factor(model) < 0.03 * 1.5

    def test_how_long_a_frame_sounds_and_how_much_of_it_is_prepare(self) -> None:
        model = CostModel()
        for _ in range(20):
            prepared(model, 0.06, audio_seconds=3.0)
            rendered(model, 0.02)
        assert model.frame_seconds == pytest.approx(1 / FRAMES_PER_SECOND)
        assert model.prepare_factor(0.0) == pytest.approx(0.02)
