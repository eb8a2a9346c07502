"""EarliestDueFirst: which batch runs next, turn by turn. test_simulation.py has minutes of load."""

from collections.abc import Iterable, Sequence

import pytest

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.policy import (
    MOST_UNREAD_SECONDS,
    EarliestDueFirst,
    PrepareTurn,
    RenderTurn,
    Work,
)
from phonoscope.server.types import Utterance

RATE_HZ = 22_050
FRAME_SAMPLES = 256
FRAME_SECONDS = FRAME_SAMPLES / RATE_HZ
MOST_UNREAD = 4
NOW = 0.0
TUNING = Tuning(prepare_batch=4, render_batch=3, first_window_frames=16, largest_window_frames=128)


def utterance(frames: int = 100, voice: str = "a") -> Utterance:
    """An utterance that `plan_of` makes so many frames long."""
    return Utterance(voice, (frames,), 0, 1.0, 0.0, 0.0, seed=0)


def plan_of(said: Utterance) -> Plan:
    frames = said.phoneme_ids[0]
    return Plan(said.voice_id, frames, FRAME_SAMPLES, RATE_HZ, (frames,))


FIRST_SECONDS = 0.2
"""How soon the first audio of a request is due that does not say."""


def a_policy(tuning: Tuning = TUNING, cost: CostModel | None = None) -> EarliestDueFirst:
    return EarliestDueFirst(tuning, cost or CostModel(), most_unread=MOST_UNREAD)


def a_work(
    policy: EarliestDueFirst,
    said: Iterable[Utterance] = (),
    *,
    entered: float = 0.0,
    deadline: float | None = None,
    is_whole: bool = False,
    is_text_complete: bool = True,
    request: int = 0,
) -> Work:
    frames = policy.first_window_frames(is_whole=is_whole)
    work = Work(entered, deadline, is_whole, frames, request, first_audio_seconds=FIRST_SECONDS)
    work.waiting.extend(said)
    work.is_text_complete = is_text_complete
    return work


def prepared(work: Work, count: int = 1) -> Work:
    for _ in range(count):
        work.prepared(plan_of(work.waiting[0]))
    return work


def apply(policy: EarliestDueFirst, turn: PrepareTurn | RenderTurn, now: float = 0.0, *, is_read: bool = True) -> None:
    """Does to the works what the scheduler does after a turn."""
    if isinstance(turn, PrepareTurn):
        for work, said in zip(turn.works, turn.batch, strict=True):
            assert work.waiting[0] is said
            work.prepared(plan_of(said))
        return
    for work, window in zip(turn.works, turn.batch, strict=True):
        work.rendered(window, now)
        work.window_frames = policy.next_window_frames(work)
        if is_read:
            policy.taken(work, window.audio_seconds, now)


def turns_of(policy: EarliestDueFirst, works: Sequence[Work]) -> list[PrepareTurn | RenderTurn]:
    turns = []
    while (turn := policy.choose(works, NOW)) is not None:
        turns.append(turn)
        apply(policy, turn)
    return turns


def windows_of(turns: Iterable[PrepareTurn | RenderTurn], work: Work) -> list[tuple[int, int]]:
    return [
        (window.start, window.stop)
        for turn in turns
        if isinstance(turn, RenderTurn)
        for owner, window in zip(turn.works, turn.batch, strict=True)
        if owner is work
    ]


def test_nothing_to_do_is_no_turn():
    policy = a_policy()
    assert policy.choose([], NOW) is None
    assert policy.choose([a_work(policy)], NOW) is None


def test_choosing_takes_nothing_off_the_works():
    policy = a_policy()
    work = a_work(policy, [utterance()])
    assert policy.choose([work], NOW) == policy.choose([work], NOW)
    prepared(work)
    assert policy.choose([work], NOW) == policy.choose([work], NOW)


