"""The log of single calls."""

from phonoscope.loadgen.plan import CallResult, PlannedCall
from phonoscope.loadgen.samples import Sample, SampleLog

STREAM = PlannedCall("Hello.", {}, is_stream=True)
BAD = PlannedCall("", {}, is_stream=True, is_bad=True)
MADE = CallResult(call=STREAM, seconds=2.0, first_audio_seconds=0.5, audio_seconds=4.0, underruns=3)


def test_a_call_becomes_one_sample():
    log = SampleLog()
    log.add(MADE, 7.0)
    assert log.samples() == (Sample(7.0, 0.5, 2.0, 4.0, 3, ""),)


def test_samples_are_in_the_order_in_which_calls_were_due_not_in_that_of_their_ends():
    log = SampleLog()
    for due in (3.0, 1.0, 2.0):
        log.add(MADE, due)
    assert [sample.due_seconds for sample in log.samples()] == [1.0, 2.0, 3.0]


def test_an_error_is_reported_but_not_a_refusal_that_was_meant():
    log = SampleLog()
    log.add(CallResult(call=STREAM, seconds=0.1, error="INTERNAL"), 1.0)
    log.add(CallResult(call=BAD, seconds=0.1, error="INVALID_ARGUMENT", is_refused=True), 2.0)
    assert [sample.error for sample in log.samples()] == ["INTERNAL", ""]


def test_a_cancelled_call_is_marked():
    log = SampleLog()
    log.add(CallResult(call=STREAM, seconds=0.1, is_cancelled=True), 1.0)
    log.add(MADE, 2.0)
    assert [(sample.is_cancelled, sample.error) for sample in log.samples()] == [(True, ""), (False, "")]


def test_beyond_the_bound_each_call_has_the_same_chance():
    kept = []
    for seed in range(200):
        log = SampleLog(max_samples=10, seed=seed)
        for due in range(100):
            log.add(MADE, float(due))
        assert (log.calls, len(log.samples())) == (100, 10)
        kept += [sample.due_seconds for sample in log.samples()]
    for tenth in range(10):  # 200 of 2000 are expected of each, give or take 13
        assert 140 < sum(10 * tenth <= due < 10 * tenth + 10 for due in kept) < 260
