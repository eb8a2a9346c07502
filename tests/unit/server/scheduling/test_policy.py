"""EarliestDeadlineFirst: which batch runs next, batch by batch. test_simulation.py has minutes of load."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.lane import Slot
from phonoscope.server.scheduling.policy import Batch, EarliestDeadlineFirst
from phonoscope.server.scheduling.request_state import MAX_UNREAD_SECONDS, MAX_UNREAD_STEPS, OpenJob, RequestState

_SPEC = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
fakes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fakes)

FRAME_SECONDS = fakes.FRAME_SECONDS
utterance, a_state, prepared = fakes.utterance, fakes.a_state, fakes.prepared
NOW = 0.0


@pytest.fixture
def policy() -> EarliestDeadlineFirst:
    return EarliestDeadlineFirst()


@pytest.fixture
def slot() -> Slot:
    """Of an engine that prepares four and renders three at once; what that costs is unknown."""
    return fakes.slot_of(fakes.FrameEngine())


@pytest.fixture
def single() -> Slot:
    """Of an engine that does one step at a time; what that costs is unknown."""
    return fakes.slot_of(fakes.FrameEngine(prepare_batch=1, render_batch=1))


def taught(seconds_per_frame: float = 0.001, *, render_batch: int = 3, **costs: float) -> Slot:
    """A slot that knows what its batches cost."""
    cost = fakes.teach(CostModel(), seconds_per_frame=seconds_per_frame, **costs)
    return fakes.slot_of(fakes.FrameEngine(render_batch=render_batch), cost)


def playing(slot: Slot, *, sent_seconds: float) -> RequestState:
    return fakes.playing(a_state(slot, [utterance(10_000)]), sent_seconds=sent_seconds)


def chosen(policy: EarliestDeadlineFirst, states: Sequence[RequestState], now: float = NOW) -> Batch:
    batch = fakes.choose(policy, states, now)
    assert batch is not None
    return batch


def owners_of(batch: Batch) -> list[RequestState]:
    return [member.state for member in batch.members]


def frames_of(batch: Batch) -> list[float]:
    assert batch.kind == "render"
    return [member.step.cost for member in batch.members]


def windows_of(batches: Iterable[Batch], state: RequestState) -> list[float]:
    """The frames of a request's windows, in order."""
    members = [member for batch in batches if batch.kind == "render" for member in batch.members]
    return [member.step.cost for member in members if member.state is state]


def names_of(batch: Batch) -> list[tuple[int, int]]:
    return [(member.state.number, member.job.queued.index) for member in batch.members]