def test_the_request_that_came_first_sounds_first():
    policy = a_policy(Tuning(1, 1, 16, 128))
    late, early = (a_work(policy, [utterance()], entered=entered) for entered in (2.0, 1.0))
    turn = policy.choose([late, early], NOW)
    assert isinstance(turn, PrepareTurn)
    assert turn.works == (early,)


def test_a_stream_is_due_when_what_it_sent_has_been_played():
    policy = a_policy(Tuning(1, 1, 16, 128))
    work = prepared(a_work(policy, [utterance(40)], entered=1.0))
    assert work.due == 1.0 + FIRST_SECONDS
    turn = policy.choose([work], NOW)
    assert turn is not None
    apply(policy, turn, now=5.0)
    assert work.due == pytest.approx(5.0 + 16 * FRAME_SECONDS)


def test_the_stream_that_will_run_dry_first_is_rendered_first():
    policy = a_policy(Tuning(1, 1, 16, 128))
    ahead, behind = (prepared(a_work(policy, [utterance(1000)])) for _ in range(2))
    ahead.sounded = behind.sounded = 1.0
    ahead.sent_seconds, behind.sent_seconds = 2.0, 1.0
    turn = policy.choose([ahead, behind], NOW)
    assert turn is not None
    assert turn.works == (behind,)


@pytest.mark.parametrize(("deadline", "due"), [(None, 70.0), (20.0, 15.0), (3610.0, 70.0)])
def test_a_whole_reply_is_due_while_there_is_time_to_make_it(deadline: float | None, due: float):
    assert a_work(a_policy(), entered=10.0, deadline=deadline, is_whole=True).due == due


def test_the_first_window_is_small_and_the_next_double_up_to_the_largest():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance(16 + 32 + 64 + 128 + 128 + 128)]))
    lengths = [stop - start for start, stop in windows_of(turns_of(policy, [work]), work)]
    assert lengths == [16, 32, 64, 128, 128, 128]


def test_windows_keep_their_size_from_one_sentence_to_the_next():
    policy = a_policy()
    work = a_work(policy, [utterance(16), utterance(500)])
    assert windows_of(turns_of(policy, [work]), work)[:2] == [(0, 16), (0, 32)]


def test_the_windows_of_a_whole_reply_are_the_largest_from_the_start():
    policy = a_policy()
    work = a_work(policy, [utterance(300)], is_whole=True)
    assert windows_of(turns_of(policy, [work]), work) == [(0, 128), (128, 300)]


def test_a_rest_of_less_than_half_a_window_goes_with_the_window_before_it():
    policy = a_policy()
    for frames, windows in ((23, [(0, 23)]), (24, [(0, 16), (16, 24)])):
        work = prepared(a_work(policy, [utterance(frames)]))
        assert windows_of(turns_of(policy, [work]), work) == windows


@pytest.mark.parametrize("is_whole", [False, True])
def test_windows_tile_every_plan_exactly_and_none_is_empty(is_whole: bool):
    policy = a_policy(Tuning(prepare_batch=4, render_batch=3, first_window_frames=3, largest_window_frames=11))
    for frames in range(1, 120):
        work = a_work(policy, [utterance(frames), utterance(1), utterance(frames)], is_whole=is_whole)
        windows = windows_of(turns_of(policy, [work]), work)
        expected = 0
        total = 0
        for start, stop in windows:
            assert start == expected
            assert start < stop <= frames
            total += stop - start
            ends = stop == (1 if total == frames + 1 else frames)
            expected = 0 if ends else stop
        assert total == 2 * frames + 1
        assert work.is_spoken


def test_a_whole_reply_is_prepared_to_its_end_before_its_first_window():
    policy = a_policy()
    work = a_work(policy, [utterance() for _ in range(6)], is_whole=True)
    first, second, third, *_ = turns_of(policy, [work])
    assert [type(first), len(first.batch)] == [PrepareTurn, 4]
    assert [type(second), len(second.batch)] == [PrepareTurn, 2]
    assert isinstance(third, RenderTurn)


