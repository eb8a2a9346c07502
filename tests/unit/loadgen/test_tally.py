"""Counting calls."""

from phonoscope.loadgen.plan import CallResult, PlannedCall
from phonoscope.loadgen.tally import ACCEPTED, MAX_ERROR_NAMES, OTHER_ERRORS, Tally

STREAM = PlannedCall("Hello.", {}, is_stream=True)
UNARY = PlannedCall("Hello.", {}, is_stream=False)
BAD = PlannedCall("", {}, is_stream=True, is_bad=True)


def tally_of(*calls: CallResult) -> Tally:
    tally = Tally()
    for made in calls:
        tally.add(made)
    return tally


def counts(tally: Tally) -> dict[str, int]:
    return {name: histogram.count for name, histogram in tally.measured.items() if histogram.count}


def test_a_stream_is_measured_by_its_first_audio_its_gaps_and_its_whole():
    made = CallResult(
        call=STREAM, seconds=2.0, first_audio_seconds=0.5, audio_seconds=4.0, gaps_seconds=(0.1, 0.2), underruns=3
    )
    tally = tally_of(made)
    assert (tally.ok, tally.streams, tally.underruns, tally.streams_with_underruns) == (1, 1, 3, 1)
    assert counts(tally) == {"first_audio_seconds": 1, "stream_seconds": 1, "gap_seconds": 2, "real_time_factor": 1}
    assert tally.measured["first_audio_seconds"].largest == 0.5
    assert tally.measured["stream_seconds"].largest == 2.0
    assert tally.measured["real_time_factor"].largest == 0.5
    assert tally.audio_seconds == 4.0


def test_a_unary_reply_is_not_a_stream():
    tally = tally_of(CallResult(call=UNARY, seconds=2.0, first_audio_seconds=2.0, audio_seconds=4.0))
    assert (tally.ok, tally.streams) == (1, 0)
    assert counts(tally) == {"unary_seconds": 1, "real_time_factor": 1}


def test_a_stream_that_broke_counts_what_was_heard_and_as_failed():
    made = CallResult(call=STREAM, seconds=9.0, error="INTERNAL X", first_audio_seconds=0.5, audio_seconds=1.0)
    tally = tally_of(made)
    assert (tally.ok, tally.failed, tally.errors["INTERNAL X"]) == (0, 1, 1)
    assert tally.audio_seconds == 1.0
    assert counts(tally) == {"first_audio_seconds": 1, "failure_seconds": 1}


def test_a_bad_request_that_is_refused_is_as_meant_and_any_other_end_of_it_is_not():
    refused = CallResult(call=BAD, seconds=0.1, error="INVALID_ARGUMENT TEXT_EMPTY", is_refused=True)
    accepted = CallResult(call=BAD, seconds=0.1, first_audio_seconds=0.1, audio_seconds=1.0)
    broken = CallResult(call=BAD, seconds=0.1, error="INTERNAL")
    tally = tally_of(refused, accepted, broken)
    assert (tally.refused_as_meant, tally.ok) == (1, 0)
    assert tally.errors == {ACCEPTED: 1, "INTERNAL": 1}
    assert tally.ended == 3


def test_a_good_request_that_is_refused_has_failed():
    tally = tally_of(CallResult(call=STREAM, seconds=0.1, error="INVALID_ARGUMENT VOICE_UNKNOWN", is_refused=True))
    assert (tally.refused_as_meant, tally.failed) == (0, 1)


def test_a_cancelled_stream_counts_apart_and_only_its_first_audio_is_measured():
    heard = CallResult(call=STREAM, seconds=0.6, first_audio_seconds=0.5, audio_seconds=1.0, is_cancelled=True)
    unheard = CallResult(call=STREAM, seconds=0.01, is_cancelled=True)
    tally = tally_of(heard, unheard)
    assert (tally.cancelled, tally.ok, tally.failed, tally.ended) == (2, 0, 0, 2)
    assert (tally.streams, tally.audio_seconds) == (1, 1.0)
    assert counts(tally) == {"first_audio_seconds": 1}


def test_the_kinds_of_errors_are_bounded():
    tally = tally_of(*(CallResult(call=STREAM, seconds=0.1, error=f"INTERNAL {n}") for n in range(1000)))
    whole = Tally()
    whole.merge(tally)
    assert len(whole.errors) == len(tally.errors) == MAX_ERROR_NAMES + 1
    assert whole.errors[OTHER_ERRORS] == 1000 - MAX_ERROR_NAMES
    assert whole.failed == 1000


def test_two_merged_hold_the_counts_of_both():
    one = tally_of(CallResult(call=STREAM, seconds=1.0, first_audio_seconds=0.5, audio_seconds=2.0, underruns=1))
    other = tally_of(
        CallResult(call=STREAM, seconds=1.0, first_audio_seconds=0.7, audio_seconds=3.0, underruns=2),
        CallResult(call=BAD, seconds=0.1, error="INVALID_ARGUMENT", is_refused=True),
        CallResult(call=UNARY, seconds=1.0, error="UNAVAILABLE"),
        CallResult(call=STREAM, seconds=0.01, is_cancelled=True),
    )
    other.no_room, other.server_away, other.cut_off = 1, 2, 3
    one.merge(other)
    assert (one.ok, one.refused_as_meant, one.failed, one.cancelled) == (2, 1, 1, 1)
    assert (one.no_room, one.server_away, one.cut_off) == (1, 2, 3)
    assert (one.streams, one.underruns, one.streams_with_underruns, one.audio_seconds) == (2, 3, 2, 5.0)
    assert one.measured["first_audio_seconds"].count == 2