def test_without_work_there_is_no_batch(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    assert policy.choose([], NOW) is None
    assert policy.choose([a_state(slot)], NOW) is None
    assert policy.to_open([a_state(slot)]) is None


def test_choosing_changes_nothing(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = a_state(slot, [utterance()])
    assert policy.to_open([state]) is policy.to_open([state]) is state
    fakes.begin(state)
    assert policy.choose([state], NOW) == policy.choose([state], NOW) is not None
    [result] = slot.engine.run([state.jobs[0].next_step(0.0)])
    state.jobs[0].add(result)
    assert policy.choose([state], NOW) == policy.choose([state], NOW) is not None
    assert state.step_seconds == slot.tuning.audio_seconds[0]


def test_the_request_that_came_first_is_served_first(policy: EarliestDeadlineFirst, single: Slot) -> None:
    late, early = (a_state(single, [utterance()], entered=entered) for entered in (2.0, 1.0))
    assert policy.to_open([late, early]) is early
    batch = chosen(policy, [late, early])
    assert batch.kind == "prepare"
    assert owners_of(batch) == [early]


def test_the_stream_that_will_run_dry_first_is_rendered_first(policy: EarliestDeadlineFirst, single: Slot) -> None:
    ahead, behind = (playing(single, sent_seconds=seconds) for seconds in (2.0, 1.0))
    assert owners_of(chosen(policy, [ahead, behind])) == [behind]


# --- how much audio a step makes -------------------------------------------------------------------------------


def test_the_first_step_is_small_and_the_next_double_up_to_the_largest(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = a_state(slot, [utterance(16 + 32 + 64 + 128 + 128 + 128)])
    assert windows_of(fakes.batches_of(policy, [state]), state) == [16, 32, 64, 128, 128, 128]


def test_steps_keep_their_length_from_one_sentence_to_the_next(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = a_state(slot, [utterance(16), utterance(500)])
    assert windows_of(fakes.batches_of(policy, [state]), state)[:2] == [16, 32]


def test_the_steps_of_a_unary_request_are_the_largest_from_the_start(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = a_state(slot, [utterance(300)], is_unary=True)
    assert windows_of(fakes.batches_of(policy, [state]), state) == [128, 172]


def test_steps_come_in_the_lengths_that_the_engine_does_best(policy: EarliestDeadlineFirst) -> None:
    slot = fakes.slot_of(fakes.FrameEngine(sizes=(21, 42, 74, 106)))
    state = a_state(slot, [utterance(21 + 42 + 106 + 106)])
    assert windows_of(fakes.batches_of(policy, [state]), state) == [21, 42, 106, 106]


@pytest.mark.parametrize("is_unary", [False, True])
def test_every_utterance_is_spoken_to_its_end_and_in_order(policy: EarliestDeadlineFirst, is_unary: bool) -> None:
    for frames in range(1, 120):
        slot = fakes.slot_of(fakes.FrameEngine(sizes=(3, 6, 11)))
        said = [utterance(frames), utterance(1), utterance(frames)]
        state = a_state(slot, said, is_unary=is_unary)
        batches = [batch for batch in fakes.batches_of(policy, [state]) if batch.kind == "render"]
        made = [(member.job.queued.index, member.step.cost) for batch in batches for member in batch.members]
        assert [index for index, _ in made] == sorted(index for index, _ in made)
        assert [sum(cost for at, cost in made if at == index) for index in range(3)] == [frames, 1, frames]
        assert state.is_finished
        assert slot.engine.held_jobs == []


def test_an_engine_that_decides_how_much_a_step_makes_is_asked_for_nothing(policy: EarliestDeadlineFirst) -> None:
    slot = fakes.slot_of(fakes.TokenEngine())
    for is_unary in (False, True):
        state = a_state(slot, [utterance(100, 200, voice="t"), utterance(300, voice="t")], is_unary=is_unary)
        kinds = [batch.kind for batch in fakes.batches_of(policy, [state])]
        assert kinds == ["prefill", "decode", "decode", "prefill", "decode"]
        assert policy.next_step_seconds(state) == 0.0
        assert state.is_finished


# --- preparation -----------------------------------------------------------------------------------------------


def test_a_unary_request_is_prepared_to_its_end_before_its_first_audio(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = a_state(slot, [utterance() for _ in range(6)], is_unary=True)
    first, second, third, *_ = fakes.batches_of(policy, [state])
    assert (first.kind, len(first.members)) == ("prepare", 4)
    assert (second.kind, len(second.members)) == ("prepare", 2)
    assert third.kind == "render"


def test_a_unary_request_makes_no_audio_before_its_text_is_complete(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = prepared(a_state(slot, [utterance()], is_unary=True, is_text_complete=False))
    assert fakes.choose(policy, [state]) is None
    state.is_text_complete = True
    assert chosen(policy, [state]).kind == "render"


def test_a_unary_request_makes_audio_at_once_on_an_engine_that_does_not_plan_ahead(
    policy: EarliestDeadlineFirst,
) -> None:
    slot = fakes.slot_of(fakes.FrameEngine(plans_ahead=False))
    state = prepared(a_state(slot, [utterance(), utterance()], is_unary=True, is_text_complete=False))
    batch = chosen(policy, [state])
    assert batch.kind == "render"
    assert len(state.waiting) == 1, "there is no use in beginning the next utterance early"


def test_a_stream_makes_audio_while_its_text_still_comes(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = prepared(a_state(slot, [utterance()], is_text_complete=False))
    assert chosen(policy, [state]).kind == "render"


def test_the_next_sentence_is_prepared_before_the_last_step_of_this_one(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    # 16, 32, then the rest, 79 frames: less than one and a half windows of 64
    state = a_state(slot, [utterance(16 + 32 + 79), utterance(1000)])
    kinds = [batch.kind for batch in fakes.batches_of(policy, [state])]
    assert kinds[:5] == ["prepare", "render", "render", "prepare", "render"]


def test_a_stream_prepares_one_sentence_ahead_and_no_more(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = playing(slot, sent_seconds=0.1)
    state.jobs[0].job.frames, state.jobs[0].total_samples = 10, 10 * fakes.FRAME_SAMPLES
    for _ in range(4):
        state.add(utterance(10), slot, None)
    batch = chosen(policy, [state])
    assert (batch.kind, len(batch.members)) == ("prepare", 1)
    fakes.apply(policy, batch)
    assert chosen(policy, [state]).kind == "render"
    assert len(state.waiting) == 3


def test_nothing_is_prepared_between_a_short_first_sentence_and_its_audio(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = a_state(slot, [utterance(3), utterance(1000)])
    kinds = [batch.kind for batch in fakes.batches_of(policy, [state])]
    assert kinds[:3] == ["prepare", "render", "prepare"]


def test_the_next_utterance_is_not_begun_early_where_the_end_of_this_one_is_unknown(
    policy: EarliestDeadlineFirst,
) -> None:
    slot = fakes.slot_of(fakes.TokenEngine())
    state = a_state(slot, [utterance(100, 100, voice="t"), utterance(100, voice="t")])
    fakes.apply(policy, chosen(policy, [state]))
    fakes.apply(policy, chosen(policy, [state]))
    assert state.is_playing
    assert policy.to_open([state]) is None


# --- batches ---------------------------------------------------------------------------------------------------


def test_requests_of_one_voice_share_a_batch_up_to_the_tuning(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    states = [a_state(slot, [utterance()], entered=float(n)) for n in range(6)]
    batch = chosen(policy, states)
    assert batch.kind == "prepare"
    assert owners_of(batch) == states[:4]
    states = [prepared(a_state(slot, [utterance()], entered=float(n))) for n in range(6)]
    batch = chosen(policy, states)
    assert batch.kind == "render"
    assert owners_of(batch) == states[:3]


def test_batches_never_mix_batch_keys(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    states = [a_state(slot, [utterance(100, voice=voice)], entered=float(n)) for n, voice in enumerate("abab")]
    states.append(a_state(slot, [utterance(100, voice=voice) for voice in "aba"], entered=9.0, is_unary=True))
    for batch in fakes.batches_of(policy, states):
        assert len({(member.step.kind, member.step.batch_key) for member in batch.members}) == 1
    assert all(state.is_finished for state in states)
    assert max(len(steps) for steps in slot.engine.batches) > 1


def test_steps_of_another_voice_wait_for_a_batch_of_their_own(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    first, other = (prepared(a_state(slot, [utterance(100, voice=voice)])) for voice in "ab")
    assert owners_of(chosen(policy, [first, other])) == [first]


def test_steps_of_two_engines_never_share_a_batch_even_if_they_look_alike(policy: EarliestDeadlineFirst) -> None:
    slots = [fakes.slot_of(fakes.FrameEngine(name=name)) for name in ("one", "other")]
    states = [a_state(slot, [utterance()], entered=float(n)) for n, slot in enumerate(slots)]
    batches = fakes.batches_of(policy, states)
    assert all(member.job.slot is batch.slot for batch in batches for member in batch.members)
    assert all(state.is_finished for state in states)
    assert all(slot.engine.batches for slot in slots)


def test_a_small_first_step_does_not_wait_for_long_ones_beside_it(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    old = [playing(slot, sent_seconds=0.0) for _ in range(2)]
    for state in old:
        state.step_seconds = 128 * FRAME_SECONDS
    fresh = [prepared(a_state(slot, [utterance(1000)], entered=-1.0)) for _ in range(2)]
    batch = chosen(policy, [*old, *fresh])
    assert batch.kind == "render"
    assert owners_of(batch) == fresh


def test_a_unary_request_that_is_alone_is_asked_for_as_much_as_a_batch_makes(policy: EarliestDeadlineFirst) -> None:
    slot = fakes.slot_of(fakes.FrameEngine(is_elastic=True))
    page = prepared(a_state(slot, [utterance(128 * 5)], is_unary=True))
    assert frames_of(chosen(policy, [page])) == [3 * 128]
    other = prepared(a_state(slot, [utterance(16, voice="b")], entered=60.0))
    assert frames_of(chosen(policy, [page, other])) == [128], "with somebody else there it is not alone"


def test_a_batch_names_every_utterance_by_its_request_and_its_place_in_it(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    states = [a_state(slot, [utterance() for _ in range(6)], is_unary=True, number=number) for number in (7, 9)]
    batches = fakes.batches_of(policy, states)
    assert (batches[0].kind, names_of(batches[0])) == ("prepare", [(7, 0), (9, 0), (7, 1), (7, 2)])  # several of one
    names = [name for batch in batches if batch.kind == "prepare" for name in names_of(batch)]
    assert sorted(names) == [(number, index) for number in (7, 9) for index in range(6)]
    rendered = [name for batch in batches if batch.kind == "render" for name in names_of(batch)]
    assert sorted(set(rendered)) == sorted(names)
    for number in (7, 9):
        own = [index for request, index in rendered if request == number]
        assert own == sorted(own)


def test_every_step_of_an_utterance_names_it(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    state = a_state(slot, [utterance(100), utterance(20)], number=7)
    batches = fakes.batches_of(policy, [state])
    rendered = [names_of(batch) for batch in batches if batch.kind == "render"]
    assert rendered == [[(7, 0)]] * 3 + [[(7, 1)]]  # 16, 32 and 52 frames, then all of the second


# --- readers ---------------------------------------------------------------------------------------------------


def test_a_stream_is_rendered_no_further_than_its_reader_may_leave_unread(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = prepared(a_state(slot, [utterance(10_000)]))
    for _ in range(MAX_UNREAD_STEPS):
        batch = chosen(policy, [state])
        assert batch.kind == "render"
        fakes.apply(policy, batch, is_read=False)
    assert fakes.choose(policy, [state]) is None
    state.unread_steps -= 1
    assert chosen(policy, [state]).kind == "render"


def test_a_reader_that_leaves_much_audio_gets_no_more_however_few_its_steps(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    state = prepared(a_state(slot, [utterance(100_000)]))
    state.unread_steps, state.unread_seconds = 1, MAX_UNREAD_SECONDS - 0.01
    assert chosen(policy, [state]).kind == "render"
    state.unread_seconds = MAX_UNREAD_SECONDS
    assert fakes.choose(policy, [state]) is None


def test_a_stream_whose_reader_pauses_does_not_hold_up_the_others(policy: EarliestDeadlineFirst, slot: Slot) -> None:
    stalled, other = (prepared(a_state(slot, [utterance(500)], entered=entered)) for entered in (0.0, 1.0))
    stalled.unread_steps = MAX_UNREAD_STEPS
    assert owners_of(chosen(policy, [stalled, other])) == [other]


# --- engines with few jobs -------------------------------------------------------------------------------------


def test_no_more_jobs_are_begun_than_the_engine_may_have_open(policy: EarliestDeadlineFirst) -> None:
    slot = fakes.slot_of(fakes.TokenEngine(max_jobs=1))
    first, second = (a_state(slot, [utterance(9, voice="t")], entered=entered) for entered in (0.0, 1.0))
    assert policy.to_open([second, first]) is first
    fakes.begin(first)
    assert policy.to_open([second, first]) is None
    slot.open_jobs = 0
    assert policy.to_open([second]) is second


def test_a_job_of_an_engine_with_few_runs_to_its_end_though_its_reader_pauses(policy: EarliestDeadlineFirst) -> None:
    slot = fakes.slot_of(fakes.TokenEngine(max_jobs=1))
    said = [utterance(*[100] * 10, voice="t"), utterance(100, voice="t")]
    paused = a_state(slot, said)
    waiting = a_state(slot, [utterance(100, voice="t")], entered=5.0)
    while (batch := fakes.choose(policy, [paused, waiting])) is not None:
        fakes.apply(policy, batch, is_read=False)
    assert paused.finished == 1
    assert paused.is_backpressured
    assert len(paused.waiting) == 1, "its next utterance is not begun before its reader goes on"
    assert waiting.is_finished


def test_every_unary_request_comes_to_its_end_whatever_the_engine_is_tuned_to(policy: EarliestDeadlineFirst) -> None:
    for max_jobs in (None, 1, 2):
        for plans_ahead in (False, True):
            slot = fakes.slot_of(fakes.FrameEngine(max_jobs=max_jobs, plans_ahead=plans_ahead))
            states = [a_state(slot, [utterance(20)] * 3, is_unary=True, entered=float(n)) for n in range(2)]
            fakes.batches_of(policy, states)
            assert all(state.is_finished for state in states), f"{max_jobs=} {plans_ahead=}"


@pytest.mark.parametrize("is_planner_first", [True, False])
def test_a_unary_request_may_go_from_an_engine_that_plans_ahead_to_one_that_does_not_and_back(
    policy: EarliestDeadlineFirst, is_planner_first: bool
) -> None:
    planner, decoder = fakes.slot_of(fakes.FrameEngine()), fakes.slot_of(fakes.TokenEngine())
    state = a_state(planner, is_unary=True)
    for number in range(4):
        if (number % 2 == 0) == is_planner_first:
            state.add(utterance(20), planner, None)
        else:
            state.add(utterance(100, 100, voice="t"), decoder, None)
    fakes.batches_of(policy, [state])
    assert state.is_finished


# --- with known costs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slack", "frames"), [(0.02, 16), (0.05, 16), (0.07, 32), (0.2, 64), (10.0, 128)])
def test_a_step_grows_as_far_as_the_slack_allows(policy: EarliestDeadlineFirst, slack: float, frames: int) -> None:
    assert frames_of(chosen(policy, [playing(taught(), sent_seconds=slack)])) == [frames]


def test_beside_others_a_batch_takes_no_longer_than_two_first_audios(policy: EarliestDeadlineFirst) -> None:
    slot = taught(prepare_seconds=0.02)  # first audio takes 36 ms
    streams = [playing(slot, sent_seconds=10.0) for _ in range(2)]
    assert frames_of(chosen(policy, streams))[0] == 64
    assert frames_of(chosen(policy, streams[:1]))[0] == 128


def test_a_step_stays_small_when_another_stream_would_run_dry_meanwhile(policy: EarliestDeadlineFirst) -> None:
    slot = taught(render_batch=1)
    urgent, tight = playing(slot, sent_seconds=0.04), playing(slot, sent_seconds=0.08)
    assert frames_of(chosen(policy, [urgent, tight])) == [16]
    tight.unread_steps = MAX_UNREAD_STEPS
    urgent.sent_seconds = 0.14
    assert frames_of(chosen(policy, [urgent, tight])) == [64], "who is not read is not waited for"


def test_many_streams_get_steps_that_last_for_a_round_of_all(policy: EarliestDeadlineFirst) -> None:
    slot = taught(fixed_seconds=0.04, prepare_seconds=0.001, render_batch=1)  # as if each had 40 frames more
    late = [playing(slot, sent_seconds=-0.5) for _ in range(4)]
    assert frames_of(chosen(policy, late)) == [32]  # 4 * 72 ms, and plays 371 ms
    assert frames_of(chosen(policy, late[:1])) == [16]


def test_a_first_step_never_grows(policy: EarliestDeadlineFirst) -> None:
    assert frames_of(chosen(policy, [prepared(a_state(taught(1e-6), [utterance(1000)]))])) == [16]


def test_nobody_begins_while_that_would_make_a_stream_run_dry(policy: EarliestDeadlineFirst) -> None:
    slot = taught(prepare_seconds=0.02, render_batch=1)
    new = a_state(slot, [utterance(1000)], entered=-5.0)
    old = playing(slot, sent_seconds=0.05)  # 36 ms for the new one, 16 for this one
    assert owners_of(chosen(policy, [new, old])) == [old]
    old.sent_seconds = 0.5
    assert owners_of(chosen(policy, [new, old])) == [new]


def test_a_unary_request_waits_while_its_turn_would_make_a_stream_run_dry(policy: EarliestDeadlineFirst) -> None:
    slot = taught(prepare_seconds=0.02, render_batch=1)
    page = a_state(slot, [utterance(1000)] * 4, entered=-100.0, is_unary=True)
    stream = playing(slot, sent_seconds=0.15)  # one preparation would fit, but not all four, which share a batch
    assert owners_of(chosen(policy, [page, stream])) == [stream]
    stream.sent_seconds = 5.0
    assert owners_of(chosen(policy, [page, stream]))[0] is page


def test_a_unary_request_of_many_sentences_waits_no_longer_than_one_of_few(policy: EarliestDeadlineFirst) -> None:
    slot = taught(prepare_seconds=0.02, render_batch=1)
    stream = playing(slot, sent_seconds=5.0)
    page = a_state(slot, [utterance(1000)] * 400, entered=-100.0, is_unary=True)
    assert owners_of(chosen(policy, [page, stream]))[0] is page, "one batch of it takes 80 ms at most"


def test_a_stream_that_is_dry_already_keeps_nobody_from_beginning_before_it(policy: EarliestDeadlineFirst) -> None:
    slot = taught(render_batch=1)
    new, dry = a_state(slot, [utterance(1000)], entered=-5.0), playing(slot, sent_seconds=-1.0)
    assert owners_of(chosen(policy, [new, dry])) == [new]  # it has waited even longer
    new.entered = NOW
    assert owners_of(chosen(policy, [new, dry])) == [dry]


def test_a_preparation_takes_others_along_only_while_nobody_runs_dry_meanwhile(policy: EarliestDeadlineFirst) -> None:
    slot = taught(0.0001, prepare_seconds=0.02)
    streams = [a_state(slot, [utterance(1000)], entered=-1.0) for _ in range(4)]
    assert len(chosen(policy, streams).members) == 2  # as long as two first audios take
    tight = playing(slot, sent_seconds=0.07)
    batch = chosen(policy, [*streams, tight])
    assert (batch.kind, owners_of(batch)) == ("prepare", streams[:1])


def test_a_stream_that_plays_and_would_run_dry_goes_before_one_that_is_new(
    policy: EarliestDeadlineFirst, slot: Slot
) -> None:
    new = prepared(a_state(slot, [utterance(1000)], entered=10.0))
    dry_soon, at_ease = playing(slot, sent_seconds=10.1), playing(slot, sent_seconds=11.0)
    order = [owners_of(chosen(policy, states, 10.0))[0] for states in ([new, dry_soon], [new, at_ease])]
    assert order == [dry_soon, new]


def test_a_new_request_of_one_engine_waits_for_a_stream_of_the_other(policy: EarliestDeadlineFirst) -> None:
    slow, quick = taught(prepare_seconds=0.2), taught()
    new, stream = a_state(slow, [utterance(1000)], entered=-5.0), playing(quick, sent_seconds=0.3)
    assert owners_of(chosen(policy, [new, stream])) == [stream]
    stream.sent_seconds = 1.0
    assert owners_of(chosen(policy, [new, stream])) == [new]


def test_a_decision_asks_each_stream_for_its_steps_but_twice(
    policy: EarliestDeadlineFirst, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many streams the decision itself must cost little beside the batch that it chooses."""
    slot = fakes.slot_of(fakes.FrameEngine(render_batch=1), fakes.teach(CostModel()))
    states = [fakes.playing(fakes.a_state(slot, [utterance(500)], number=n), sent_seconds=1.0 + n) for n in range(32)]
    asked: list[float] = []
    next_step = OpenJob.next_step
    monkeypatch.setattr(OpenJob, "next_step", lambda job, seconds: asked.append(seconds) or next_step(job, seconds))
    batch = policy.choose(states, now=0.5)
    assert batch is not None
    assert batch.members[0].state is states[0]
    assert len(asked) <= 2 * len(states) + len(fakes.SIZES)