def test_a_whole_reply_is_not_rendered_before_its_text_is_complete():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance()], is_whole=True, is_text_complete=False))
    assert policy.choose([work], NOW) is None
    work.is_text_complete = True
    assert isinstance(policy.choose([work], NOW), RenderTurn)


def test_a_stream_is_rendered_while_its_text_still_comes():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance()], is_text_complete=False))
    assert isinstance(policy.choose([work], NOW), RenderTurn)


def test_the_next_sentence_is_prepared_before_the_last_window_of_this_one():
    policy = a_policy()
    # 16, 32, then the rest, 79 frames: less than one and a half windows of 64
    work = a_work(policy, [utterance(16 + 32 + 79), utterance(1000)])
    kinds = [type(turn) for turn in turns_of(policy, [work])][:5]
    assert kinds == [PrepareTurn, RenderTurn, RenderTurn, PrepareTurn, RenderTurn]


def test_a_stream_prepares_one_sentence_ahead_and_no_more():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance(10) for _ in range(5)]), 2)
    apply(policy, RenderTurn((work,), (Window(work.plans[0], 0, 10),)))  # it has sounded
    turn = policy.choose([work], NOW)
    assert isinstance(turn, PrepareTurn)
    assert len(turn.batch) == 1
    apply(policy, turn)
    assert isinstance(policy.choose([work], NOW), RenderTurn)


def test_nothing_is_prepared_between_a_short_first_sentence_and_its_sound():
    policy = a_policy()
    work = a_work(policy, [utterance(3), utterance(1000)])
    kinds = [type(turn) for turn in turns_of(policy, [work])][:3]
    assert kinds == [PrepareTurn, RenderTurn, PrepareTurn]


def test_requests_of_one_voice_share_a_batch_up_to_the_tuning():
    policy = a_policy()
    works = [a_work(policy, [utterance()], entered=float(n)) for n in range(6)]
    turn = policy.choose(works, NOW)
    assert isinstance(turn, PrepareTurn)
    assert turn.works == tuple(works[:4])
    for work in works:
        prepared(work)
    turn = policy.choose(works, NOW)
    assert isinstance(turn, RenderTurn)
    assert turn.works == tuple(works[:3])


def test_batches_never_mix_voices():
    policy = a_policy()
    works = [a_work(policy, [utterance(voice=voice)], entered=float(n)) for n, voice in enumerate("abab")]
    works.append(a_work(policy, [utterance(voice=voice) for voice in "aba"], entered=9.0, is_whole=True))
    for turn in turns_of(policy, works):
        voices = (
            {said.voice_id for said in turn.batch}
            if isinstance(turn, PrepareTurn)
            else {window.plan.voice_id for window in turn.batch}
        )
        assert len(voices) == 1
    assert all(work.is_spoken for work in works)


def test_windows_of_another_voice_wait_for_a_batch_of_their_own():
    policy = a_policy()
    first, other = (prepared(a_work(policy, [utterance(voice=voice)])) for voice in "ab")
    turn = policy.choose([first, other], NOW)
    assert turn is not None
    assert turn.works == (first,)


def test_a_small_first_window_does_not_wait_for_long_ones_beside_it():
    policy = a_policy()
    sounding = [prepared(a_work(policy, [utterance(1000)])) for _ in range(2)]
    for work in sounding:
        work.sounded, work.window_frames = 0.0, 128
    fresh = [prepared(a_work(policy, [utterance(1000)], entered=-1.0)) for _ in range(2)]
    turn = policy.choose([*sounding, *fresh], NOW)
    assert isinstance(turn, RenderTurn)
    assert turn.works == tuple(fresh)


def test_a_stream_is_rendered_no_further_than_its_reader_may_leave_unread():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance(10_000)]))
    for _ in range(MOST_UNREAD):
        turn = policy.choose([work], NOW)
        assert isinstance(turn, RenderTurn)
        apply(policy, turn, is_read=False)
    assert policy.choose([work], NOW) is None
    work.unread -= 1
    assert isinstance(policy.choose([work], NOW), RenderTurn)


