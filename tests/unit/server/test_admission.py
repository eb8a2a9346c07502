"""Who is let in, and what those who are not are told."""

import pytest

from phonoscope.common.errors import DeadlineUnreachable, Overloaded
from phonoscope.server.admission import LONGEST_RETRY_SECONDS, Admission, Owed

PACE = 0.05
ADMISSION = Admission(most_requests=64, most_audio_seconds=3600.0)
NEW = Owed(8.0, 0.2)


def playing(audio_seconds: float = 8.0, slack_seconds: float = 2.0) -> Owed:
    return Owed(audio_seconds, slack_seconds, is_settled=True)


def refusal(new: Owed, held: list[Owed], pace: float | None = PACE) -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        ADMISSION.check(new, held, pace)
    return caught.value


def test_an_idle_server_takes_a_request_of_any_length() -> None:
    ADMISSION.check(Owed(1e6, 0.0), [], PACE)
    ADMISSION.check(Owed(1e6, 0.0), [], None)


def test_as_many_players_as_the_engine_can_feed_are_let_in_at_once() -> None:
    held: list[Owed] = []
    for _ in range(12):  # 12 * 0.05 is what may be promised
        ADMISSION.check(NEW, held, PACE)
        held.append(NEW)
    assert refusal(NEW, held).reason == "CAPACITY_FULL"


def test_nobody_is_refused_while_the_pace_is_unknown() -> None:
    ADMISSION.check(NEW, [NEW] * 60, None)


def test_players_that_have_nearly_all_of_their_audio_make_room_for_others() -> None:
    ADMISSION.check(NEW, [playing(0.1, 9.0)] * 40, PACE)


def test_nobody_is_let_in_while_a_player_lives_from_hand_to_mouth() -> None:
    assert refusal(NEW, [playing(slack_seconds=0.3)]).reason == "CAPACITY_FULL"
    ADMISSION.check(NEW, [playing(slack_seconds=1.3)], PACE)
    ADMISSION.check(NEW, [Owed(8.0, 0.3)], PACE)  # this one has only just begun


def test_nobody_is_let_in_while_somebody_waits_too_long_for_a_first_sound() -> None:
    assert refusal(NEW, [Owed(8.0, -0.1)]).reason == "CAPACITY_FULL"


def test_a_full_engine_says_when_to_come_back() -> None:
    assert refusal(NEW, [playing(slack_seconds=0.3)]).retry_after_seconds == 1.0
    far = refusal(NEW, [playing(slack_seconds=-400.0)])
    assert far.retry_after_seconds == LONGEST_RETRY_SECONDS
    some = refusal(NEW, [Owed(60.0, 0.0)] * 20)
    assert 20 < some.retry_after_seconds <= LONGEST_RETRY_SECONDS


def test_what_cannot_be_made_before_its_deadline_is_refused_before_any_work() -> None:
    others = [playing(1.0, 9.0)]
    ADMISSION.check(Owed(100.0, 2.0, 4.1), others, PACE)
    with pytest.raises(DeadlineUnreachable, match="allow more time"):
        ADMISSION.check(Owed(100.0, 2.0, 3.9), others, PACE)


@pytest.mark.parametrize("pace", [0.05, 3.4, 1e6])
@pytest.mark.parametrize("held", [[], [Owed(0.0, 3600.0, waits_for_caller=True)] * 3])
def test_an_idle_engine_takes_any_request_whatever_it_believes_of_its_pace(pace: float, held: list[Owed]) -> None:
    ADMISSION.check(Owed(30.0, 2.0, 10.0), held, pace)


def test_what_is_due_earlier_counts_against_a_deadline_and_what_is_due_later_does_not() -> None:
    new = Owed(20.0, 5.0, 2.0)
    ADMISSION.check(new, [playing(60.0, 6.0)], PACE)
    with pytest.raises(DeadlineUnreachable):
        ADMISSION.check(new, [playing(60.0, 4.0)], PACE)


def test_requests_and_audio_are_bounded() -> None:
    assert refusal(NEW, [playing(0.0, 9.0)] * 64).reason == "QUEUE_FULL"
    assert refusal(Owed(8.0, 0.2), [playing(3599.0, 9.0)], None).reason == "AUDIO_OWED_FULL"
