"""What the engine's batches teach: the time of a batch, and of a second of audio."""

import pytest

from phonoscope.server.scheduling.cost_model import MAX_SLOWDOWN, MIN_BATCHES, CostModel, KindCost

FRAMES_PER_SECOND = 100
FIRST_STEP_SECONDS = 0.2


def learn(cost: KindCost, size: int, seconds: float, now: float = 0.0) -> None:
    cost.learn(seconds, size, now)
    cost.learn_audio(size, 1, size / FRAMES_PER_SECOND, utterances=0)


def prepared(model: CostModel, seconds: float, audio_seconds: float = 3.0, now: float = 0.0) -> None:
    model.learn("prepare", seconds, 40, now)
    model.learn_audio("prepare", 40, 1, audio_seconds, utterances=1)


def rendered(model: CostModel, seconds: float, audio_seconds: float = 1.0, now: float = 0.0) -> None:
    frames = round(FRAMES_PER_SECOND * audio_seconds)
    model.learn("render", seconds, frames, now)
    model.learn_audio("render", frames, 1, audio_seconds, utterances=0)


def factor(model: CostModel, now: float = 0.0) -> float:
    estimates = model.estimates(FIRST_STEP_SECONDS, now)
    assert estimates is not None
    return estimates.real_time_factor


class TestKindCost:
    def test_nothing_is_known_before_enough_turns(self) -> None:
        cost = KindCost()
        for number in range(MIN_BATCHES):
            assert not cost.is_known, number
            learn(cost, 20, 0.01)
        assert cost.is_known
        assert cost.seconds(20, 0.0) == pytest.approx(0.01)

    def test_a_fixed_part_and_a_part_by_size_are_distinguished(self) -> None:
        cost = KindCost()
        for size in (20, 40, 100, 400) * 5:
            learn(cost, size, 0.005 + 0.0001 * size)
        assert [cost.seconds(size, 0.0) for size in (0, 200, 1000)] == pytest.approx([0.005, 0.025, 0.105])
        assert cost.seconds(200, 0.0, batches=3) == pytest.approx(0.035)

    def test_of_one_size_only_others_are_taken_in_proportion(self) -> None:
        cost = KindCost()
        for _ in range(MIN_BATCHES):
            learn(cost, 50, 0.02)
        assert cost.seconds(100, 0.0) == pytest.approx(0.04)

    def test_noise_never_makes_a_larger_turn_cheaper(self) -> None:
        cost = KindCost()
        for size, seconds in [(20, 0.05), (200, 0.01)] * 10:
            learn(cost, size, seconds)
        assert 0 < cost.seconds(10, 0.0) <= cost.seconds(300, 0.0)

    def test_turns_that_the_clock_does_not_resolve_are_no_error(self) -> None:
        cost = KindCost()
        for _ in range(20):
            learn(cost, 20, 0.0)
        assert 0 <= cost.seconds(20, 0.0) < 1e-5

    def test_a_single_stall_changes_little(self) -> None:
        cost = KindCost()
        for _ in range(30):
            for size in (20, 200):
                learn(cost, size, 0.0001 * size)
        learn(cost, 20, 3.0)  # 1500 times as long
        assert cost.seconds(100, 0.0) == pytest.approx(0.01, rel=0.3)
        assert cost.slowdown(0.0) < 1.3

    @pytest.mark.parametrize("slower", [3.0, 60.0])
    def test_a_machine_that_becomes_slower_or_faster_is_believed_after_a_dozen_turns(self, slower: float) -> None:
        cost = KindCost()
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
        cost = KindCost()
        for slower in [1.0] * 30 + [1.3] * 12 + [1.0] * 12:
            learn(cost, 100, slower * 0.01, now=10.0)
        assert cost.seconds(100, 10.0) == pytest.approx(0.01, rel=0.01)
        assert cost.seconds_per_audio_second(10.0) == pytest.approx(0.013, rel=0.02)
        learn(cost, 100, 0.01, now=21.0)
        assert cost.seconds_per_audio_second(21.0) == pytest.approx(0.01, rel=0.02)

    def test_no_slowdown_beyond_what_is_plausible_is_believed(self) -> None:
        cost = KindCost()
        for _ in range(20):
            learn(cost, 100, 0.01)
        for _ in range(200):
            learn(cost, 100, 0.01 * 1e6)
        assert cost.seconds(100, 0.0) <= 4 * MAX_SLOWDOWN * 0.01

    def test_work_that_makes_audio_and_work_for_whole_utterances_are_distinguished(self) -> None:
        maker, preparer = KindCost(), KindCost()
        for cost in (maker, preparer):
            assert not cost.makes_audio
            assert (cost.cost_of(1.0), cost.utterance_seconds(0.0), cost.seconds_per_audio_second(0.0)) == (0, 0, 0)
            for _ in range(MIN_BATCHES):
                cost.learn(0.02, 50, 0.0)
        maker.learn_audio(50, 1, 0.5, utterances=0)
        preparer.learn_audio(100, 2, 2.0, utterances=1)
        assert (maker.makes_audio, preparer.makes_audio) == (True, False)
        assert (maker.cost_of(1.0), preparer.cost_of(1.0)) == (100, 50)
        assert (maker.utterance_seconds(0.0), preparer.utterance_seconds(0.0)) == (0.0, pytest.approx(0.04))

    def test_a_slow_spell_is_forgotten_without_turns(self) -> None:
        cost = KindCost()
        for seconds in [0.01] * 50 + [0.5] * 50:
            learn(cost, 100, seconds, now=10.0)
        assert cost.seconds(100, 10.0) == pytest.approx(0.5, rel=0.05)
        assert cost.seconds(100, 15.0) == pytest.approx(0.255, rel=0.1)
        assert cost.seconds(100, 70.0) == pytest.approx(0.01, rel=0.1)