def test_a_reader_that_leaves_much_audio_is_held_up_however_few_its_windows():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance(100_000)]))
    work.unread, work.unread_seconds = 1, MOST_UNREAD_SECONDS - 0.01
    assert isinstance(policy.choose([work], NOW), RenderTurn)
    work.unread_seconds = MOST_UNREAD_SECONDS
    assert policy.choose([work], NOW) is None


def test_what_is_delivered_and_taken_is_counted_in_seconds():
    policy = a_policy()
    work = prepared(a_work(policy, [utterance(10_000)]))
    apply(policy, policy.choose([work], NOW), is_read=False)
    first = work.unread_seconds
    apply(policy, policy.choose([work], NOW), is_read=False)
    assert work.unread_seconds == pytest.approx(work.sent_seconds)
    policy.taken(work, first, NOW)
    assert work.unread_seconds == pytest.approx(work.sent_seconds - first)
    policy.taken(work, work.unread_seconds, NOW)
    assert (work.unread, work.unread_seconds) == (0, 0.0)


def test_a_slow_reader_that_reads_on_is_not_more_urgent_than_what_it_left_lying_says():
    policy = a_policy()
    slow = sounding(policy, sent_seconds=6.0)
    slow.unread, slow.unread_seconds = 2, MOST_UNREAD_SECONDS
    policy.taken(slow, 3.0, now=100.0)
    assert slow.due == pytest.approx(100.0 + MOST_UNREAD_SECONDS)


def test_a_reader_that_keeps_up_does_not_move_its_clock():
    policy = a_policy()
    late = sounding(policy, sent_seconds=1.0)
    late.unread, late.unread_seconds = 1, 0.5
    policy.taken(late, 0.5, now=100.0)
    assert late.due == 1.0


# --- text that comes late ----------------------------------------------------------------------------------------


def test_a_request_awaits_text_when_all_that_came_is_rendered_and_more_may_come():
    policy = a_policy()
    work = a_work(policy, [utterance()], is_text_complete=False)
    assert not work.awaits_text
    prepared(work)
    assert not work.awaits_text
    work.plans.clear()
    assert work.awaits_text
    work.is_text_complete = True
    assert not work.awaits_text


def test_text_that_comes_after_the_player_ran_dry_is_a_new_start():
    work = sounding(a_policy(), sent_seconds=2.0)
    work.window_frames = 128
    work.begins_again(now=50.0, window_frames=16, first_audio_seconds=FIRST_SECONDS)
    assert work.due == pytest.approx(50.0 + FIRST_SECONDS)
    assert work.window_frames == 16


def test_a_request_is_due_from_when_its_first_text_came():
    work = a_work(a_policy(), entered=0.0, is_text_complete=False)
    work.begins_again(now=7.0, window_frames=16, first_audio_seconds=FIRST_SECONDS)
    assert work.due == pytest.approx(7.0 + FIRST_SECONDS)
    whole = a_work(a_policy(), entered=0.0, is_whole=True, is_text_complete=False)
    whole.begins_again(now=7.0, window_frames=16, first_audio_seconds=FIRST_SECONDS)
    assert whole.entered == 0.0


def test_text_that_comes_in_time_goes_on_where_it_was():
    work = sounding(a_policy(), sent_seconds=2.0)
    work.window_frames = 128
    work.begins_again(now=1.5, window_frames=16, first_audio_seconds=FIRST_SECONDS)
    assert (work.due, work.window_frames) == (2.0, 128)


def test_a_stream_whose_reader_waits_does_not_hold_up_the_others():
    policy = a_policy()
    stalled, other = (prepared(a_work(policy, [utterance(500)], entered=entered)) for entered in (0.0, 1.0))
    stalled.unread = MOST_UNREAD
    turn = policy.choose([stalled, other], NOW)
    assert turn is not None
    assert turn.works == (other,)


# --- who is in a batch -----------------------------------------------------------------------------------------


