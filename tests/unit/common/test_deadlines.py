"""When a caller has stopped waiting, by what the server sees as remaining."""

import pytest

from phonoscope.common.deadlines import has_passed


@pytest.mark.parametrize(
    ("timeout", "remaining", "is_over"),
    [
        (10.0, 5.0, False),
        (10.0, 0.0, True),
        (10.0, -3.0, True),
        (10.0, 0.109, True),  # rounded up on the wire, from 9.9 s: its caller is gone already
        (10.0, 0.111, False),
        (0.1, 0.0109, True),
        (0.1, 0.05, False),
        (3600.0, 36.0, True),
        (3600.0, 37.0, False),
    ],
)
def test_a_deadline_has_passed_a_little_before_it_seems_to(timeout: float, remaining: float, is_over: bool) -> None:
    assert has_passed(timeout, remaining) is is_over
