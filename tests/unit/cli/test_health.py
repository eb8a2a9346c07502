"""`phonoscope health` as a probe runs it."""

import signal

import pytest

from phonoscope.cli import health


def test_serving_exits_0(run, server):
    result = run("health", "--server", server.target)
    assert (result.exit_code, result.stdout) == (0, "SERVING\n")


def test_not_serving_exits_1(run, server):
    server.set_health("NOT_SERVING", "liveness")
    result = run("health", "--server", server.target, "--service", "liveness")
    assert (result.exit_code, result.stdout) == (1, "NOT_SERVING\n")


def test_an_unknown_service_exits_1(run, server):
    result = run("health", "--server", server.target, "--service", "nonsense")
    assert (result.exit_code, result.stdout) == (1, "SERVICE_UNKNOWN\n")


def test_wrong_usage_exits_2(run):
    assert run("health", "--nonsense").exit_code == 2


def test_an_unreachable_server_exits_3_with_one_line(run):
    result = run("health", "--server", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("phonoscope: cannot reach a server at 127.0.0.1:1")


def test_the_environment_names_the_server(run, server):
    assert run("health", env={"PHONOSCOPE_CLIENT_SERVER": server.target}).exit_code == 0


@pytest.mark.parametrize(("status", "exit_code"), [("SERVING", 0), ("NOT_SERVING", 1)])
def test_a_watch_that_runs_out_of_time_exits_by_the_last_status(run, server, status, exit_code):
    server.set_health(status)
    result = run("health", "--server", server.target, "--watch", "--timeout", "0.2")
    assert (result.exit_code, result.stdout) == (exit_code, f"{status}\n")


def test_a_watch_of_nothing_says_so_and_exits_3(run, monkeypatch):
    monkeypatch.setattr(health, "REWATCH_PAUSE_SECONDS", 0.0)
    result = run("health", "--server", "127.0.0.1:1", "--watch", "--timeout", "0.2")
    assert (result.exit_code, result.stdout) == (3, "UNREACHABLE\n")


def test_watch_prints_each_change_through_a_restart_until_interrupted(start, server, server_class):
    process = start("health", "--watch", "--server", server.target)
    assert process.stdout.readline() == "SERVING\n"
    server.set_health("NOT_SERVING")
    assert process.stdout.readline() == "NOT_SERVING\n"
    server.close()
    assert process.stdout.readline() == "UNREACHABLE\n"
    restarted = server_class(port=server.port)
    assert process.stdout.readline() == "SERVING\n"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    restarted.close()
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr  # gRPC itself may log that the connection was cut