def owners_of(policy: EarliestDueFirst, works: Sequence[Work]) -> list[tuple[type, list[tuple[int, int]]]]:
    """Who is in each turn, asked before the turn is made, as the scheduler does."""
    owners = []
    while (turn := policy.choose(works, NOW)) is not None:
        owners.append((type(turn), turn.owners))
        apply(policy, turn)
    return owners


def test_a_turn_names_every_utterance_by_its_request_and_its_place_in_it():
    policy = a_policy()
    works = [a_work(policy, [utterance() for _ in range(6)], is_whole=True, request=request) for request in (7, 9)]
    owners = owners_of(policy, works)
    assert owners[0] == (PrepareTurn, [(7, 0), (9, 0), (7, 1), (7, 2)])  # several of one request
    prepared = [owner for kind, several in owners if kind is PrepareTurn for owner in several]
    assert sorted(prepared) == [(request, index) for request in (7, 9) for index in range(6)]
    rendered = [owner for kind, several in owners if kind is RenderTurn for owner in several]
    assert list(dict.fromkeys(sorted(rendered))) == sorted(prepared)
    for request in (7, 9):
        own = [index for number, index in rendered if number == request]
        assert own == sorted(own)


def test_every_window_of_an_utterance_names_it():
    policy = a_policy()
    work = a_work(policy, [utterance(100), utterance(20)], request=7)
    rendered = [owners for kind, owners in owners_of(policy, [work]) if kind is RenderTurn]
    assert rendered == [[(7, 0)]] * 3 + [[(7, 1)]]  # 16, 32 and 52 frames, then all of the second


def taught(seconds_per_frame: float, *, prepare_seconds: float = 0.02, tuning: Tuning = TUNING) -> EarliestDueFirst:
    """A policy that knows what turns cost: so much for each frame, and so much for each utterance."""
    cost = CostModel()
    plan = plan_of(utterance(1000))
    for frames in (16, 32, 64, 128) * 4:
        cost.prepared(prepare_seconds, [utterance(1000)], [plan], NOW)
        cost.rendered(seconds_per_frame * frames, [Window(plan, 0, frames)], NOW)
    return a_policy(tuning, cost)


def sounding(policy: EarliestDueFirst, *, sent_seconds: float) -> Work:
    work = prepared(a_work(policy, [utterance(10_000)]))
    work.sounded, work.sent_seconds, work.window_frames = NOW, sent_seconds, 16
    return work


@pytest.mark.parametrize(("slack", "frames"), [(0.02, 16), (0.05, 16), (0.07, 32), (0.2, 64), (10.0, 128)])
def test_a_window_grows_as_far_as_the_slack_allows(slack: float, frames: int):
    policy = taught(0.001)
    [window] = policy.choose([sounding(policy, sent_seconds=slack)], NOW).batch
    assert window.frames == frames


def test_beside_others_a_turn_takes_no_longer_than_two_first_sounds():
    policy = taught(0.001, prepare_seconds=0.02)  # a first sound takes 36 ms
    streams = [sounding(policy, sent_seconds=10.0) for _ in range(2)]
    assert policy.choose(streams, NOW).batch[0].frames == 64
    assert policy.choose(streams[:1], NOW).batch[0].frames == 128


def test_a_window_stays_small_when_another_stream_would_run_dry_meanwhile():
    policy = taught(0.001, tuning=Tuning(4, 1, 16, 128))
    urgent, tight = sounding(policy, sent_seconds=0.04), sounding(policy, sent_seconds=0.08)
    assert policy.choose([urgent, tight], NOW).batch[0].frames == 16
    tight.unread = MOST_UNREAD
    urgent.sent_seconds = 0.14
    assert policy.choose([urgent, tight], NOW).batch[0].frames == 64, "who is not read is not waited for"


