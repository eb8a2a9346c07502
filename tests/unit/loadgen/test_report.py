"""Lines, table and JSON."""

import json

import pytest

from phonoscope.loadgen.events import Figures, ServerAway, ServerBack, Summary
from phonoscope.loadgen.plan import CallResult, LoadPlan, Mode, PlannedCall
from phonoscope.loadgen.report import json_of, line_of, table_of, three_digits
from phonoscope.loadgen.samples import Sample
from phonoscope.loadgen.tally import Tally

STREAM = PlannedCall("Hello.", {}, is_stream=True)
UNARY = PlannedCall("Hello.", {}, is_stream=False)


@pytest.fixture
def tally():
    tally = Tally()
    for hundredths in range(1, 101):
        tally.add(
            CallResult(
                call=STREAM,
                seconds=1.0,
                first_audio_seconds=hundredths / 100,
                audio_seconds=2.0,
                gaps_seconds=(0.25,),
                underruns=hundredths == 100,
            )
        )
    tally.add(CallResult(call=UNARY, seconds=0.08, first_audio_seconds=0.08, audio_seconds=2.0))
    for error in ("INTERNAL", "UNAVAILABLE", "UNAVAILABLE"):
        tally.add(CallResult(call=STREAM, seconds=0.1, error=error))
    tally.add(CallResult(call=STREAM, seconds=0.01, is_cancelled=True))
    tally.no_room = 7
    return tally


def test_the_line_of_figures_tells_rates_latency_and_what_is_unusual(tally):
    line = line_of(Figures(at_seconds=15.0, seconds=5.0, in_flight=8, tally=tally), "here:1")
    for part in (
        "15 s",
        "21.0 calls/s",
        "ok 101",
        "in flight 8",
        "first audio p50 501 p95 948 ms",
        "unary reply p50 80.0 p95 80.0 ms",
        "audio 40.4 s/s",
        "RTF 0.500",
        "underruns 1",
        "cancelled 1",
        "no room 7",
        "errors UNAVAILABLE 2, INTERNAL 1",
    ):
        assert part in line
    assert "\n" not in line


def test_a_quiet_line_says_nothing_of_what_did_not_happen():
    line = line_of(Figures(at_seconds=5.0, seconds=5.0, in_flight=0, tally=Tally()), "here:1")
    assert " ".join(line.split()) == "5 s 0.0 calls/s ok 0 in flight 0 audio 0.0 s/s underruns 0"


def test_a_line_names_the_most_frequent_errors_only():
    tally = Tally()
    for number in range(5):
        for _ in range(number + 1):
            tally.add(CallResult(call=STREAM, seconds=0.1, error=f"E{number}"))
    line = line_of(Figures(5.0, 5.0, 0, tally), "here:1")
    assert line.endswith("errors E4 5, E3 4, E2 3, and 2 more kinds")


def test_the_servers_loss_and_return_are_a_line_each():
    assert line_of(ServerAway("UNAVAILABLE"), "here:1") == (
        "no server is SERVING at here:1 (UNAVAILABLE); checking until one is"
    )
    assert line_of(ServerBack(12.34), "here:1") == "here:1 is SERVING, after 12.3 s"


def test_the_table_has_all_counts_and_a_row_for_what_was_measured(tally):
    table = table_of(Summary(LoadPlan(concurrency=8, seed=3), 10.0, tally), "here:1")
    assert "here:1   stream, closed loop of 8   10.0 s   seed 3" in table
    assert "ok 101   failed 3" in table
    assert "cancelled 1   no room 7" in table
    assert "10.50 calls/s   20.2 audio seconds/s" in table
    assert "1 in 1 of 100 streams" in table
    assert "UNAVAILABLE 2, INTERNAL 1" in table
    rows = {line[:26].strip(): line[26:].split() for line in table.splitlines()[-7:]}
    assert rows["milliseconds"] == ["count", "p50", "p90", "p95", "p99", "p99.9", "max"]
    assert rows["first audio of streams"] == ["100", "501", "899", "948", "989", "1000", "1000"]
    assert rows["unary replies"] == ["1", *["80.0"] * 6]
    assert rows["real-time factor"][:3] == ["101", "0.500", "0.500"]


