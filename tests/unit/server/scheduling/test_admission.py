"""Which requests are admitted, and the errors of the others."""

import pytest

from phonoscope.common.errors import DeadlineUnreachable, Overloaded
from phonoscope.server.scheduling.admission import MAX_RETRY_SECONDS, PROMISED_SHARE, RETRY_SECONDS, Admission, Demand
from phonoscope.server.scheduling.cost_model import Estimates

FACTOR = 0.05
ESTIMATES = Estimates(FACTOR, first_audio_seconds=0.05, slowdown=1.0, whole_factor=FACTOR)
ADMISSION = Admission(max_requests=64, max_audio_seconds=3600.0, max_first_audio_seconds=2.0)


def demand(
    audio_seconds: float = 8.0,
    due_seconds: float = 0.0,
    deadline_seconds: float | None = None,
    *,
    estimates: Estimates | None = ESTIMATES,
    **what: bool,
) -> Demand:
    return Demand(audio_seconds, due_seconds, deadline_seconds, estimates=estimates, **what)


NEW = demand(8.0, 0.05, is_starting=True)
UNKNOWN = demand(8.0, 0.05, is_starting=True, estimates=None)


def refusal(new: Demand, held: list[Demand]) -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        ADMISSION.check(new, held)
    return caught.value


def test_an_idle_server_takes_a_request_of_any_length() -> None:
    ADMISSION.check(demand(1e6, 0.0), [])
    ADMISSION.check(demand(1e6, 0.0, estimates=None), [])


def test_as_many_players_as_the_engine_can_feed_are_admitted() -> None:
    room = int(PROMISED_SHARE / FACTOR)
    ADMISSION.check(NEW, [demand()] * (room - 2))
    assert refusal(NEW, [demand()] * (room + 2)).reason == "CAPACITY_FULL"


def test_nobody_is_refused_while_the_speed_is_unknown() -> None:
    ADMISSION.check(UNKNOWN, [UNKNOWN] * 60)


def test_players_that_have_nearly_all_of_their_audio_make_room_for_others() -> None:
    ADMISSION.check(NEW, [demand(0.1, due_seconds=9.0)] * 40)


def test_a_player_that_is_late_does_not_block_others_while_the_work_fits() -> None:
    ADMISSION.check(NEW, [demand(due_seconds=-0.3)] * 3)


def test_those_who_have_audio_in_hand_are_promised_to_keep_a_reserve_of_it() -> None:
    room = int(PROMISED_SHARE / FACTOR)
    assert refusal(NEW, [demand(60.0, due_seconds=0.5)] * (room + 4)).reason == "CAPACITY_FULL"
    ADMISSION.check(NEW, [demand(1.0, due_seconds=30.0)] * (room + 4))


def test_no_more_streams_begin_at_once_than_can_begin_in_time() -> None:
    slow = Estimates(0.001, first_audio_seconds=0.5, slowdown=1.0, whole_factor=0.001)
    begun = 2.0 * PROMISED_SHARE / 0.5
    waiting = demand(1.0, 0.5, is_starting=True, estimates=slow)
    ADMISSION.check(waiting, [waiting] * int(begun - 1))
    assert refusal(waiting, [waiting] * int(begun + 1)).reason == "CAPACITY_FULL"


def test_where_a_first_sound_takes_long_callers_wait_at_least_twice_as_long() -> None:
    slow = Estimates(0.05, first_audio_seconds=5.0, slowdown=1.0, whole_factor=0.05)
    others = [demand(0.1, due_seconds=9.0, estimates=slow)]
    ADMISSION.check(demand(1.0, 5.0, is_starting=True, estimates=slow), others)


def test_a_whole_reply_counts_with_all_of_its_audio_when_it_is_due() -> None:
    page = demand(100.0, 5.0, is_unary=True)  # 5 s of work, due in 5 s
    assert refusal(page, [demand(1.0, due_seconds=30.0)]).reason == "CAPACITY_FULL"
    ADMISSION.check(demand(100.0, 10.0, is_unary=True), [demand(1.0, due_seconds=30.0)])


def test_a_full_engine_says_when_to_come_back() -> None:
    assert refusal(NEW, [demand()] * 14).retry_after_seconds >= RETRY_SECONDS
    some = refusal(NEW, [demand(20.0)] * 20).retry_after_seconds
    assert RETRY_SECONDS < some < MAX_RETRY_SECONDS
    assert refusal(NEW, [demand(100.0)] * 20).retry_after_seconds == MAX_RETRY_SECONDS


def test_what_cannot_be_made_before_its_deadline_is_refused_before_any_work() -> None:
    others = [demand(1.0, due_seconds=90.0)]
    ADMISSION.check(demand(100.0, 2.0, 3.4), others)
    with pytest.raises(DeadlineUnreachable, match="set a later deadline"):
        ADMISSION.check(demand(100.0, 2.0, 3.3), others)