def test_many_streams_get_windows_that_last_for_a_round_of_all():
    policy = a_policy(Tuning(4, 1, 16, 128), cost := CostModel())
    plan = plan_of(utterance(1000))
    for frames in (16, 32, 64, 128) * 4:  # as if each window had 40 frames more
        cost.prepared(0.001, [utterance(1000)], [plan], NOW)
        cost.rendered(0.001 * (frames + 40), [Window(plan, 0, frames)], NOW)
    late = [sounding(policy, sent_seconds=-0.5) for _ in range(4)]
    assert policy.choose(late, NOW).batch[0].frames == 32  # 4 * 72 ms, and plays 371 ms
    assert policy.choose(late[:1], NOW).batch[0].frames == 16


def test_a_first_window_never_grows():
    policy = taught(1e-6)
    [window] = policy.choose([prepared(a_work(policy, [utterance(1000)]))], NOW).batch
    assert window.frames == TUNING.first_window_frames


def test_nobody_begins_while_that_would_make_a_stream_run_dry():
    policy = taught(0.001, prepare_seconds=0.02, tuning=Tuning(4, 1, 16, 128))
    new = a_work(policy, [utterance(1000)], entered=-5.0)
    sounds = sounding(policy, sent_seconds=0.05)  # 36 ms for the new one, 16 for this one
    assert policy.choose([new, sounds], NOW).works == (sounds,)
    sounds.sent_seconds = 0.5
    assert policy.choose([new, sounds], NOW).works == (new,)


def test_a_whole_reply_waits_while_its_turn_would_make_a_stream_run_dry():
    policy = taught(0.001, prepare_seconds=0.02, tuning=Tuning(4, 1, 16, 128))
    page = a_work(policy, [utterance(1000)] * 4, entered=-100.0, is_whole=True)
    sounds = sounding(policy, sent_seconds=0.08)
    assert policy.choose([page, sounds], NOW).works == (sounds,)
    sounds.sent_seconds = 5.0
    assert policy.choose([page, sounds], NOW).works[0] is page


def test_a_stream_that_is_dry_already_keeps_nobody_from_beginning_after_it():
    policy = taught(0.001, tuning=Tuning(4, 1, 16, 128))
    new, dry = a_work(policy, [utterance(1000)], entered=-5.0), sounding(policy, sent_seconds=-1.0)
    assert policy.choose([new, dry], NOW).works == (new,)  # it has waited even longer
    new.entered = NOW
    assert policy.choose([new, dry], NOW).works == (dry,)


def test_a_prepare_takes_others_along_only_while_nobody_runs_dry_meanwhile():
    policy = taught(0.0001, prepare_seconds=0.02)
    streams = [a_work(policy, [utterance(1000)]) for _ in range(4)]
    assert len(policy.choose(streams, NOW).batch) == 2  # as long as two first sounds take
    tight = sounding(policy, sent_seconds=0.1)
    assert len(policy.choose([*streams, tight], NOW).batch) == 1


def test_a_stream_that_sounds_and_would_run_dry_goes_before_one_that_is_new():
    policy = a_policy()
    new = prepared(a_work(policy, [utterance(1000)], entered=10.0))
    dry_soon, at_ease = sounding(policy, sent_seconds=10.1), sounding(policy, sent_seconds=11.0)
    order = [policy.choose(works, 10.0).works[0] for works in ([new, dry_soon], [new, at_ease])]
    assert order == [dry_soon, new]


def test_the_windows_of_one_whole_reply_share_a_batch_when_nobody_else_waits():
    policy = a_policy()
    page = prepared(a_work(policy, [utterance(128 * 5)], is_whole=True))
    turn = policy.choose([page], NOW)
    assert [(window.start, window.stop) for window in turn.batch] == [(0, 128), (128, 256), (256, 384)]
    assert turn.works == (page,) * 3


def test_windows_come_in_the_sizes_that_the_engine_pads_least():
    policy = a_policy(Tuning(4, 1, 21, 106, window_frames=(21, 42, 74, 106)))
    work = prepared(a_work(policy, [utterance(21 + 42 + 106 + 106)]))
    assert [stop - start for start, stop in windows_of(turns_of(policy, [work]), work)] == [21, 42, 106, 106]
