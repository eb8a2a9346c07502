"""`phonoscope bench` against a real gRPC server."""

import os
import select
import signal
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2


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


def test_impatient_clients_do_not_wait_as_long_as_the_server_asks(run, server):
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


def test_texts_are_sent_word_by_word(run, server):
    result = run("bench", "-s", server.target, "--mode", "bidi", "--tokens-per-second", 500, "-n", 6)
    assert "bidi, closed loop of 4" in result.stdout
    assert "ok 6   failed 0" in result.stdout
    assert len(server.requests("StreamingSynthesize")) == 6


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


def test_a_run_continues_when_its_server_is_replaced(start, server_class):
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
