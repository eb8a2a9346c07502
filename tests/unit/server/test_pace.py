"""What the engine's turns teach: the time of a render, and of a second of audio."""

import pytest

from phonoscope.server.pace import FEWEST_TURNS, Pace, RenderCost


class TestRenderCost:
    def test_nothing_is_said_before_enough_is_known(self) -> None:
        cost = RenderCost()
        for _ in range(FEWEST_TURNS - 1):
            cost.learn(20, 0.01)
        assert cost.seconds(20) is None
        cost.learn(20, 0.01)
        assert cost.seconds(20) == pytest.approx(0.01)

    def test_a_fixed_part_and_a_part_by_length_are_told_apart(self) -> None:
        cost = RenderCost()
        for frames in (20, 40, 100, 400) * 4:
            cost.learn(frames, 0.005 + 0.0001 * frames)
        assert [cost.seconds(frames) for frames in (0, 200, 1000)] == pytest.approx([0.005, 0.025, 0.105])

    def test_of_one_length_only_others_are_taken_in_proportion(self) -> None:
        cost = RenderCost()
        for _ in range(FEWEST_TURNS):
            cost.learn(50, 0.02)
        assert cost.seconds(100) == pytest.approx(0.04)

    def test_a_machine_that_becomes_slower_is_believed(self) -> None:
        cost = RenderCost()
        for factor in [1] * 50 + [3] * 300:
            for frames in (20, 200):
                cost.learn(frames, factor * 0.0001 * frames)
        assert cost.seconds(100) == pytest.approx(0.03, rel=0.01)

    def test_noise_never_makes_a_longer_window_cheaper(self) -> None:
        cost = RenderCost()
        for frames, seconds in [(20, 0.05), (200, 0.01)] * FEWEST_TURNS:
            cost.learn(frames, seconds)
        short, long = cost.seconds(10), cost.seconds(300)
        assert short is not None
        assert long is not None
        assert 0 <= short < long


class TestPace:
    def test_nothing_is_said_before_enough_is_known(self) -> None:
        pace = Pace()
        pace.prepared(1.0, 1.0, now=0.0)
        assert pace.engine_seconds_per_audio_second(0.0) is None

    def test_both_halves_count(self) -> None:
        pace = Pace()
        for _ in range(200):
            pace.prepared(0.01, 1.0, now=0.0)
            pace.rendered(0.02, 1.0, now=0.0)
        assert pace.engine_seconds_per_audio_second(0.0) == pytest.approx(0.03, rel=0.02)

    def test_a_machine_that_becomes_slower_is_believed(self) -> None:
        pace = Pace()
        for seconds in [0.02] * 100 + [0.08] * 400:
            pace.rendered(seconds, 1.0, now=0.0)
        assert pace.engine_seconds_per_audio_second(0.0) == pytest.approx(0.08, rel=0.01)

    def test_streams_cancelled_after_their_first_window_do_not_raise_the_estimate(self) -> None:
        pace = Pace()
        for number in range(400):
            now = 0.1 * number
            pace.prepared(0.05, 5.0, now)
            pace.rendered(0.005, 0.25, now)  # the other 4.75 s are never rendered
        assert pace.engine_seconds_per_audio_second(40.0) == pytest.approx(0.03, rel=0.02)

    def test_a_slow_spell_is_forgotten_while_the_engine_is_idle(self) -> None:
        pace = slowed()
        assert pace.engine_seconds_per_audio_second(300.0) == pytest.approx(3.0, rel=0.01)
        assert pace.engine_seconds_per_audio_second(360.0) == pytest.approx(0.05, rel=0.05)

    def test_after_a_slow_spell_ten_turns_bring_the_estimate_back(self) -> None:
        pace = slowed()
        for number in range(10):
            pace.rendered(0.05, 1.0, now=330.0 + number)
        assert 0.05 / 1.5 < pace.engine_seconds_per_audio_second(340.0) < 0.05 * 1.5

    def test_a_machine_that_stays_slow_is_believed_again_after_an_idle_time(self) -> None:
        pace = slowed()
        pace.rendered(3.0, 1.0, now=100_000.0)
        assert pace.engine_seconds_per_audio_second(100_000.0) == pytest.approx(3.0)


def slowed() -> Pace:
    """A pace that was 0.05 and became 3 until second 300."""
    pace = Pace()
    for number in range(100):
        pace.rendered(0.05, 1.0, now=float(number))
    for number in range(100, 301):
        pace.rendered(3.0, 1.0, now=float(number))
    return pace
