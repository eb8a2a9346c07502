"""OncePerSecond: the first event of each second, and the number of those left out."""

from phonoscope.common.sampling import OncePerSecond


def test_the_first_event_of_a_second_is_taken_and_the_next_one_says_how_many_were_not() -> None:
    now = 10.0
    sample = OncePerSecond(lambda: now)
    assert [sample.take("a") for _ in range(4)] == [0, None, None, None]
    now = 10.9
    assert sample.take("a") is None
    now = 11.0
    assert [sample.take("a"), sample.take("a")] == [4, None]
    now = 20.0
    assert sample.take("a") == 1


def test_each_kind_has_seconds_of_its_own() -> None:
    sample = OncePerSecond(lambda: 10.0)
    assert [sample.take(kind) for kind in "abab"] == [0, 0, None, None]
