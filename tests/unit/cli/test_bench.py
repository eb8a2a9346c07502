"""`phonoscope bench` against a real gRPC server."""

import json
import os
import select
import signal
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from phonoscope.cli import load_tracing


def lines_until(process, wanted: str) -> list[str]:
    """Reads the lines of stderr up to one that holds `wanted`."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"{wanted!r} never came: {lines}")


def test_a_run_ends_with_the_table(run, server):
    result = run("bench", "--server", server.target, "--requests", 12, "-c", 3)
    assert result.exit_code == 0
    assert "stream, closed loop of 3" in result.stdout
    assert "ok 12   failed 0" in result.stdout
    assert "first audio of streams" in result.stdout
    assert len(server.requests("SynthesizeStream")) == 12


def test_an_open_loop_of_unary_calls(run, server):
    result = run("bench", "-s", server.target, "--mode", "unary", "--rate", 200, "-n", 20)
    assert "unary, open loop of 200/s" in result.stdout
    assert "ok 20" in result.stdout
    assert len(server.requests("Synthesize")) == 20


def test_what_is_asked_for_reaches_the_server(run, server, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("Only this.\n")
    run("bench", "-s", server.target, "-n", 3, "--text", file, "--voice", "joe:3", "--deadline", 7)
    assert {(request.text, request.speaker_id) for request in server.requests("SynthesizeStream")} == {
        ("Only this.", "joe:3")
    }
    assert all(5 < call.seconds_left < 8 for call in server.calls)


def test_the_same_seed_asks_for_the_same_speech(run, server):
    for seed in (5, 5, 6):
        run("bench", "-s", server.target, "-n", 10, "-c", 1, "--seed", seed)
    asked = [(request.text, request.seed) for request in server.requests("SynthesizeStream")]
    assert asked[:10] == asked[10:20] != asked[20:]


def test_errors_are_counted_and_do_not_fail_the_run(run, server):
    server.then_fail(grpc.StatusCode.INTERNAL, "broken")
    result = run("bench", "-s", server.target, "-n", 4, "-c", 1)
    assert result.exit_code == 0
    assert "ok 3   failed 1" in result.stdout
    assert "errors     INTERNAL 1" in result.stdout


def test_bad_requests_are_sent_where_they_are_asked_for(run, server):
    result = run("bench", "-s", server.target, "-n", 50, "--bad-ratio", 1)
    assert "BAD_REQUEST_ACCEPTED 50" in result.stdout  # the scripted server refuses nothing
    assert {request.text for request in server.requests("SynthesizeStream")} >= {"", "   "}


@pytest.mark.parametrize("mode", ["stream", "bidi"])
def test_streams_are_cancelled_where_it_is_asked_for(run, server, mode):
    result = run("bench", "-s", server.target, "-n", 20, "--mode", mode, "--cancel-ratio", 1)
    assert result.exit_code == 0
    assert "ok 0   failed 0" in result.stdout
    assert "cancelled 20" in result.stdout


def test_a_cancel_ratio_of_zero_suits_every_mode(run, server):
    result = run("bench", "-s", server.target, "-n", 2, "--mode", "unary", "--cancel-ratio", 0)
    assert "ok 2   failed 0" in result.stdout


def test_rude_callers_do_not_wait_as_long_as_the_server_asks(run, server):
    """The server asks for 30 s, which is also the default duration: polite callers would make one call."""
    for _ in range(3):
        server.then_fail(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "full",
            error_details_pb2.RetryInfo(retry_delay=Duration(seconds=30)),
        )
    result = run("bench", "-s", server.target, "-n", 4, "-c", 1, "--retry-seconds", 0)
    assert "ok 1   failed 3" in result.stdout
    assert "closed loop of 1, retries after 0 s" in result.stdout


def children_of(process) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and file descriptors of processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_neighbours_are_busy_during_the_run_and_end_with_it_however_it_ends(start, server, number):
    process = start("bench", "-s", server.target, "--duration", 0, "--every", 0.2, "--neighbours", 2)
    lines_until(process, "calls/s")
    pidfds = [os.pidfd_open(pid) for pid in children_of(process)]
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    ended = [bool(select.select([pidfd], [], [], 20)[0]) for pidfd in pidfds]
    for pidfd in pidfds:
        os.close(pidfd)
    assert ended == [True, True]
    assert "Traceback" not in stderr
    assert ("busy neighbours 2" in stdout) == (number is not signal.SIGKILL)


def test_the_json_is_written(run, server, tmp_path):
    run("bench", "-s", server.target, "-n", 5, "--json", tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["calls"]["ok"], document["target"]) == (5, server.target)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rate", 5, "-c", 2], "either a closed loop or an open loop"),
        (["--json", "/no/such/folder/out.json"], "is not a directory"),
        (["--text", "EMPTY"], "no text"),
        (["--rate", 0], "--rate"),
        (["--bad-ratio", 2], "--bad-ratio"),
        (["--cancel-ratio", 2], "--cancel-ratio"),
        (["--cancel-ratio", 0.1, "--mode", "unary"], "only streams can be cancelled"),
        (["--retry-seconds", -1], "--retry-seconds"),
        (["--retry-seconds", 0, "--rate", 5], "an open loop (--rate, --ramp) does not retry"),
        (["--retry-seconds", 1, "--ramp", "1:5"], "an open loop (--rate, --ramp) does not retry"),
        (["--neighbours", -1], "--neighbours"),
        (["--ramp", "1:5", "--rate", 5], "use one of --concurrency, --rate and --ramp"),
        (["--ramp", "1:5", "-c", 5], "use one of --concurrency, --rate and --ramp"),
        (["--ramp", "5"], "such as 1:20"),
        (["--ramp", "1:fast"], "such as 1:20"),
        (["--ramp", "-1:5"], "must be finite, and 0 or more"),
        (["--ramp", "1:inf"], "must be finite, and 0 or more"),
        (["--ramp", "0:0"], "above 0"),
        (["--ramp", "1:5", "-d", 0], "--ramp needs a --duration above 0"),
        (["--characters", "64"], "such as 64:235"),
        (["--characters", "9000:9001"], "no text has 9000 to 9001 characters"),
        (["--target", "piper"], "needs a URL"),
        (["--target", "openai"], "needs a URL"),
        (["-s", "http://here:1"], "a URL needs --target"),
        (["-s", "http://here:1", "--target", "openai", "--bad-ratio", 0.5], "--bad-ratio needs --target grpc"),
        (
            ["-s", "http://here:1", "--target", "openai", "--mode", "unary", "--cancel-ratio", 1],
            "only streams can be cancelled",
        ),
        (["-s", "http://here:1", "--target", "openai", "--mode", "bidi"], "--mode bidi needs --target grpc"),
        (["--html", "/nowhere/page.html"], "/nowhere is not a directory"),
        (["-s", "http://here:1", "--target", "piper", "--otlp-endpoint", "http://a:1"], "--otlp-endpoint needs"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(run, server, tmp_path, arguments, says):
    (tmp_path / "empty").write_text("\n")
    given = [tmp_path / "empty" if argument == "EMPTY" else argument for argument in arguments]
    result = run("bench", "-s", server.target, *given)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert server.calls == []


def test_texts_are_sent_word_by_word(run, server):
    result = run("bench", "-s", server.target, "--mode", "bidi", "--tokens-per-second", 500, "-n", 6)
    assert "bidi, closed loop of 4" in result.stdout
    assert "ok 6   failed 0" in result.stdout
    assert len(server.requests("StreamingSynthesize")) == 6


def test_the_page_of_a_run_has_its_table_and_its_plots(run, server, tmp_path):
    file = tmp_path / "page.html"
    result = run("bench", "-s", server.target, "-n", 20, "--html", file)
    assert result.exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert "ok 20   failed 0" in page
    assert page.count("<svg") == 3


def test_a_page_without_matplotlib_is_refused_before_the_run(run, server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("bench", "-s", server.target, "-n", 1, "--html", tmp_path / "page.html")
    assert result.exit_code == 1
    assert "pip install 'phonoscope[bench]'" in result.stderr
    assert server.calls == []


def test_a_ramp_of_calls(run, server):
    result = run("bench", "-s", server.target, "--ramp", "50:400", "--duration", 30, "-n", 20)
    assert result.exit_code == 0
    assert "ok 20   failed 0" in result.stdout


def test_a_range_of_characters_is_kept(run, server):
    run("bench", "-s", server.target, "-n", 40, "--characters", "64:100")
    assert {64 <= len(request.text) <= 100 for request in server.requests("SynthesizeStream")} == {True}


@pytest.mark.parametrize(
    ("arguments", "path", "asked"),
    [
        (["--target", "piper"], "/synthesize", {"text": "Only this."}),
        (
            ["--target", "openai", "--response-format", "pcm", "--model", "kokoro", "--voice", "bella"],
            "/v1/audio/speech",
            {"model": "kokoro", "input": "Only this.", "voice": "bella", "response_format": "pcm"},
        ),
    ],
)
def test_other_servers_are_measured_over_http(run, http_server, tmp_path, arguments, path, asked):
    (tmp_path / "texts.txt").write_text("Only this.\n")
    result = run("bench", "-s", http_server.url, "-n", 6, "--text", tmp_path / "texts.txt", *arguments)
    assert result.exit_code == 0
    assert "ok 6   failed 0" in result.stdout
    assert [(at, body) for at, _, body in http_server.asked] == [(path, asked)] * 6


def test_the_key_reaches_the_server_and_no_output(run, http_server, tmp_path):
    arguments = ["bench", "-s", http_server.url, "--target", "openai", "-n", 2, "--json", tmp_path / "out.json"]
    key = {"PHONOSCOPE_BENCH_API_KEY": "k3y-of-mine"}
    result = run(*arguments, env=key)
    assert {headers["authorization"] for _, headers, _ in http_server.asked} == {"Bearer k3y-of-mine"}
    told = [result.output, (tmp_path / "out.json").read_text(), run("bench", "--help", env=key).output]
    assert not any("k3y-of-mine" in text for text in told)


def test_a_text_file_that_is_not_there_is_one_line(run, server, tmp_path):
    result = run("bench", "-s", server.target, "--text", tmp_path / "none.txt")
    assert result.exit_code == 1
    assert result.stderr == f"phonoscope: {tmp_path}/none.txt: No such file or directory\n"


def test_a_server_that_does_not_come_is_one_line_and_status_1(run):
    result = run("bench", "-s", "127.0.0.1:1", "--wait", 0.3)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("phonoscope: 127.0.0.1:1 was not SERVING within 0.3 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_the_table_and_status_0(start, server, number):
    process = start("bench", "-s", server.target, "--duration", 0, "--every", 0.2)
    lines_until(process, "calls/s")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "closed loop of 4" in stdout
    assert "first audio of streams" in stdout
    assert "Traceback" not in stderr


def test_a_signal_while_the_server_is_waited_for_ends_the_run_too(start):
    process = start("bench", "-s", "127.0.0.1:1", "--wait", 0)
    lines_until(process, "no server is SERVING")
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "ok 0   failed 0" in stdout


def test_a_run_goes_on_when_its_server_is_replaced(start, server_class):
    first = server_class()
    process = start("bench", "-s", first.target, "--duration", 0, "--every", 0.2)
    lines_until(process, "calls/s")
    first.close()
    lines_until(process, f"no server is SERVING at {first.target} (UNAVAILABLE)")
    second = server_class(port=first.port)
    try:
        lines_until(process, f"{first.target} is SERVING, after")
        lines_until(process, "first audio")
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=20)
    finally:
        second.close()
    assert process.returncode == 0
    assert "UNAVAILABLE" in stdout


def test_spans_are_made_of_calls_and_sent_at_the_end(run, server, monkeypatch):
    from opentelemetry.sdk.trace import TracerProvider

    import phonoscope.common.tracing

    class Tracing:
        provider = TracerProvider()
        was_shut_down = False

        def shutdown(self, seconds: float) -> None:
            self.was_shut_down = True

    tracing = Tracing()
    asked = []

    def build(service_name, **options):
        asked.append((service_name, options["endpoint"], options["sample_ratio"]))
        return tracing

    monkeypatch.setattr(phonoscope.common.tracing, "build_tracing", build)
    run("bench", "-s", server.target, "-n", 3, "--otlp-endpoint", "http://here:4317", "--trace-sample-ratio", 0.5)
    assert asked == [("phonoscope-loadgen", "http://here:4317", 0.5)]
    assert tracing.was_shut_down
    assert len({call.metadata["traceparent"] for call in server.calls}) == 3


def test_without_the_extra_the_endpoint_is_refused_by_name(run, server, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonoscope.common.tracing", None)
    result = run("bench", "-s", server.target, "--otlp-endpoint", "http://here:4317")
    assert result.exit_code == 1
    assert "pip install 'phonoscope[tracing]'" in result.stderr
    assert server.calls == []


def test_an_endpoint_that_cannot_be_read_is_one_line(run, server):
    result = run("bench", "-s", server.target, "--otlp-endpoint", "http://here:4318/v1/traces")
    assert result.exit_code == 1
    assert result.stderr.startswith("phonoscope: ")
    assert "otlp_endpoint" in result.stderr


def test_a_collector_that_is_away_does_not_hold_up_the_end(run, server, monkeypatch):
    monkeypatch.setattr(load_tracing, "FLUSH_SECONDS", 0.2)
    result = run("bench", "-s", server.target, "-n", 3, "--otlp-endpoint", "http://127.0.0.1:1")
    assert result.exit_code == 0
    assert "ok 3   failed 0" in result.stdout