def test_the_table_of_an_open_loop_names_its_rate():
    plan = LoadPlan(mode=Mode.MIXED, arrivals_per_second=2.5, max_in_flight=9)
    assert "mixed, open loop of 2.5/s, up to 9 in flight" in table_of(Summary(plan, 1.0, Tally()), "here:1")


def test_a_run_without_calls_has_a_table_too():
    assert "ok 0   failed 0" in table_of(Summary(LoadPlan(), 0.0, Tally()), "here:1")


def test_the_json_holds_plan_counts_and_percentiles(tally):
    document = json.loads(json.dumps(json_of(Summary(LoadPlan(seed=3), 10.0, tally), "here:1"), allow_nan=False))
    assert (document["target"], document["plan"]["mode"], document["plan"]["seed"]) == ("here:1", "stream", 3)
    assert document["plan"]["max_in_flight"] == LoadPlan().max_in_flight
    assert document["calls"] == {
        "ok": 101,
        "failed": 3,
        "refused_as_meant": 0,
        "cancelled": 1,
        "no_room": 7,
        "not_sent_while_away": 0,
        "cut_off": 0,
    }
    assert document["errors"] == {"UNAVAILABLE": 2, "INTERNAL": 1}
    assert document["calls_per_second"] == 10.5
    assert document["audio_seconds_per_second"] == 20.2
    first_audio = document["measured"]["first_audio_seconds"]
    assert first_audio["count"] == 100
    assert first_audio["mean"] == pytest.approx(0.505)
    assert first_audio["p95"] == pytest.approx(0.95, rel=document["relative_error"])


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.5, "1234"), (99.96, "100.0"), (54.321, "54.3"), (1.234, "1.23"), (float("nan"), "-")]
)
def test_figures_have_no_more_digits_than_they_deserve(value, shown):
    assert three_digits(value) == shown


def test_a_ramp_is_an_open_loop_from_one_rate_to_another(tally):
    plan = LoadPlan(ramp_per_second=(1.0, 40.0), max_in_flight=9)
    assert "stream, open loop of 1 to 40/s, up to 9 in flight" in table_of(Summary(plan, 10.0, tally), "here:1")


def test_json_has_a_line_for_each_call(tally):
    sample = Sample(0.5, None, 1.5, 0.0, 0, "UNAVAILABLE")
    [told] = json_of(Summary(LoadPlan(), 10.0, tally, (sample,)), "here:1")["samples"]
    assert told["due_seconds"] == 0.5
    assert told["first_audio_seconds"] is None
    assert told["error"] == "UNAVAILABLE"


def test_the_header_names_the_drills_of_a_run_and_only_them():
    rude = LoadPlan(concurrency=8, retry_seconds=0.25, neighbours=3)
    (header, *_) = table_of(Summary(rude, 10.0, Tally()), "here:1").splitlines()
    assert header == "here:1   stream, closed loop of 8, retries after 0.25 s   10.0 s   seed 0   busy neighbours 3"
    (header, *_) = table_of(Summary(LoadPlan(concurrency=8), 10.0, Tally()), "here:1").splitlines()
    assert header == "here:1   stream, closed loop of 8   10.0 s   seed 0"


def test_json_names_the_drills_of_a_run():
    plan = json_of(Summary(LoadPlan(cancel_ratio=0.3, retry_seconds=0.25, neighbours=3), 10.0, Tally()), "here:1")[
        "plan"
    ]
    assert (plan["cancel_ratio"], plan["retry_seconds"], plan["neighbours"]) == (0.3, 0.25, 3)
