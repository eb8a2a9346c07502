"""The command as a whole: help, version, and what it loads."""

import json
import subprocess
import sys

import pytest

import phonoscope


@pytest.mark.parametrize(
    ("command", "mentions"),
    [
        ([], ["say", "voices", "health", "bench", "serve", "Exit status"]),
        (["say"], ["--output", "--play", "--stream", "PHONOSCOPE_CLIENT_SERVER", "localhost:50051", "real-time"]),
        (["voices"], ["list", "pull"]),
        (["voices", "list"], ["--hub", "--json"]),
        (["voices", "pull"], ["PHONOSCOPE_VOICES_DIR", "~/.local/share/phonoscope/voices"]),
        (["health"], ["0 SERVING", "1 NOT_SERVING", "2 usage error", "3 unreachable", "--watch"]),
        (
            ["bench"],
            [
                "--rate",
                "--ramp",
                "--target",
                "--concurrency",
                "--bad-ratio",
                "--cancel-ratio",
                "--retry-seconds",
                "--neighbours",
                "--otlp-endpoint",
                "0 is endless",
                "SIGTERM",
            ],
        ),
    ],
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_what_matters(run, command, mentions, flag):
    result = run(*command, flag)
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())  # wherever the lines break
    assert [word for word in mentions if word not in shown] == []


def test_version_is_the_packages(run):
    assert run("--version").stdout == f"phonoscope {phonoscope.__version__}\n"


def test_the_command_does_not_load_what_health_does_not_need():
    command = "import json, sys; import phonoscope.cli.__main__; print(json.dumps(list(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout
    assert not {"torch", "numpy", "pydantic", "httpx", "rich", "opentelemetry", "phonoscope.server"} & set(
        json.loads(loaded)
    )


def test_the_module_runs_as_a_program(server):
    command = [sys.executable, "-m", "phonoscope.cli", "health", "--server", server.target]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "SERVING\n", "")