class TestCostModel:
    def test_nothing_is_believed_before_enough_audio_was_made(self) -> None:
        model = CostModel()
        for _ in range(20):
            prepared(model, 0.03)
        for number in range(MIN_BATCHES):
            assert not model.is_known, number
            assert model.estimates(FIRST_STEP_SECONDS, 0.0) is None
            assert (model.seconds("render", 20, 0.0), model.seconds("prepare", 20, 0.0)) == (0.0, 0.0)
            assert (model.real_time_factor(0.0), model.first_audio_seconds(FIRST_STEP_SECONDS, 0.0)) == (0.0, 0.0)
            rendered(model, 0.05)
        assert model.is_known
        assert model.seconds("render", 100, 0.0) == pytest.approx(0.05)
        assert model.seconds("prepare", 40, 0.0) == pytest.approx(0.03)
        assert model.seconds("unheard of", 40, 0.0) == 0.0

    def test_an_engine_all_of_whose_steps_make_audio_is_known_by_those(self) -> None:
        model = CostModel()
        for _ in range(MIN_BATCHES):
            rendered(model, 0.05)
        assert factor(model) == pytest.approx(0.05)

    def test_all_kinds_that_make_audio_must_be_known(self) -> None:
        model = CostModel()
        for _ in range(MIN_BATCHES):
            rendered(model, 0.05)
        model.learn("vocode", 0.1, 1.0, 0.0)
        model.learn_audio("vocode", 1.0, 1, 1.0, utterances=0)
        assert not model.is_known

    def test_all_kinds_count(self) -> None:
        model = CostModel()
        for _ in range(50):
            prepared(model, 0.03, audio_seconds=3.0)
            rendered(model, 0.02, audio_seconds=1.0)
        assert factor(model) == pytest.approx(0.03, rel=0.02)

    def test_first_audio_takes_a_preparation_and_a_small_step(self) -> None:
        model = CostModel()
        for _ in range(20):
            prepared(model, 0.03)
            rendered(model, 0.02, audio_seconds=0.2)
            rendered(model, 0.05, audio_seconds=0.5)
        estimates = model.estimates(FIRST_STEP_SECONDS, 0.0)
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

    def test_what_a_second_of_audio_costs_and_how_much_of_it_is_preparation(self) -> None:
        model = CostModel()
        for _ in range(20):
            prepared(model, 0.06, audio_seconds=3.0)
            rendered(model, 0.02)
        assert model.audio_work(0.5) == [("render", pytest.approx(0.5 * FRAMES_PER_SECOND))]
        assert model.preparation_factor(0.0) == pytest.approx(0.02)

    def test_a_preparation_of_several_steps_counts_with_all_of_them(self) -> None:
        model = CostModel()
        for _ in range(20):
            for _ in range(4):
                model.learn("refine", 0.01, 10, 0.0)
            model.learn_audio("refine", 40, 4, 2.0, utterances=1)
            rendered(model, 0.02, audio_seconds=0.2)
        assert model.preparation_factor(0.0) == pytest.approx(0.02)
        estimates = model.estimates(FIRST_STEP_SECONDS, 0.0)
        assert estimates is not None
        assert estimates.first_audio_seconds == pytest.approx(4 * 0.01 + 0.02)

    def test_how_slow_the_engine_is_shows_in_the_steps_that_make_audio(self) -> None:
        model = CostModel()
        for slower in [1.0] * 50 + [3.0] * 12:
            prepared(model, 0.03)
            rendered(model, slower * 0.02)
        estimates = model.estimates(FIRST_STEP_SECONDS, 0.0)
        assert estimates is not None
        assert estimates.slowdown == pytest.approx(3.0, rel=0.1)

    def test_a_long_reply_is_not_taken_to_cost_what_many_short_batches_did(self) -> None:
        """Twenty milliseconds of each batch are fixed: 0.1 s of audio in each costs six times as much as 2 s."""
        model = CostModel()
        for seconds in (0.1, 0.1, 0.1, 2.0) * 3 + (0.1,) * 60:
            prepared(model, 0.001, audio_seconds=seconds)
            rendered(model, 0.02 + 0.03 * seconds, audio_seconds=seconds)
        estimates = model.estimates(FIRST_STEP_SECONDS, 0.0, longest_step_seconds=2.0)
        assert estimates is not None
        assert estimates.real_time_factor > 0.15
        assert estimates.whole_factor == pytest.approx(0.02 / 2 + 0.03 + 0.01, rel=0.3)

    def test_a_long_reply_is_estimated_without_the_caution_of_promises(self) -> None:
        model = CostModel()
        for slower in [1.0] * 50 + [3.0] * 12 + [1.0] * 12:
            prepared(model, 0.03)
            rendered(model, slower * 0.02)
        estimates = model.estimates(FIRST_STEP_SECONDS, 0.0, longest_step_seconds=1.0)
        assert estimates is not None
        assert estimates.whole_factor == pytest.approx(0.03, rel=0.05)
        assert estimates.real_time_factor > 1.2 * estimates.whole_factor