def test_a_whole_reply_with_a_deadline_may_take_all_of_that_time_where_no_stream_plays() -> None:
    page = demand(100.0, 2.0, 5.0, is_unary=True)  # 5 s of work; in its caller's interest it is due in 2 s
    ADMISSION.check(page, [demand(10.0, 1.0, 30.0, is_unary=True)])
    assert refusal(page, [demand(60.0, due_seconds=1.0)] * 5).reason == "CAPACITY_FULL"


def test_a_deadline_is_held_against_the_cost_of_long_steps_without_caution() -> None:
    cautious = Estimates(0.15, first_audio_seconds=0.05, slowdown=1.0, whole_factor=0.05)
    others = [demand(1.0, 1.0, 30.0, is_unary=True)]
    ADMISSION.check(demand(100.0, 2.0, 5.0, is_unary=True, estimates=cautious), others)


def test_a_whole_reply_that_was_promised_is_not_pushed_past_its_deadline_by_an_earlier_one() -> None:
    promised = demand(100.0, 4.0, 5.0, is_unary=True)
    ADMISSION.check(demand(40.0, 3.0, 40.0, is_unary=True), [promised])
    assert refusal(demand(60.0, 3.0, 40.0, is_unary=True), [promised]).reason == "CAPACITY_FULL"
    ADMISSION.check(demand(60.0, 4.5, 40.0, is_unary=True), [promised])


def test_a_reply_that_is_late_already_does_not_block_others() -> None:
    lost = demand(400.0, 4.0, 5.0, is_unary=True)
    ADMISSION.check(demand(20.0, 3.0, 40.0, is_unary=True), [lost])


def test_what_is_due_earlier_counts_against_a_deadline_and_what_is_due_later_does_not() -> None:
    new = demand(20.0, 5.0, 2.0)
    ADMISSION.check(new, [demand(60.0, 6.0, 30.0, is_unary=True)])
    with pytest.raises(DeadlineUnreachable):
        ADMISSION.check(new, [demand(60.0, 4.0, 30.0, is_unary=True)])


def test_of_a_stream_only_what_is_played_before_a_deadline_counts_against_it() -> None:
    stream = demand(1000.0, due_seconds=1.0)  # 50 s of work in all, and 0.45 s until the deadline
    ADMISSION.check(demand(20.0, 2.0, 10.0, is_unary=True), [stream])


@pytest.mark.parametrize("factor", [0.05, 3.4, 1e6])
@pytest.mark.parametrize("held", [[], [demand(0.0, -5.0, waits_for_caller=True)] * 3])
def test_an_idle_engine_takes_any_request_whatever_it_believes_of_its_speed(factor: float, held: list[Demand]) -> None:
    ADMISSION.check(demand(30.0, 2.0, 10.0, estimates=Estimates(factor, 100 * factor, 100.0, factor)), held)


def test_requests_and_audio_are_bounded() -> None:
    assert refusal(NEW, [demand(0.0, due_seconds=9.0)] * 64).reason == "QUEUE_FULL"
    assert refusal(demand(8.0, 0.2, estimates=None), [demand(3599.0, due_seconds=9.0)]).reason == "AUDIO_OWED_FULL"


def test_the_demand_ratio_is_the_share_of_the_engine_that_is_taken() -> None:
    assert ADMISSION.demand_ratio([]) == 0.0
    assert ADMISSION.demand_ratio([demand()] * 4) == pytest.approx(4 * FACTOR)
    assert ADMISSION.demand_ratio([demand(100.0, 10.0, is_unary=True)]) == pytest.approx(0.5)
    assert ADMISSION.demand_ratio([demand(waits_for_caller=True)] * 40) == 0.0


def test_each_request_counts_with_the_speed_of_its_own_engine() -> None:
    slow = Estimates(0.5, first_audio_seconds=0.05, slowdown=1.0, whole_factor=0.5)
    assert ADMISSION.demand_ratio([demand(), demand(estimates=slow)]) == pytest.approx(FACTOR + 0.5)
    ADMISSION.check(NEW, [demand()] * 2)
    assert refusal(NEW, [demand(), demand(estimates=slow), demand(estimates=slow)]).reason == "CAPACITY_FULL"
    with pytest.raises(DeadlineUnreachable):
        ADMISSION.check(demand(1.0, 2.0, 10.0), [demand(40.0, 1.0, 90.0, estimates=slow, is_unary=True)])
    ADMISSION.check(demand(1.0, 2.0, 10.0), [demand(40.0, 1.0, 90.0, is_unary=True)])


def test_requests_of_an_engine_of_unknown_speed_count_for_nothing_in_time() -> None:
    ADMISSION.check(NEW, [UNKNOWN] * 60)
    assert ADMISSION.demand_ratio([UNKNOWN] * 60) == 0.0
    assert ADMISSION.demand_ratio([UNKNOWN, demand()]) == pytest.approx(FACTOR)
