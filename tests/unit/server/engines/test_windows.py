"""How an utterance of known length is cut into windows."""

import pytest

from phonoscope.server.engines.windows import nearest_size, window_stops


@pytest.mark.parametrize(("frames", "size"), [(0, 21), (21, 21), (29, 21), (31, 42), (42, 42), (1e6, 74)])
def test_the_nearest_size_is_that_of_the_nearest_ratio(frames: float, size: int) -> None:
    assert nearest_size((21, 42, 74), frames) == size


def test_windows_follow_one_another_up_to_the_most_that_are_wanted() -> None:
    assert window_stops(0, 10, 100) == [10]
    assert window_stops(10, 10, 100, max_windows=3) == [20, 30, 40]


def test_a_rest_shorter_than_half_a_window_goes_along_with_the_last() -> None:
    assert window_stops(0, 10, 14) == [14]
    assert window_stops(0, 10, 15) == [10]
    assert window_stops(80, 10, 94, max_windows=5) == [94]


def test_windows_end_where_the_utterance_ends() -> None:
    assert window_stops(90, 50, 100, max_windows=4) == [100]
    assert window_stops(0, 40, 100, max_windows=9) == [40, 80, 100]
